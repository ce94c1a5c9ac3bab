import type { MetricsRegistry } from './metrics-registry.ts'

/** What a node found that no healthy cluster shows. */
export function defineDamageMetrics(
  metrics: MetricsRegistry,
  counts: { divergences(): number; malformed(): number },
): void {
  const count = (name: string, help: string, read: () => number): void =>
    metrics.collected(name, help, 'counter', () => [{ labels: {}, value: read() }])
  count(
    'parley_state_divergences_total',
    'Comparisons in which nodes held different states at one index.',
    () => counts.divergences(),
  )
  count(
    'parley_forwarded_malformed_total',
    'Writes that a peer forwarded and this node kept out of the log.',
    () => counts.malformed(),
  )
}
