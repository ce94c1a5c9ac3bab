import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Latencies } from './latencies.ts'
import type { LoadResult, LoadSpec } from './load-spec.ts'

type MeasurementSpec = Pick<LoadSpec, 'warmupMs' | 'durationMs' | 'messages' | 'trace'>

/** The clock and the counters of a closed loop, the same for every system that is measured. */
export class Measurement {
  readonly #spec: MeasurementSpec
  readonly #latencies = new Latencies()
  readonly #errors: Record<string, number> = {}
  readonly #trace: number[] = []
  #measuring = false
  #acknowledged = 0
  #stored = 0
  #stopping = false

  constructor(spec: MeasurementSpec) {
    this.#spec = spec
  }

  /** Nothing new is to be sent: what is under way is only waited for. */
  get stopping(): boolean {
    return this.#stopping
  }

  /** One message was answered: acknowledged, or refused with an error's name. */
  answered(sentAt: number, now: number, error: string | null): void {
    if (error !== null) {
      this.#errors[error] = (this.#errors[error] ?? 0) + 1
      return
    }
    this.#stored += 1
    if (!this.#measuring) return
    this.#acknowledged += 1
    this.#latencies.record(now - sentAt)
    if (this.#spec.trace === undefined) return
    this.#trace.push(performance.timeOrigin + now, now - sentAt)
  }

  /** Warms up, measures until the spec's end or SIGINT, and waits at most 10 s until `idle`. */
  async run(idle: () => boolean): Promise<LoadResult> {
    await sleep(this.#spec.warmupMs)
    this.#measuring = true
    const from = performance.now()
    const cpuBefore = process.cpuUsage()
    let end = from + this.#spec.durationMs
    process.once('SIGINT', () => (end = 0))
    while (performance.now() < end && this.#stored < (this.#spec.messages ?? Infinity)) {
      await sleep(Math.max(1, Math.min(50, end - performance.now())))
    }
    this.#measuring = false
    const seconds = (performance.now() - from) / 1000
    const cpu = process.cpuUsage(cpuBefore)
    this.#stopping = true
    const deadline = performance.now() + 10_000
    while (!idle() && performance.now() < deadline) await sleep(10)
    if (this.#spec.trace !== undefined)
      writeFileSync(this.#spec.trace, new Float64Array(this.#trace))
    const { p50Ms, p99Ms, p999Ms, maxMs } = this.#latencies.summary()
    return {
      acknowledged: this.#acknowledged,
      seconds,
      perSecond: Math.round(this.#acknowledged / seconds),
      p50Ms,
      p99Ms,
      p999Ms,
      maxMs,
      clientCpuUs: Math.round(((cpu.user + cpu.system) / this.#acknowledged) * 10) / 10,
      errors: this.#errors,
      stored: this.#stored,
    }
  }
}
