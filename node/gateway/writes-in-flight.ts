/**
 * The msgIds whose `msg:A` will tell this session of their event, so that the event is not pushed
 * to it as well. A settled one counts until the next write: the answer and the event come from the
 * same apply, in either order.
 *
 * Writes of a session are applied in the order they came in, so that looking from the front finds
 * nearly every one at once; the session's bound on requests without an answer bounds the rest.
 */
export class WritesInFlight {
  /** From `#head` on: settled ones, then those that wait. */
  #msgIds: string[] = []
  #head = 0
  #waiting = 0

  has(msgId: string): boolean {
    if (this.#msgIds.includes(msgId, this.#waiting)) return true
    return this.#waiting > this.#head && this.#msgIds.includes(msgId, this.#head)
  }

  started(msgId: string): void {
    this.#msgIds.push(msgId)
  }

  settled(msgId: string): void {
    const at = this.#msgIds.indexOf(msgId, this.#waiting)
    if (at < 0) return
    // One that was refused out of turn: those before it wait on, in order.
    if (at > this.#waiting) {
      this.#msgIds.copyWithin(this.#waiting + 1, this.#waiting, at)
      this.#msgIds[this.#waiting] = msgId
    }
    this.#waiting += 1
  }

  forgetSettled(): void {
    this.#head = this.#waiting
    if (this.#head === this.#msgIds.length) this.clear()
    else if (this.#head >= 1024) {
      this.#msgIds.splice(0, this.#head)
      this.#head = 0
      this.#waiting = 0
    }
  }

  clear(): void {
    this.#msgIds.length = 0
    this.#head = 0
    this.#waiting = 0
  }
}
