import { assert } from '../assert.ts'

/**
 * The append messages under way to one peer: the last index and the bytes of each, in a ring that
 * grows up to its bound. An acknowledgement of an index frees every message that ends at or below it.
 */
export class Inflights {
  readonly #maxMessages: number
  readonly #maxBytes: number
  #indexes: number[] = []
  #sizes: number[] = []
  #start = 0
  #count = 0
  #bytes = 0

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The message that reaches the byte bound may pass it; no other follows. */
  get full(): boolean {
    return this.#count >= this.#maxMessages || this.#bytes >= this.#maxBytes
  }

  add(lastIndex: number, bytes: number): void {
    assert(!this.full, 'an append message was sent over a full window')
    if (this.#count === this.#indexes.length) this.#grow()
    const at = (this.#start + this.#count) % this.#indexes.length
    this.#indexes[at] = lastIndex
    this.#sizes[at] = bytes
    this.#count++
    this.#bytes += bytes
  }

  freeTo(index: number): void {
    while (this.#count > 0 && this.#indexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!
      this.#start = (this.#start + 1) % this.#indexes.length
      this.#count--
    }
  }

  reset(): void {
    this.#start = 0
    this.#count = 0
    this.#bytes = 0
  }

  #grow(): void {
    const size = Math.min(Math.max(4, this.#count * 2), this.#maxMessages)
    const indexes = new Array<number>(size).fill(0)
    const sizes = new Array<number>(size).fill(0)
    for (let i = 0; i < this.#count; i++) {
      const at = (this.#start + i) % this.#indexes.length
      indexes[i] = this.#indexes[at]!
      sizes[i] = this.#sizes[at]!
    }
    this.#indexes = indexes
    this.#sizes = sizes
    this.#start = 0
  }
}
