import type { Clock, Timer } from '#cluster'

interface Waiter {
  readonly index: number
  readonly timer: Timer
  readonly resolve: (reached: boolean) => void
}

/** Whoever must not be answered before this node has applied an index (rule B2). */
export class AppliedWaiters {
  readonly #clock: Clock
  readonly #waiters = new Set<Waiter>()
  #applied: number

  constructor(clock: Clock, applied: number) {
    this.#clock = clock
    this.#applied = applied
  }

  get applied(): number {
    return this.#applied
  }

  advance(index: number): void {
    this.#applied = index
    if (this.#waiters.size === 0) return
    for (const waiter of this.#waiters) {
      if (waiter.index <= index) this.#settle(waiter, true)
    }
  }

  /** `false` if the index was not applied within `timeoutMs`. */
  wait(index: number, timeoutMs: number): Promise<boolean> {
    if (index <= this.#applied) return Promise.resolve(true)
    return new Promise((resolve) => {
      const timer = this.#clock.after(timeoutMs, () => this.#settle(waiter, false))
      const waiter: Waiter = { index, timer, resolve }
      this.#waiters.add(waiter)
    })
  }

  close(): void {
    for (const waiter of this.#waiters) this.#settle(waiter, false)
  }

  #settle(waiter: Waiter, reached: boolean): void {
    this.#waiters.delete(waiter)
    waiter.timer.cancel()
    waiter.resolve(reached)
  }
}
