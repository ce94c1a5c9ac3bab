/**
 * A small fast generator (sfc32) whose whole future is its seed. `split` gives an independent stream
 * that depends on the seed and the label alone, never on how much was drawn before: a new draw in one
 * place moves nothing elsewhere.
 */
export class Prng {
  readonly #seed: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number | string) {
    this.#seed = String(seed)
    const words = hashWords(this.#seed)
    this.#a = words[0]
    this.#b = words[1]
    this.#c = words[2]
    for (let round = 0; round < 12; round++) this.uint32()
  }

  split(label: string | number): Prng {
    return new Prng(`${this.#seed}/${label}`)
  }

  /** Uniform over 0 … 2^32-1. */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }

  /** Uniform over 0 … 1, without 1. */
  float(): number {
    return this.uint32() / 2 ** 32
  }

  /** Uniform over `low` … `high`, without `high`. */
  between(low: number, high: number): number {
    return low + this.float() * (high - low)
  }

  /** Uniform whole number over 0 … `count`-1. */
  below(count: number): number {
    return Math.floor(this.float() * count)
  }

  chance(probability: number): boolean {
    return probability > 0 && this.float() < probability
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('nothing to pick from')
    return items[this.below(items.length)]!
  }

  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items]
    for (let at = result.length - 1; at > 0; at--) {
      const other = this.below(at + 1)
      const item = result[at]!
      result[at] = result[other]!
      result[other] = item
    }
    return result
  }

  bytes(length: number): Uint8Array {
    const result = new Uint8Array(length)
    for (let at = 0; at < length; at++) result[at] = this.uint32() & 255
    return result
  }
}

/** FNV-1a over the text, then three rounds of a finalizer: near seeds give far words. */
function hashWords(text: string): readonly [number, number, number] {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  const word = (salt: number) => {
    let mixed = (hash ^ Math.imul(salt, 0x9e3779b9)) >>> 0
    for (let at = 0; at < text.length; at++) {
      mixed = Math.imul(mixed ^ text.charCodeAt(at) ^ (mixed >>> 15), 0x2c1b3c6d)
    }
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) | 0
  }
  return [word(1), word(2), word(3)]
}
