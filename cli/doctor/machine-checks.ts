import { bytesText } from '../byte-size.ts'
import type { Check } from './check.ts'
import type { NodeRecord, Patient } from './patient.ts'
import { observed, quantile } from './samples.ts'

const SLOW_SYNC_SECONDS = 0.1
const VERY_SLOW_SYNC_SECONDS = 0.5
/** Fewer syncs than this say little of what a disk is like. */
const FEW_SYNCS = 10
const LOW_SHARE = 0.1
const FULL_SHARE = 0.02
const CLOCK_OFF_MS = 500

/** Disk, CPU, memory, descriptors and clock of each machine. */
export const MACHINE_CHECKS: readonly Check[] = [
  {
    id: 'slow-disk',
    severity: 'warning',
    title: 'syncs of the log take long',
    runbook: 'parleydiskslow',
    find: ({ nodes }) => nodes.flatMap(slowDisk),
  },
  {
    id: 'disk-low',
    severity: 'warning',
    title: 'the disk of a node is nearly full',
    runbook: 'parleydisklow',
    find: ({ nodes }) =>
      nodes.flatMap(({ name, view: { disk } }) => {
        if (disk === undefined || disk === null || disk.sizeBytes === 0) return []
        const share = disk.freeBytes / disk.sizeBytes
        if (share >= LOW_SHARE) return []
        return [
          {
            node: name,
            severity: share < FULL_SHARE ? ('critical' as const) : ('warning' as const),
            evidence: `${bytesText(disk.freeBytes)} of ${bytesText(disk.sizeBytes)} are free, ${(share * 100).toFixed(1)} %`,
            next: 'make room beside the data directory, enlarge the disk, or keep less: parley retention --dry-run',
          },
        ]
      }),
  },
  {
    id: 'event-loop-late',
    severity: 'warning',
    title: 'the thread of a node is held up',
    runbook: 'parleyeventlooplate',
    find: ({ nodes }) =>
      nodes.flatMap(({ name, now }) => {
        const seconds = now?.value('nodejs_eventloop_lag_p99_seconds') ?? 0
        if (seconds <= 0.1) return []
        return [
          {
            node: name,
            evidence: `p99 of ${Math.round(seconds * 1_000)} ms, more than 100`,
            next: `look at CPU, memory and what else runs on the machine of ${name}`,
          },
        ]
      }),
  },
  {
    id: 'descriptors-low',
    severity: 'warning',
    title: 'a process has few descriptors left',
    runbook: 'parleydescriptorslow',
    find: ({ nodes }) =>
      nodes.flatMap(({ name, now }) => {
        const open = now?.value('process_open_fds') ?? 0
        const most = now?.value('process_max_fds') ?? 0
        if (most === 0 || open / most <= 0.8) return []
        return [
          {
            node: name,
            evidence: `${open} of ${most} are open`,
            next: 'raise LimitNOFILE and restart the nodes one by one',
          },
        ]
      }),
  },
  {
    id: 'clock-off',
    severity: 'warning',
    title: 'clocks of nodes differ',
    runbook: 'parleyclockoff',
    find: clockOff,
  },
]

function slowDisk({ name, now, before }: NodeRecord) {
  if (now === null) return []
  const metric = 'parley_log_sync_duration_seconds'
  const lately = observed(metric, now, before)
  const isEnough = before !== null && (lately.at(-1)?.[1] ?? 0) >= FEW_SYNCS
  const buckets = isEnough ? lately : observed(metric, now, null)
  const count = buckets.at(-1)?.[1] ?? 0
  const seconds = quantile(0.99, buckets)
  if (seconds === null || count < FEW_SYNCS || seconds <= SLOW_SYNC_SECONDS) return []
  const bound = seconds === Infinity ? 'more than is counted' : `up to ${seconds * 1_000} ms`
  return [
    {
      node: name,
      severity: seconds > VERY_SLOW_SYNC_SECONDS ? ('critical' as const) : ('warning' as const),
      evidence: `one sync in a hundred takes ${bound}, of ${count} ${isEnough ? 'just now' : 'since its start'}`,
      next: `look at the disk of ${name} (iostat -x, dmesg, smartctl); if it leads: parley transfer`,
    },
  ]
}

/** Against the middle of all nodes' clocks: who asks may be wrong himself. */
function clockOff({ nodes }: Patient) {
  const offsets = nodes.flatMap(({ name, view, askedAtMs, tookMs }) =>
    view.wallTimeMs === undefined ? [] : [{ name, tookMs, offsetMs: view.wallTimeMs - askedAtMs }],
  )
  const middle = offsets.map(({ offsetMs }) => offsetMs).toSorted((a, b) => a - b)[
    Math.floor((offsets.length - 1) / 2)
  ]
  if (middle === undefined) return []
  return offsets
    .filter(({ offsetMs, tookMs }) => Math.abs(offsetMs - middle) > CLOCK_OFF_MS + tookMs / 2)
    .map(({ name, offsetMs }) => ({
      node: name,
      evidence: `${((offsetMs - middle) / 1_000).toFixed(1)} s from the other nodes`,
      next: `chronyc tracking, on the machine of ${name}`,
    }))
}
