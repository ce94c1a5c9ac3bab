import { assert } from '#cluster'

/** The rows that are furthest behind of all that were offered, a bounded number, each key once. */
export class TopList<T extends { readonly behind: number }> {
  readonly #most: number
  readonly #keyOf: (row: T) => string
  /** The furthest behind first. */
  readonly #rows: T[] = []
  readonly #byKey = new Map<string, T>()

  constructor(most: number, keyOf: (row: T) => string) {
    assert(Number.isInteger(most) && most > 0, `a list of ${most} rows`)
    this.#most = most
    this.#keyOf = keyOf
  }

  get rows(): readonly T[] {
    return this.#rows
  }

  /** Of two rows with one key the newer counts. */
  offer(row: T): void {
    const key = this.#keyOf(row)
    const before = this.#byKey.get(key)
    if (before !== undefined) {
      this.#rows.splice(this.#rows.indexOf(before), 1)
      this.#byKey.delete(key)
    }
    if (row.behind <= 0) return
    const isFull = this.#rows.length >= this.#most
    if (isFull && row.behind <= this.#rows.at(-1)!.behind) return
    if (isFull) this.#byKey.delete(this.#keyOf(this.#rows.pop()!))
    const at = this.#rows.findIndex(({ behind }) => behind < row.behind)
    this.#rows.splice(at < 0 ? this.#rows.length : at, 0, row)
    this.#byKey.set(key, row)
  }
}
