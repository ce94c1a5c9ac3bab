import { LogFormatError } from './log-format-error.ts'

const TWO_32 = 2 ** 32

/** Reads what `ByteWriter` wrote. Every read past the end or out of range is a `LogFormatError`. */
export class ByteReader {
  readonly #buffer: Buffer
  readonly #end: number
  #position: number

  constructor(buffer: Buffer, start: number, end: number) {
    this.#buffer = buffer
    this.#position = start
    this.#end = end
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

  u64(): number {
    const at = this.#take(8)
    const value = this.#buffer.readUInt32LE(at) + this.#buffer.readUInt32LE(at + 4) * TWO_32
    if (!Number.isSafeInteger(value)) throw new LogFormatError('a number is past 2^53-1')
    return value
  }

  /** A view, valid as long as the buffer it was read from. */
  bytes(length: number): Buffer {
    const at = this.#take(length)
    return this.#buffer.subarray(at, at + length)
  }

  hex(bytes: number): string {
    const at = this.#take(bytes)
    return this.#buffer.toString('hex', at, at + bytes)
  }

  /** Fails if anything is left: a longer body was written by code that is not this. */
  finish(): void {
    if (this.remaining > 0) throw new LogFormatError(`${this.remaining} bytes too many`)
  }

  #take(length: number): number {
    const at = this.#position
    if (length > this.#end - at) throw new LogFormatError(`cut short by ${length} bytes`)
    this.#position = at + length
    return at
  }
}
