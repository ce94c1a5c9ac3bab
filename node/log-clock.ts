import type { Clock } from '#cluster'

/**
 * Log time (rule A8): starts from the last stamp in the log and advances only by this leader's
 * monotonic clock. A wall clock that jumps moves nothing; while nobody leads it stands still, so an
 * outage lengthens windows and never shortens them.
 */
export class LogClock {
  readonly #clock: Clock
  #baseMs = 0
  #anchorMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Call when this replica has applied everything before its own term. */
  anchor(lastStampMs: number): void {
    this.#baseMs = lastStampMs
    this.#anchorMs = this.#clock.monotonicMs()
  }

  nowMs(): number {
    return this.#baseMs + Math.floor(this.#clock.monotonicMs() - this.#anchorMs)
  }
}
