/**
 * Appends msgpack to a slab and hands out each finished value as a view of it: no copy, one
 * allocation for many frames. A slab is never written twice, so views stay valid for good; it is
 * small so that a frame kept in a slow queue keeps little else alive.
 */
export class Writer {
  #bytes: Uint8Array = new Uint8Array(SLAB_BYTES)
  #start = 0
  #position = 0

  /** Everything written since the last call. */
  finish(): Uint8Array {
    const result = this.#bytes.subarray(this.#start, this.#position)
    this.#start = this.#position
    return result
  }

  /** Everything written since the last call, in memory of its own. */
  take(): Uint8Array {
    const result = this.#bytes.slice(this.#start, this.#position)
    this.reset()
    return result
  }

  /** Drops what was written since the last `finish`: after an encoder threw. */
  reset(): void {
    this.#position = this.#start
  }

  /** Bytes that are msgpack already. */
  raw(bytes: Uint8Array): void {
    const length = bytes.length
    this.#reserve(length)
    if (length <= 24) {
      for (let i = 0; i < length; i++) this.#bytes[this.#position + i] = bytes[i]!
    } else this.#bytes.set(bytes, this.#position)
    this.#position += length
  }

  map(length: number): void {
    this.#container(length, 0x80, 0xde)
  }

  array(length: number): void {
    this.#container(length, 0x90, 0xdc)
  }

  nil(): void {
    this.#byte(0xc0)
  }

  boolean(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2)
  }

  /** 0 to 2^53-1, in the shortest form; beyond 32 bits a u64, so that typed readers see an integer. */
  integer(value: number): void {
    assertInteger(value)
    if (value < 0x80) return this.#byte(value)
    this.#reserve(9)
    if (value <= 0xffffffff) return this.#sized(value, 0xcc)
    const high = Math.floor(value / 0x100000000)
    this.#uint(high, 0xcf, 4)
    this.#bits(value - high * 0x100000000, 4)
  }

  /** Any number, as msgpackr writes it: integers of 32 bits in the shortest form, else a double. */
  number(value: number): void {
    if (value >>> 0 === value) return this.integer(value)
    this.#reserve(9)
    if (value >> 0 !== value) {
      this.#bytes[this.#position] = 0xcb
      new DataView(this.#bytes.buffer).setFloat64(this.#position + 1, value)
      this.#position += 9
    } else if (value >= -0x20) this.#byte(value)
    else if (value >= -0x80) this.#uint(value, 0xd0, 1)
    else if (value >= -0x8000) this.#uint(value, 0xd1, 2)
    else this.#uint(value, 0xd2, 4)
  }

  /** A byte string. */
  bytes(value: Uint8Array): void {
    this.#reserve(5)
    this.#sized(value.length, 0xc4)
    this.raw(value)
  }

  /** Half of a surrogate pair becomes U+FFFD. */
  string(text: string): void {
    const { length } = text
    this.#reserve(length * 3 + 5)
    if (length <= 200 && this.#ascii(text)) return
    // The header's size depends on the byte count, which is known only after encoding.
    const guess = headerBytes(length)
    const from = this.#position + guess
    const { written } = utf8.encodeInto(text, this.#bytes.subarray(from))
    const header = headerBytes(written)
    if (header > guess) {
      this.#bytes.copyWithin(this.#position + header, from, from + written)
    }
    if (header === 1) this.#bytes[this.#position++] = 0xa0 | written
    else this.#sized(written, 0xd9)
    this.#position += written
  }

  #ascii(text: string): boolean {
    const bytes = this.#bytes
    const length = text.length
    let at = this.#position
    if (length <= 31) bytes[at++] = 0xa0 | length
    else {
      bytes[at++] = 0xd9
      bytes[at++] = length
    }
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) return false
      bytes[at++] = code
    }
    this.#position = at
    return true
  }

  #container(length: number, short: number, long: number): void {
    if (length <= 15) return this.#byte(short | length)
    this.#reserve(5)
    if (length <= 0xffff) this.#uint(length, long, 2)
    else this.#uint(length, long + 1, 4)
  }

  /** In one, two or four bytes behind the first of three types. */
  #sized(value: number, type: number): void {
    if (value <= 0xff) this.#uint(value, type, 1)
    else if (value <= 0xffff) this.#uint(value, type + 1, 2)
    else this.#uint(value, type + 2, 4)
  }

  #uint(value: number, type: number, width: number): void {
    this.#bytes[this.#position++] = type
    this.#bits(value, width)
  }

  /** The lowest ones, the most significant byte first. */
  #bits(value: number, width: number): void {
    for (let shift = width * 8 - 8; shift >= 0; shift -= 8) {
      this.#bytes[this.#position++] = value >>> shift
    }
  }

  #byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#position++] = value
  }

  #reserve(length: number): void {
    if (this.#position + length <= this.#bytes.length) return
    const used = this.#position - this.#start
    const slab = new Uint8Array(Math.max(SLAB_BYTES, (used + length) * 2))
    slab.set(this.#bytes.subarray(this.#start, this.#position))
    this.#bytes = slab
    this.#start = 0
    this.#position = used
  }
}

/** A fraction or a negative number in a frame of our own is a bug: it must not reach the wire. */
export function assertInteger(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`invariant broken: ${value} is not an integer from 0 to 2^53-1`)
  }
}

const headerBytes = (length: number): number =>
  length < 0x20 ? 1 : length <= 0xff ? 2 : length <= 0xffff ? 3 : 5

const SLAB_BYTES = 16 * 1024
const utf8 = new TextEncoder()
