import type { DataScrub } from '../data-scrub.ts'
import type { Forwarder } from '../forwarder.ts'
import type { Retention } from '../retention/retention.ts'
import type { StateAudit } from '../state-audit.ts'
import type { MetricsRegistry } from './metrics-registry.ts'

interface Workers {
  readonly retention: Retention
  readonly scrub: DataScrub
  readonly audit: StateAudit
  readonly forwarder: Forwarder
}

/** Defines what this node's work beside the log comes to. Once per registry. */
export function defineWorkMetrics(
  metrics: MetricsRegistry,
  { retention, scrub, audit, forwarder }: Workers,
): void {
  metrics.counters(
    'parley_retention_removals_total',
    'Removals that this node got into the log as leader: the beginning of a conversation, or single bodies.',
    'op',
    ['truncate', 'expire'],
    retention.proposed,
  )
  metrics.counter(
    'parley_retention_erasures_total',
    'Erasures of users that this node saw through to the end as leader.',
    retention.erased,
  )
  metrics.counter(
    'parley_retention_failures_total',
    'Looks for what is to be removed that ended with an error. Rising: policies are not kept; see the log of the leader.',
    retention.failures,
  )
  metrics.gauge(
    'parley_store_scrubbed_timestamp_seconds',
    'When the whole store was last read and verified, 0 before the first time. Once a day.',
    () => scrub.store.lastMs / 1_000,
  )
  metrics.gauge(
    'parley_log_scrubbed_timestamp_seconds',
    'When the log was last read and verified, but for its newest file; 0 before the first time. Once a day.',
    () => scrub.log.lastMs / 1_000,
  )
  const { log, store } = scrub
  metrics.counters(
    'parley_scrubbed_bytes_total',
    'Bytes of the log and of the store that were read and found good in the background. A node that finds damage ends.',
    'part',
    ['log', 'store'],
    { log: log.bytes, store: store.bytes },
  )
  metrics.counters(
    'parley_scrub_failures_total',
    'Background checks that ended with an error, damage aside. Rising: the disk does not read; see the log of the node.',
    'part',
    ['log', 'store'],
    { log: log.failures, store: store.failures },
  )
  metrics.total(
    'parley_state_divergences_total',
    'Comparisons in which nodes held different states at one index. Any rise: memory or a disk of one of them is damaged.',
    () => audit.divergences,
  )
  metrics.total(
    'parley_forwarded_malformed_total',
    'Writes that a peer forwarded and this node kept out of the log. Any rise: nodes of different versions or limits.',
    () => forwarder.malformedCommands,
  )
}
