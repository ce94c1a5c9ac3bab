import type { HistogramCell } from '#cluster'
import type { MetricsRegistry } from './metrics-registry.ts'

/** Classes of status codes: few, whatever is asked for. */
const CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const

export interface HttpMetrics {
  readonly duration: HistogramCell
  /** Counts one answered call. */
  answered(status: number): void
}

/** Defines every metric of the HTTP calls; `calls` are those under way. Once per registry. */
export function defineHttpMetrics(metrics: MetricsRegistry, calls: () => number): HttpMetrics {
  metrics.gauge(
    'parley_http_calls',
    'HTTP calls under way, long polls of the feed included.',
    calls,
  )
  const requests = metrics.counters(
    'parley_http_requests_total',
    'HTTP calls answered, by class of the status. Growing 5xx: no leader, draining, or a failure that the log tells of.',
    'status',
    CLASSES,
  )
  return {
    duration: metrics.histogram(
      'parley_http_request_duration_seconds',
      'Time of an HTTP call, the wait of long polls included.',
    ),
    answered: (status) => requests[CLASSES[Math.floor(status / 100) - 2] ?? '5xx'].add(),
  }
}
