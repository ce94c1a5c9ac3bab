/** Admits `perSecond` on average and `burst` at once, from times that the caller reads. */
export class TokenBucket {
  readonly #perMs: number
  readonly #capacity: number
  #tokens: number
  #updatedMs: number

  /** `burst` is as many as in a second, if not given. */
  constructor(perSecond: number, nowMs: number, burst = perSecond) {
    this.#perMs = perSecond / 1000
    this.#capacity = burst
    this.#tokens = burst
    this.#updatedMs = nowMs
  }

  /** Whether it was made for these. */
  isOf(perSecond: number, burst: number): boolean {
    return this.#perMs === perSecond / 1000 && this.#capacity === burst
  }

  /** Takes a token if there is one. */
  take(nowMs: number): boolean {
    if (this.waitMs(nowMs) > 0) return false
    this.#tokens -= 1
    return true
  }

  /** Whole ms until there is a token; 0: there is one. */
  waitMs(nowMs: number): number {
    const gained = (nowMs - this.#updatedMs) * this.#perMs
    this.#tokens = Math.min(this.#capacity, this.#tokens + gained)
    this.#updatedMs = nowMs
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs)
  }
}
