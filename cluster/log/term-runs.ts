import { assert } from '../assert.ts'

/**
 * The term of every retained index, as the indexes where it rises: a handful of numbers however
 * long the log is, so that `term` never reads the disk.
 */
export class TermRuns {
  #firstIndexes: number[]
  #terms: number[]

  constructor(index: number, term: number) {
    this.#firstIndexes = [index]
    this.#terms = [term]
  }

  /** The caller knows that `index` is retained. */
  term(index: number): number {
    const run = this.#run(index)
    assert(run >= 0, `index ${index} is before the first retained one`)
    return this.#terms[run]!
  }

  append(index: number, term: number): void {
    const last = this.#terms.at(-1)!
    assert(term >= last, `entry ${index} has term ${term} after term ${last}`)
    if (term === last) return
    this.#firstIndexes.push(index)
    this.#terms.push(term)
  }

  /** Forgets `index` and everything after it. */
  dropFrom(index: number): void {
    while (this.#firstIndexes.length > 1 && this.#firstIndexes.at(-1)! >= index) {
      this.#firstIndexes.pop()
      this.#terms.pop()
    }
  }

  /** Forgets everything before `index`, whose own term stays. */
  dropBefore(index: number): void {
    const run = this.#run(index)
    assert(run >= 0, `index ${index} is before the first retained one`)
    this.#firstIndexes = this.#firstIndexes.slice(run)
    this.#terms = this.#terms.slice(run)
    this.#firstIndexes[0] = index
  }

  /** The last run that starts at or before `index`, -1 if none. */
  #run(index: number): number {
    let low = 0
    let high = this.#firstIndexes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#firstIndexes[middle]! <= index) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
