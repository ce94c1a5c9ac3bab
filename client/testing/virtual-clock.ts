import type { Clock, Random, Timer } from '../ports.ts'

/** Time that stands still until a test moves it. Timers run in order of their time, then of age. */
export class VirtualClock implements Clock {
  #nowMs = 1000
  #order = 0
  #timers: { atMs: number; order: number; run: () => void }[] = []

  wallMs(): number {
    return 1_764_000_000_000 + Math.trunc(this.#nowMs)
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run }
    this.#timers.push(timer)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((each) => each !== timer)
      },
    }
  }

  defer(run: () => void): void {
    this.after(0, run)
  }

  get pendingTimers(): number {
    return this.#timers.length
  }

  /** Lets `ms` pass, running what becomes due and every promise that it settles. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await settled()
    for (;;) {
      let next = this.#timers[0]
      for (const timer of this.#timers) {
        if (next === undefined || timer.atMs < next.atMs) next = timer
        else if (timer.atMs === next.atMs && timer.order < next.order) next = timer
      }
      if (next === undefined || next.atMs > untilMs) break
      const due = next
      this.#timers = this.#timers.filter((each) => each !== due)
      this.#nowMs = Math.max(this.#nowMs, due.atMs)
      due.run()
      await settled()
    }
    this.#nowMs = untilMs
  }
}

/** Every promise that can settle without time passing has settled. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A small, well-mixed generator: the same seed gives the same run. */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}
