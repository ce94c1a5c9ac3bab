/**
 * The msgIds whose `msg:A` will tell this session of their event, so that the event is not pushed
 * to it as well. A settled one counts until the next write: the answer and the event come from the
 * same apply, in either order.
 */
export class WritesInFlight {
  readonly #counts = new Map<string, number>()
  #settled: string[] = []

  has(msgId: string): boolean {
    return this.#counts.has(msgId)
  }

  started(msgId: string): void {
    const count = this.#counts.get(msgId)
    this.#counts.set(msgId, count === undefined ? 1 : count + 1)
  }

  settled(msgId: string): void {
    this.#settled.push(msgId)
  }

  forgetSettled(): void {
    if (this.#settled.length === 0) return
    for (const msgId of this.#settled) {
      const count = this.#counts.get(msgId)
      if (count === undefined) continue
      if (count === 1) this.#counts.delete(msgId)
      else this.#counts.set(msgId, count - 1)
    }
    if (this.#settled.length > 64) this.#settled = []
    else this.#settled.length = 0
  }

  clear(): void {
    this.#counts.clear()
    this.#settled = []
  }
}
