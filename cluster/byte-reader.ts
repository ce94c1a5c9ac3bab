import { readShortId } from './short-id.ts'

const TWO_32 = 2 ** 32

/**
 * Reads little-endian fields one after the other. Whatever the bytes are, the only error is the one
 * that the caller makes of a sentence: past the end, out of range, bytes left over.
 */
export class ByteReader {
  readonly #buffer: Buffer
  readonly #end: number
  readonly #errorOf: (message: string) => Error
  #position: number

  constructor(buffer: Buffer, start: number, end: number, errorOf: (message: string) => Error) {
    this.#buffer = buffer
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
    return this.#buffer.readUInt8(this.#take(1))
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4))
  }

  /** A safe integer on eight bytes. */
  u64(): number {
    const at = this.#take(8)
    const value = this.#buffer.readUInt32LE(at) + this.#buffer.readUInt32LE(at + 4) * TWO_32
    if (!Number.isSafeInteger(value)) throw this.#errorOf('a number is past 2^53-1')
    return value
  }

  boolean(): boolean {
    const value = this.u8()
    if (value > 1) throw this.#errorOf(`${value} is neither true nor false`)
    return value === 1
  }

  /** A view, valid as long as the buffer it was read from. */
  bytes(length: number): Buffer {
    const at = this.#take(length)
    return this.#buffer.subarray(at, at + length)
  }

  /** Two digits for each byte. */
  hex(bytes: number): string {
    const at = this.#take(bytes)
    if (bytes === 8) return readShortId(this.#buffer, at)
    return this.#buffer.toString('hex', at, at + bytes)
  }

  /** Fails if anything is left: a longer body was written by code that is not this. */
  finish(): void {
    if (this.remaining > 0) throw this.#errorOf(`${this.remaining} bytes too many`)
  }

  #take(length: number): number {
    const at = this.#position
    if (length > this.#end - at) throw this.#errorOf(`cut short by ${length} bytes`)
    this.#position = at + length
    return at
  }
}
