/** Compares like numbers: of two equally long lists the first different place decides. */
function compareOrder(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}

/**
 * Lets through, for each key, only what is greater than the last. It remembers a bounded number of
 * keys; of those it forgot, nothing below the greatest forgotten one's first `coarse` places passes:
 * what is equal there comes in order anyway.
 */
export class RecentOrder {
  readonly #maxKeys: number
  readonly #coarse: number
  /** The least recently used key first. */
  readonly #last = new Map<string, readonly number[]>()
  #floor: readonly number[] | null = null

  constructor(maxKeys: number, coarse: number) {
    this.#maxKeys = maxKeys
    this.#coarse = coarse
  }

  passes(key: string, position: readonly number[]): boolean {
    const last = this.#last.get(key)
    if (last === undefined) {
      if (this.#floor !== null && compareOrder(this.#part(position), this.#floor) < 0) return false
    } else {
      if (compareOrder(position, last) <= 0) return false
      this.#last.delete(key)
    }
    this.#last.set(key, position)
    if (this.#last.size > this.#maxKeys) this.#forgetOldest()
    return true
  }

  #forgetOldest(): void {
    const [key, position] = this.#last.entries().next().value!
    this.#last.delete(key)
    const part = this.#part(position)
    if (this.#floor === null || compareOrder(part, this.#floor) > 0) this.#floor = part
  }

  #part(position: readonly number[]): readonly number[] {
    return position.slice(0, this.#coarse)
  }
}
