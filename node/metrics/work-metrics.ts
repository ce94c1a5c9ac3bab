import type { Forwarder } from '../forwarder.ts'
import type { Retention } from '../retention/retention.ts'
import type { StateAudit } from '../state-audit.ts'
import type { StoreScrub } from '../store-scrub.ts'
import type { MetricsRegistry } from './metrics-registry.ts'

interface Workers {
  readonly retention: Retention
  readonly scrub: StoreScrub
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
    () => scrub.lastMs / 1_000,
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
