import { assert, assertSafeInteger } from '../assert.ts'
import { checksumOf } from '../checksum.ts'
import type { RaftId } from '../raft/types.ts'
import { writeShortId } from '../short-id.ts'
import { FRAME_HEADER_BYTES, type PeerFrameKind } from './peer-frame.ts'

const TWO_32 = 2 ** 32

/** Writes one peer frame where it will be sent from: its body's size is known beforehand. */
export class PeerFrameWriter {
  readonly #kind: PeerFrameKind
  readonly #frame: Buffer
  #position = FRAME_HEADER_BYTES

  constructor(kind: PeerFrameKind, bodyBytes: number) {
    this.#kind = kind
    this.#frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + bodyBytes)
  }

  u8(value: number): void {
    this.#position = this.#frame.writeUInt8(value, this.#position)
  }

  u32(value: number): void {
    this.#position = this.#frame.writeUInt32LE(value, this.#position)
  }

  /** A safe integer on eight bytes. */
  u64(value: number): void {
    assertSafeInteger(value, 'a number of a message')
    this.#position = this.#frame.writeUInt32LE(value % TWO_32, this.#position)
    this.#position = this.#frame.writeUInt32LE(Math.floor(value / TWO_32), this.#position)
  }

  boolean(value: boolean): void {
    this.u8(value ? 1 : 0)
  }

  /** A Raft id. */
  hex(id: RaftId): void {
    const written = writeShortId(this.#frame, this.#position, id)
    assert(written, `replica id must be 16 hex digits: ${id}`)
    this.#position += 8
  }

  bytes(value: Uint8Array): void {
    this.#frame.set(value, this.#position)
    this.#position += value.length
  }

  /** The whole frame, with its checksum. Nothing is written to it any more: it may go to many. */
  finish(): Uint8Array {
    assert(this.#position === this.#frame.length, 'a frame has another size than computed')
    this.#frame.writeUInt32LE(this.#frame.length - 4, 0)
    this.#frame[8] = this.#kind
    this.#frame.writeUInt32LE(checksumOf(this.#frame, 8, this.#frame.length), 4)
    return this.#frame
  }
}

export function encodePeerFrame(kind: PeerFrameKind, body: Uint8Array): Uint8Array {
  const writer = new PeerFrameWriter(kind, body.length)
  writer.bytes(body)
  return writer.finish()
}

export function encodeJsonFrame(kind: PeerFrameKind, value: unknown): Uint8Array {
  return encodePeerFrame(kind, new TextEncoder().encode(JSON.stringify(value)))
}
