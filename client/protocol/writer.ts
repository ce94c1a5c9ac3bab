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
    this.#reserve(1)
    this.#bytes[this.#position++] = 0xc0
  }

  boolean(value: boolean): void {
    this.#reserve(1)
    this.#bytes[this.#position++] = value ? 0xc3 : 0xc2
  }

  /** 0 to 2^53-1, in the shortest form; beyond 32 bits a u64, so that typed readers see an integer. */
  integer(value: number): void {
    assertInteger(value)
    this.#reserve(9)
    const bytes = this.#bytes
    if (value < 0x80) bytes[this.#position++] = value
    else if (value <= 0xff) {
      bytes[this.#position++] = 0xcc
      bytes[this.#position++] = value
    } else if (value <= 0xffff) {
      bytes[this.#position++] = 0xcd
      this.#u16(value)
    } else if (value <= 0xffffffff) {
      bytes[this.#position++] = 0xce
      this.#u32(value)
    } else {
      bytes[this.#position++] = 0xcf
      const high = Math.floor(value / 0x100000000)
      this.#u32(high)
      this.#u32(value - high * 0x100000000)
    }
  }

  /** Any number, as msgpackr writes it: integers of 32 bits in the shortest form, else a double. */
  number(value: number): void {
    if (value >>> 0 === value) return this.integer(value)
    this.#reserve(9)
    const bytes = this.#bytes
    if (value >> 0 !== value) {
      bytes[this.#position] = 0xcb
      new DataView(bytes.buffer).setFloat64(this.#position + 1, value)
      this.#position += 9
    } else if (value >= -0x20) bytes[this.#position++] = value
    else if (value >= -0x80) {
      bytes[this.#position++] = 0xd0
      bytes[this.#position++] = value
    } else if (value >= -0x8000) {
      bytes[this.#position++] = 0xd1
      this.#u16(value)
    } else {
      bytes[this.#position++] = 0xd2
      this.#u32(value)
    }
  }

  /** A byte string. */
  bytes(value: Uint8Array): void {
    this.#reserve(5)
    this.#length(value.length, 0xc4)
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
    else this.#length(written, 0xd9)
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
    this.#reserve(5)
    if (length <= 15) this.#bytes[this.#position++] = short | length
    else if (length <= 0xffff) {
      this.#bytes[this.#position++] = long
      this.#u16(length)
    } else {
      this.#bytes[this.#position++] = long + 1
      this.#u32(length)
    }
  }

  /** In one, two or four bytes behind the first of three types. */
  #length(length: number, type: number): void {
    if (length <= 0xff) {
      this.#bytes[this.#position++] = type
      this.#bytes[this.#position++] = length
    } else if (length <= 0xffff) {
      this.#bytes[this.#position++] = type + 1
      this.#u16(length)
    } else {
      this.#bytes[this.#position++] = type + 2
      this.#u32(length)
    }
  }

  #u16(value: number): void {
    this.#bytes[this.#position++] = value >>> 8
    this.#bytes[this.#position++] = value & 0xff
  }

  #u32(value: number): void {
    this.#bytes[this.#position++] = value >>> 24
    this.#bytes[this.#position++] = (value >>> 16) & 0xff
    this.#bytes[this.#position++] = (value >>> 8) & 0xff
    this.#bytes[this.#position++] = value & 0xff
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
