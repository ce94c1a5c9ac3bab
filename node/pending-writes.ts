import { assert } from '#cluster'

const FIRST_SLOTS = 64

/**
 * Writes that wait for a result, in the order they came in, found by their number. Numbers are given
 * one after the other, so that a ring does for it: what a `Map` costs is that it lays out its table
 * anew with every few thousand entries that came and went. Grows to the most that it ever had to span.
 */
export class PendingWrites<T> {
  #slots = new Array<T | undefined>(FIRST_SLOTS).fill(undefined)
  /** Numbers are those of 32 bits and begin anew after the last. `#first` is of the oldest that waits. */
  #first = 1
  #next = 1
  #size = 0

  get size(): number {
    return this.#size
  }

  /** From the oldest to the newest, settled ones between them included. */
  get span(): number {
    return (this.#next - this.#first) >>> 0
  }

  /** The number that the next one gets. */
  get nextNumber(): number {
    return this.#next
  }

  push(write: T): void {
    if (this.span === this.#slots.length) this.#grow()
    this.#slots[this.#next & (this.#slots.length - 1)] = write
    this.#next = (this.#next + 1) >>> 0
    this.#size += 1
  }

  get(number: number): T | undefined {
    if ((number - this.#first) >>> 0 >= this.span) return undefined
    return this.#slots[number & (this.#slots.length - 1)]
  }

  delete(number: number): void {
    assert(this.get(number) !== undefined, `write ${number} does not wait`)
    const mask = this.#slots.length - 1
    this.#slots[number & mask] = undefined
    this.#size -= 1
    while (this.#first !== this.#next && this.#slots[this.#first & mask] === undefined) {
      this.#first = (this.#first + 1) >>> 0
    }
  }

  /** In order; those that come meanwhile are left out, those that go too. */
  *[Symbol.iterator](): Generator<T> {
    const end = this.#next
    for (let number = this.#first; number !== end; number = (number + 1) >>> 0) {
      const write = this.get(number)
      if (write !== undefined) yield write
    }
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Array<T | undefined>(old.length * 2).fill(undefined)
    for (let i = 0; i < old.length; i += 1) {
      const number = (this.#first + i) >>> 0
      this.#slots[number & (this.#slots.length - 1)] = old[number & (old.length - 1)]
    }
  }
}
