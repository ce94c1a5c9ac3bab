import { assert, assertSafeInteger } from '../assert.ts'
import type { RaftId } from '../raft/types.ts'
import { PeerProtocolError } from './peer-frame.ts'

const TWO_32 = 2 ** 32

/** Fills a buffer whose size is known beforehand. */
export class MessageWriter {
  readonly #buffer: Buffer
  #position = 0

  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafe(size)
  }

  u8(value: number): void {
    this.#position = this.#buffer.writeUInt8(value, this.#position)
  }

  u32(value: number): void {
    this.#position = this.#buffer.writeUInt32LE(value, this.#position)
  }

  /** A safe integer on eight bytes. */
  integer(value: number): void {
    assertSafeInteger(value, 'a number of a message')
    this.#position = this.#buffer.writeUInt32LE(value % TWO_32, this.#position)
    this.#position = this.#buffer.writeUInt32LE(Math.floor(value / TWO_32), this.#position)
  }

  boolean(value: boolean): void {
    this.u8(value ? 1 : 0)
  }

  id(id: RaftId): void {
    const written = this.#buffer.write(id, this.#position, 8, 'hex')
    assert(written === 8 && id.length === 16, `replica id must be 16 hex digits: ${id}`)
    this.#position += 8
  }

  bytes(value: Uint8Array): void {
    this.#buffer.set(value, this.#position)
    this.#position += value.length
  }

  finish(): Uint8Array {
    assert(this.#position === this.#buffer.length, 'a message has another size than computed')
    return this.#buffer
  }
}

/** Reads what `MessageWriter` wrote; every fault is a `PeerProtocolError`. */
export class MessageReader {
  readonly #buffer: Buffer
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.#buffer.length - this.#position
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#take(1))
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4))
  }

  integer(): number {
    const at = this.#take(8)
    const high = this.#buffer.readUInt32LE(at + 4)
    if (high >= 2 ** 21) throw new PeerProtocolError('a number is past 2^53-1')
    return this.#buffer.readUInt32LE(at) + high * TWO_32
  }

  boolean(): boolean {
    const value = this.u8()
    if (value > 1) throw new PeerProtocolError(`${value} is neither true nor false`)
    return value === 1
  }

  id(): RaftId {
    const at = this.#take(8)
    return this.#buffer.toString('hex', at, at + 8)
  }

  /** A view, valid as long as the bytes it was read from. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#buffer.subarray(at, at + length)
  }

  finish(): void {
    if (this.remaining > 0) {
      throw new PeerProtocolError(`a message is followed by ${this.remaining} bytes too many`)
    }
  }

  #take(length: number): number {
    const at = this.#position
    if (length > this.remaining) throw new PeerProtocolError('a message is cut short')
    this.#position = at + length
    return at
  }
}
