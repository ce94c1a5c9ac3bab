/** So many indices back something is remembered. */
const KEPT = 20_000

/** What belongs to the newest indices. What comes for an older one than is kept is forgotten at once. */
export class Recent<T> {
  readonly #indices = new Array<number>(KEPT).fill(-1)
  readonly #values = new Array<T | undefined>(KEPT).fill(undefined)

  get(index: number): T | undefined {
    const at = index % KEPT
    return this.#indices[at] === index ? this.#values[at] : undefined
  }

  set(index: number, value: T): void {
    const at = index % KEPT
    if (this.#indices[at]! > index) return
    this.#indices[at] = index
    this.#values[at] = value
  }
}
