import type { MetricsRegistry } from './metrics-registry.ts'

const OUTCOMES = ['sent', 'gone', 'refused', 'failed'] as const

interface Calls {
  readonly outcomes: Readonly<Record<(typeof OUTCOMES)[number], number>>
  readonly waiting: number
}

/** Defines every metric of push; a node that calls nobody counts nothing. Once per registry. */
export function definePushMetrics(metrics: MetricsRegistry, calls: Calls | null): void {
  metrics.collected(
    'parley_push_calls_total',
    'Calls of devices that were away, by how they ended; gone: the subscription is; failed: after every try. Growing failures: the provider is down, or refuses this node.',
    'counter',
    () =>
      OUTCOMES.map((outcome) => ({ labels: { outcome }, value: calls?.outcomes[outcome] ?? 0 })),
  )
  metrics.gauge(
    'parley_push_waiting',
    'Calls of devices under way or to be tried again. Grows while the provider does not answer.',
    () => calls?.waiting ?? 0,
  )
}
