import type { ClusterNode, LogStorage } from '#cluster'
import type { MetricsRegistry } from './metrics-registry.ts'

/** Defines what there is to know of the log on disk. Once per registry. */
export function defineLogMetrics(
  metrics: MetricsRegistry,
  cluster: () => ClusterNode,
  log: LogStorage,
): void {
  metrics.histogram(
    'parley_log_sync_duration_seconds',
    'Time of one batch to disk: one write, one fdatasync. Everything that is acknowledged waits for it; slow ones mean a slow or shared disk.',
    cluster().metrics.syncDuration,
  )
  metrics.histogram(
    'parley_log_sync_entries',
    'Entries in one batch to disk; one that holds a term or a vote alone counts as none.',
    cluster().metrics.entriesPerSync,
  )
  metrics.total(
    'parley_log_entry_bytes_total',
    'Bytes of entries written to the log, without its own headers.',
    () => cluster().metrics.logBytes.value,
  )
  metrics.gauge(
    'parley_log_bytes',
    'Size of the log on disk. Growing beyond the part kept for peers: checkpoints or a peer are behind.',
    () => log.size().bytes,
  )
  metrics.gauge('parley_log_segments', 'Files of the log.', () => log.size().segments)
}
