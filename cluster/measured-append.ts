import type { ClusterMetrics } from './cluster-metrics.ts'
import type { AppendRequest, LogStorage } from './log/log-storage.ts'
import type { Clock } from './ports.ts'

/** `log.append`, with how long it took and how much it was. */
export function measuredAppend(
  { log, clock, metrics }: { log: LogStorage; clock: Clock; metrics: ClusterMetrics },
  request: AppendRequest,
  done: (error: Error | null) => void,
): void {
  const { entriesPerSync, logBytes, syncDuration } = metrics
  const sinceMs = clock.monotonicMs()
  entriesPerSync.observe(request.entries.length)
  for (const { data } of request.entries) logBytes.add(data.length)
  log.append(request, (error) => {
    syncDuration.observe((clock.monotonicMs() - sinceMs) / 1_000)
    done(error)
  })
}
