import { assert, assertSafeInteger } from '#cluster'

/**
 * Appends integers, strings and bytes to one growing buffer: the mirror of `ByteReader`. Fixed-width
 * integers are little-endian; `varint` takes 7 bits per byte, lowest first, up to 2^53-1.
 */
export class ByteWriter {
  #buffer: Buffer
  #length = 0

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** Starts again at the front; what `toBytes` gave out before is not touched. */
  clear(): void {
    this.#length = 0
  }

  /** A copy of everything written. Small ones share a slab: not for what stays long. */
  toBytes(): Uint8Array {
    const length = this.#length
    // An array of its own costs the allocator and the collector more than the copy does.
    const bytes = length < 1024 ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length)
    this.#buffer.copy(bytes, 0, 0, length)
    return bytes
  }

  u8(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xff, `${value} is no u8`)
    this.#reserve(1)
    this.#buffer[this.#length++] = value
    return this
  }

  u16(value: number): this {
    this.#reserve(2)
    this.#length = this.#buffer.writeUInt16LE(value, this.#length)
    return this
  }

  u32(value: number): this {
    this.#reserve(4)
    this.#length = this.#buffer.writeUInt32LE(value, this.#length)
    return this
  }

  u48(value: number): this {
    this.#reserve(6)
    this.#length = this.#buffer.writeUIntLE(value, this.#length, 6)
    return this
  }

  varint(value: number): this {
    assertSafeInteger(value, 'varint')
    this.#reserve(8)
    let rest = value
    while (rest > 0x7f) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#length++] = rest
    return this
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /** A varint length, then the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes)
  }

  /** A varint length in bytes, then UTF-8. */
  string(text: string): this {
    const length = Buffer.byteLength(text)
    return this.varint(length).text(text, length)
  }

  /** UTF-8 alone, for a length already written. */
  text(text: string, length: number): this {
    this.#reserve(length)
    this.#length += this.#buffer.write(text, this.#length, 'utf8')
    return this
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + count))
    larger.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = larger
  }
}
