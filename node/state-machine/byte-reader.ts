import { asBuffer, assert, AssertionError } from '#cluster'
import { utf8 } from './utf8.ts'

/**
 * Reads what `ByteWriter` wrote. Reading past the end is a broken invariant, never garbage; whoever
 * reads what others wrote says what it is to them.
 */
export class ByteReader {
  readonly #buffer: Buffer
  #position: number
  readonly #end: number
  readonly #errorOf: (message: string) => Error

  constructor(
    bytes: Uint8Array,
    start = 0,
    end = bytes.length,
    errorOf: (message: string) => Error = broken,
  ) {
    this.#buffer = asBuffer(bytes)
    assert(start >= 0 && start <= end && end <= bytes.length, 'a reader stands outside its bytes')
    this.#position = start
    this.#end = end
    this.#errorOf = errorOf
  }

  get position(): number {
    return this.#position
  }

  get remaining(): number {
    return this.#end - this.#position
  }

  u8(): number {
    return this.#buffer[this.#take(1)]!
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#take(2))
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4))
  }

  u48(): number {
    return this.#buffer.readUIntLE(this.#take(6), 6)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < 8; count += 1) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw this.#errorOf('a varint is above 2^53-1')
        return value
      }
      scale *= 0x80
    }
    throw this.#errorOf('a varint is longer than 8 bytes')
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#buffer.subarray(start, start + length)
  }

  bytes(): Uint8Array {
    return this.raw(this.varint())
  }

  string(): string {
    const length = this.varint()
    const start = this.#take(length)
    return utf8(this.#buffer, start, start + length)
  }

  /** Everything was read: bytes left over mean another format. */
  end(what: string): void {
    if (this.remaining > 0) {
      throw this.#errorOf(`${what} is followed by ${this.remaining} unknown bytes`)
    }
  }

  #take(count: number): number {
    const start = this.#position
    if (count > this.#end - start) {
      throw this.#errorOf(`bytes end ${start + count - this.#end} too early`)
    }
    this.#position = start + count
    return start
  }
}

const broken = (message: string): AssertionError => new AssertionError(message)
