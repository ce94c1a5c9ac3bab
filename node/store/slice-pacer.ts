import type { Clock } from '#cluster'

export interface PacerOptions {
  /** Main-thread time a slice may take before it yields, in ms. */
  readonly sliceMs: number
  /** The pause after a slice, as a multiple of what the slice took. */
  readonly pauseFactor: number
}

/**
 * A slice ends at its first step past `sliceMs`, so 1 ms keeps it well below the 2 ms of rule K3; the
 * pause of four times the slice keeps background work at a fifth of the thread: without one the loop
 * starves although no single slice is long (`bench/checkpoint.bench.ts`).
 */
const defaultPacing: PacerOptions = { sliceMs: 1, pauseFactor: 4 }

/** Cuts long main-thread work into slices, paced by the clock. */
export class SlicePacer {
  readonly #clock: Clock
  readonly #options: PacerOptions
  #startedMs: number

  constructor(clock: Clock, options: PacerOptions = defaultPacing) {
    this.#clock = clock
    this.#options = options
    this.#startedMs = clock.monotonicMs()
  }

  /** The slice has had its time: `pause` before going on. */
  due(): boolean {
    return this.#clock.monotonicMs() - this.#startedMs >= this.#options.sliceMs
  }

  /** `urgency` 0: the whole pause; towards 1: less of it; 1: one turn of the event loop. */
  async pause(urgency = 0): Promise<void> {
    const elapsedMs = this.#clock.monotonicMs() - this.#startedMs
    const delayMs = Math.max(1, elapsedMs * this.#options.pauseFactor * (1 - urgency))
    await new Promise<void>((resolve) => {
      if (urgency >= 1) this.#clock.defer(resolve)
      else this.#clock.after(delayMs, resolve)
    })
    this.restart()
  }

  /** A new slice begins: the caller has just waited for something else. */
  restart(): void {
    this.#startedMs = this.#clock.monotonicMs()
  }
}
