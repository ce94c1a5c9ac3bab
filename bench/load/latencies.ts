import { createHistogram } from 'node:perf_hooks'

/** Of every latency that is told: a percentile is within 0.1 % of the true one, or within 1 µs. */
const SIGNIFICANT_DIGITS = 3

export interface LatencySummary {
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}

/** How long things took: a histogram of microseconds, of the same size however many there are. */
export class Latencies {
  readonly #histogram = createHistogram({ figures: SIGNIFICANT_DIGITS })

  get count(): number {
    return this.#histogram.count
  }

  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * 1_000)))
  }

  reset(): void {
    this.#histogram.reset()
  }

  /** All 0 without any. */
  summary(): LatencySummary {
    const ms = (us: number) => (this.count === 0 ? 0 : Math.round(us) / 1_000)
    return {
      p50Ms: ms(this.#histogram.percentile(50)),
      p90Ms: ms(this.#histogram.percentile(90)),
      p99Ms: ms(this.#histogram.percentile(99)),
      p999Ms: ms(this.#histogram.percentile(99.9)),
      maxMs: ms(this.#histogram.max),
    }
  }
}
