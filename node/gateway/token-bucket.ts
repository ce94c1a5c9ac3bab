/** Admits `perSecond` on average and as many at once, from times that the caller reads. */
export class TokenBucket {
  readonly #perMs: number
  readonly #capacity: number
  #tokens: number
  #updatedMs: number

  constructor(perSecond: number, nowMs: number) {
    this.#perMs = perSecond / 1000
    this.#capacity = perSecond
    this.#tokens = perSecond
    this.#updatedMs = nowMs
  }

  /** Takes a token if there is one. */
  take(nowMs: number): boolean {
    const gained = (nowMs - this.#updatedMs) * this.#perMs
    this.#tokens = Math.min(this.#capacity, this.#tokens + gained)
    this.#updatedMs = nowMs
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
