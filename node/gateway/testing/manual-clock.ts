import type { Clock, Timer } from '#cluster'

/** Time and turns of the event loop that come only when a test says so. */
export class ManualClock implements Clock {
  nowMs = 1_000
  #timers: { atMs: number; run: () => void }[] = []
  #deferred: (() => void)[] = []

  wallMs(): number {
    return this.nowMs
  }

  monotonicMs(): number {
    return this.nowMs
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, run }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((one) => one !== timer)) }
  }

  defer(run: () => void): void {
    this.#deferred.push(run)
  }

  /** One later turn of the event loop. */
  turn(): void {
    for (const run of this.#deferred.splice(0)) run()
  }

  /** Everything that is ready, promises and turns, until nothing is left. */
  async settle(): Promise<void> {
    do {
      for (let i = 0; i < 20; i++) await Promise.resolve()
      this.turn()
    } while (this.#deferred.length > 0)
    for (let i = 0; i < 20; i++) await Promise.resolve()
    if (this.#deferred.length > 0) await this.settle()
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms
    for (;;) {
      const next = this.#timers.filter((timer) => timer.atMs <= untilMs)
      if (next.length === 0) break
      next.sort((a, b) => a.atMs - b.atMs)
      const timer = next[0]!
      this.#timers = this.#timers.filter((one) => one !== timer)
      this.nowMs = Math.max(this.nowMs, timer.atMs)
      timer.run()
      await this.settle()
    }
    this.nowMs = untilMs
    await this.settle()
  }
}
