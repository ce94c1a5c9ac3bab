import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import type { FilterChain } from './filter-chain.ts'

/** Every metric of the filters; a filter that is not there counts nothing. */
export function defineFilterMetrics(metrics: MetricsRegistry, filters: FilterChain): void {
  metrics.total(
    'parley_rate_limited_writes_total',
    'Writes answered RATE_LIMITED because their user or device wrote too fast.',
    () => filters.limited,
  )
  metrics.collected(
    'parley_moderation_verdicts_total',
    'Verdicts of the moderation hook; fail: none came in time. Growing failures mean that the hook is slow or down.',
    'counter',
    () =>
      (['accept', 'refuse', 'fail'] as const).map((verdict) => ({
        labels: { verdict },
        value: filters.verdicts[verdict],
      })),
  )
}
