import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import type { Moderation } from './moderation.ts'
import type { RateLimiter } from './rate-limiter.ts'

/** Every metric of the filters; a filter that is not there counts nothing. */
export function defineFilterMetrics(
  metrics: MetricsRegistry,
  rate: RateLimiter | null,
  moderation: Moderation | null,
): void {
  metrics.total(
    'parley_rate_limited_writes_total',
    'Writes answered RATE_LIMITED because their user or device wrote too fast.',
    () => rate?.limited ?? 0,
  )
  metrics.collected(
    'parley_moderation_verdicts_total',
    'Verdicts of the moderation hook; fail: none came in time. Growing failures mean that the hook is slow or down.',
    'counter',
    () =>
      (['accept', 'refuse', 'fail'] as const).map((verdict) => ({
        labels: { verdict },
        value: moderation?.tally[verdict] ?? 0,
      })),
  )
}
