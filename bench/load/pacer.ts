import { setTimeout as sleep } from 'node:timers/promises'

/** Open loop: begun at a rate, whatever the answers do. Closed loop: always so many under way. */
export type Pace =
  | { readonly kind: 'open'; readonly perSecond: number }
  | { readonly kind: 'closed'; readonly inFlight: number }

export interface Paced {
  /** Begins one operation that was meant to begin at that time (`performance.now`). */
  begin(intendedMs: number): void
  /** After those of one moment. */
  flush(): void
  readonly underWay: number
}

/** A stalled machine wakes to this much at a time, and takes answers in between. */
const BURST = 1_000

/** Begins operations at their pace. */
export class Pacer {
  readonly #pace: Pace
  readonly #target: Paced
  #isOn = false

  constructor(pace: Pace, target: Paced) {
    this.#pace = pace
    this.#target = target
  }

  /** Until then, or until the signal; what is under way then goes on. */
  async run(untilMs: number, signal: AbortSignal): Promise<void> {
    const stop = () => (this.#isOn = false)
    this.#isOn = !signal.aborted
    signal.addEventListener('abort', stop)
    if (this.#pace.kind === 'open') await this.#atRate(this.#pace.perSecond, untilMs)
    else {
      this.refill()
      while (this.#isOn && performance.now() < untilMs) {
        await sleep(Math.min(50, Math.max(1, untilMs - performance.now())))
      }
    }
    signal.removeEventListener('abort', stop)
    this.#isOn = false
  }

  /** Closed loop: something has ended. */
  refill(): void {
    if (!this.#isOn || this.#pace.kind === 'open') return
    while (this.#isOn && this.#target.underWay < this.#pace.inFlight) {
      this.#target.begin(performance.now())
    }
    this.#target.flush()
  }

  /** What was due before the end begins, however late this machine is. */
  async #atRate(perSecond: number, untilMs: number): Promise<void> {
    const fromMs = performance.now()
    const dueAt = (n: number) => fromMs + (n * 1_000) / perSecond
    for (let next = 0; this.#isOn && dueAt(next) < untilMs;) {
      const now = performance.now()
      const first = next
      while (dueAt(next) <= now && dueAt(next) < untilMs && next - first < BURST) {
        this.#target.begin(dueAt(next))
        next += 1
      }
      if (next > first) this.#target.flush()
      const restMs = dueAt(next) - performance.now()
      // Also where there is nothing to wait for: answers are to be read.
      await sleep(Math.min(50, Math.max(0, restMs)))
    }
  }
}
