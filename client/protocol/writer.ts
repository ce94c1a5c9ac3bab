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
    this.#reserve(3)
    if (length <= 15) this.#bytes[this.#position++] = 0x80 | length
    else {
      this.#bytes[this.#position++] = 0xde
      this.#u16(length)
    }
  }

  array(length: number): void {
    this.#reserve(5)
    if (length <= 15) this.#bytes[this.#position++] = 0x90 | length
    else if (length <= 0xffff) {
      this.#bytes[this.#position++] = 0xdc
      this.#u16(length)
    } else {
      this.#bytes[this.#position++] = 0xdd
      this.#u32(length)
    }
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

  string(text: string): void {
    const length = text.length
    this.#reserve(length * 3 + 5)
    if (length <= 200 && this.#ascii(text)) return
    // The header's size depends on the byte count, which is known only after encoding.
    const header = length * 3 <= 0xff ? 2 : length * 3 <= 0xffff ? 3 : 5
    const from = this.#position + header
    const { written } = utf8.encodeInto(text, this.#bytes.subarray(from))
    this.#stringHeader(header, written)
    this.#position = from + written
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

  #stringHeader(header: number, length: number): void {
    if (header === 2) {
      this.#bytes[this.#position++] = 0xd9
      this.#bytes[this.#position++] = length
    } else if (header === 3) {
      this.#bytes[this.#position++] = 0xda
      this.#u16(length)
    } else {
      this.#bytes[this.#position++] = 0xdb
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

const SLAB_BYTES = 16 * 1024
const utf8 = new TextEncoder()
