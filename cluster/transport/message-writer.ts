import { assert, assertSafeInteger } from '../assert.ts'
import type { RaftId } from '../raft/types.ts'

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
  u64(value: number): void {
    assertSafeInteger(value, 'a number of a message')
    this.#position = this.#buffer.writeUInt32LE(value % TWO_32, this.#position)
    this.#position = this.#buffer.writeUInt32LE(Math.floor(value / TWO_32), this.#position)
  }

  boolean(value: boolean): void {
    this.u8(value ? 1 : 0)
  }

  /** A Raft id. */
  hex(id: RaftId): void {
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
