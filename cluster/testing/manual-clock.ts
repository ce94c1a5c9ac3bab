import type { Clock, Timer } from '../ports.ts'

/** Time that moves only when a test says so. */
export class ManualClock implements Clock {
  #nowMs = 0
  #timers: { dueMs: number; run: () => void }[] = []

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, run }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  defer(run: () => void): void {
    this.after(0, run)
  }

  advance(milliseconds: number): void {
    const until = this.#nowMs + milliseconds
    for (;;) {
      const due = this.#timers.filter((timer) => timer.dueMs <= until)
      const next = due.sort((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.run()
    }
    this.#nowMs = until
  }
}
