const SMALLEST_CAPACITY = 16
/** How full a table may be. */
const FULL = 0.7

/**
 * One open-addressing table of (high, low, value) slots; a value of 0 marks an empty one. Linear
 * probing, at most 70 % full: a lookup touches one or two cache lines.
 */
export class DedupePartition {
  #slots: Uint32Array
  #mask: number
  size = 0

  /** Takes `slots` of them before it grows. */
  constructor(slots = 0) {
    let capacity = SMALLEST_CAPACITY
    while (slots > capacity * FULL) capacity *= 2
    this.#slots = new Uint32Array(3 * capacity)
    this.#mask = capacity - 1
  }

  get bytes(): number {
    return this.#slots.byteLength
  }

  insert(high: number, low: number, value: number): void {
    if (this.size + 1 > (this.#mask + 1) * FULL) this.#grow()
    place(this.#slots, this.#mask, high, low, value)
    this.size += 1
  }

  /** Appends every value under the hash to `found` from `count` on; returns the new count. */
  find(high: number, low: number, found: number[], count: number): number {
    const slots = this.#slots
    for (let at = low & this.#mask; ; at = (at + 1) & this.#mask) {
      const value = slots[at * 3 + 2]!
      if (value === 0) return count
      if (slots[at * 3 + 1] === low && slots[at * 3] === high) found[count++] = value
    }
  }

  #grow(): void {
    const old = this.#slots
    this.#mask = this.#mask * 2 + 1
    this.#slots = new Uint32Array(3 * (this.#mask + 1))
    for (let i = 0; i < old.length; i += 3) {
      if (old[i + 2] !== 0) place(this.#slots, this.#mask, old[i]!, old[i + 1]!, old[i + 2]!)
    }
  }
}

function place(slots: Uint32Array, mask: number, high: number, low: number, value: number): void {
  let at = low & mask
  while (slots[at * 3 + 2] !== 0) at = (at + 1) & mask
  slots[at * 3] = high
  slots[at * 3 + 1] = low
  slots[at * 3 + 2] = value
}
