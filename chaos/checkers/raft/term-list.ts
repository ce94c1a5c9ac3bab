const NONE = -1

/** The terms of the entries of one log, by index: one number for each, without holes in the usual case. */
export class TermList {
  #first = 0
  #terms: number[] = []

  get(index: number): number | undefined {
    const at = index - this.#first
    if (at < 0 || at >= this.#terms.length) return undefined
    const term = this.#terms[at]!
    return term === NONE ? undefined : term
  }

  set(index: number, term: number): void {
    const terms = this.#terms
    if (terms.length === 0) this.#first = index
    if (index < this.#first) {
      this.#terms = [...new Array<number>(this.#first - index).fill(NONE), ...terms]
      this.#first = index
    }
    while (this.#terms.length < index - this.#first) this.#terms.push(NONE)
    this.#terms[index - this.#first] = term
  }

  delete(index: number): void {
    const at = index - this.#first
    if (at < 0 || at >= this.#terms.length) return
    this.#terms[at] = NONE
    while (this.#terms.length > 0 && this.#terms.at(-1) === NONE) this.#terms.pop()
  }

  clear(): void {
    this.#terms = []
  }

  copy(): TermList {
    const copy = new TermList()
    copy.#first = this.#first
    copy.#terms = [...this.#terms]
    return copy
  }
}
