import { Latencies, type LatencySummary } from './latencies.ts'

export interface Measured extends LatencySummary {
  /** Operations that began in the measured time and succeeded. */
  readonly count: number
  /** Successes that came within the measured time, per second. */
  readonly perSecond: number
  readonly seconds: number
  /** By code, of those that began in the measured time; what became of them is known. */
  readonly errors: Readonly<Record<string, number>>
  /** Whose outcome nobody was told. */
  readonly unknown: number
  /** How late operations began: above a few ms this machine, not the cluster, was measured. */
  readonly lateP99Ms: number
}

/** Since the one before, for people who watch. */
export interface Interval {
  readonly count: number
  readonly p99Ms: number
  readonly errors: number
}

/**
 * What a load measures. An operation's time counts from when it was meant to begin: what waits for a
 * slow cluster, or for this machine, is not left out. Counted is what was meant to begin within the
 * measured time, whenever it ended.
 */
export class Meter {
  readonly #latencies = new Latencies()
  readonly #late = new Latencies()
  readonly #interval = new Latencies()
  readonly #errors = new Map<string, number>()
  #intervalErrors = 0
  #unknown = 0
  #inTime = 0
  #fromMs = Infinity
  #untilMs = Infinity

  /** From when on, and until when, operations are to begin to be counted (`performance.now`). */
  measure(fromMs: number, untilMs: number): void {
    this.#fromMs = fromMs
    this.#untilMs = untilMs
  }

  /** Cut short. */
  endAt(ms: number): void {
    this.#untilMs = Math.min(this.#untilMs, ms)
  }

  began(intendedMs: number, nowMs: number): void {
    if (this.#counts(intendedMs)) this.#late.record(nowMs - intendedMs)
  }

  succeeded(intendedMs: number, nowMs: number): void {
    const ms = nowMs - intendedMs
    this.#interval.record(ms)
    if (nowMs >= this.#fromMs && nowMs < this.#untilMs) this.#inTime += 1
    if (this.#counts(intendedMs)) this.#latencies.record(ms)
  }

  failed(intendedMs: number, code: string): void {
    this.#intervalErrors += 1
    if (this.#counts(intendedMs)) this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1)
  }

  unknown(intendedMs: number): void {
    this.#intervalErrors += 1
    if (this.#counts(intendedMs)) this.#unknown += 1
  }

  interval(): Interval {
    const { p99Ms } = this.#interval.summary()
    const interval = { count: this.#interval.count, p99Ms, errors: this.#intervalErrors }
    this.#interval.reset()
    this.#intervalErrors = 0
    return interval
  }

  result(): Measured {
    const seconds = Math.max(0, this.#untilMs - this.#fromMs) / 1_000
    return {
      count: this.#latencies.count,
      perSecond: seconds > 0 ? Math.round((this.#inTime / seconds) * 10) / 10 : 0,
      seconds: Math.round(seconds * 1_000) / 1_000,
      ...this.#latencies.summary(),
      errors: Object.fromEntries([...this.#errors].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      unknown: this.#unknown,
      lateP99Ms: this.#late.summary().p99Ms,
    }
  }

  #counts(intendedMs: number): boolean {
    return intendedMs >= this.#fromMs && intendedMs < this.#untilMs
  }
}
