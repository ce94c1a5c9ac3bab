import type { MetricsRegistry } from './metrics-registry.ts'

/** Classes of status codes: few, whatever is asked for. */
const CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const

export interface HttpMetrics {
  /** Counts a call that came in. */
  began(): void
  /** Counts that it was answered. */
  ended(status: number, seconds: number): void
}

/** Defines every metric of the HTTP calls, on all listeners together. Once per registry. */
export function defineHttpMetrics(metrics: MetricsRegistry): HttpMetrics {
  let calls = 0
  metrics.gauge(
    'parley_http_calls',
    'HTTP calls under way, long polls of the feed included.',
    () => calls,
  )
  const requests = metrics.counters(
    'parley_http_requests_total',
    'HTTP calls answered, by class of the status. Growing 5xx: no leader, draining, or a failure that the log tells of.',
    'status',
    CLASSES,
  )
  const duration = metrics.histogram(
    'parley_http_request_duration_seconds',
    'Time of an HTTP call, the wait of long polls included.',
  )
  return {
    began: () => (calls += 1),
    ended: (status, seconds) => {
      calls -= 1
      requests[CLASSES[Math.floor(status / 100) - 2] ?? '5xx'].add()
      duration.observe(seconds)
    },
  }
}
