import { crc32c } from '@node-rs/crc32'
import { createHash, type Hash } from 'node:crypto'
import { AssertionError } from '#cluster'
import type { CutPosition, Pair } from '../store/store.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

/**
 * A snapshot as a stream of frames, format 1 (rule K6):
 *
 *     u32 length of the payload   u32 CRC32C of the payload   payload
 *
 * A payload is a byte for its kind, then
 *
 *     1 head: u8 format, varint index, varint term
 *     2 pairs: (varint length, key, varint length, value) …
 *     3 end: varint number of pairs, SHA-256 over every byte before this frame
 *
 * The same cut always gives the same bytes, so that a broken stream goes on at any offset.
 */
const FORMAT = 1
const FRAME_BYTES = 256 * 1024
/** A frame holds at least one pair, and pairs are below 1,000,000 bytes. */
const MAX_PAYLOAD_BYTES = 2 * 1024 * 1024
const Kind = { head: 1, pairs: 2, end: 3 } as const

/** The stream is not what the sender had. Nothing of it may be used; ask for it anew. */
export class SnapshotDamagedError extends Error {
  override readonly name = 'SnapshotDamagedError'
  readonly code = 'SNAPSHOT_DAMAGED'
}

export async function* encodeSnapshot(
  cut: CutPosition,
  pairs: AsyncIterable<Pair>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  const writer = new ByteWriter(FRAME_BYTES * 2)
  const finish = (): Uint8Array => {
    const bytes = frame(writer)
    hash.update(bytes)
    return bytes
  }
  writer.u8(Kind.head).u8(FORMAT).varint(cut.index).varint(cut.term)
  yield finish()
  let count = 0
  for await (const { key, value } of pairs) {
    if (writer.length === 0) writer.u8(Kind.pairs)
    writer.bytes(key).bytes(value)
    count += 1
    if (writer.length >= FRAME_BYTES) yield finish()
  }
  if (writer.length > 0) yield finish()
  writer.u8(Kind.end).varint(count).raw(hash.digest())
  yield frame(writer)
}

/** Takes the stream in pieces of any size and gives out its pairs, each frame verified first. */
export class SnapshotDecoder {
  /** Bytes not yet made into a frame, in the pieces that they came in. */
  #pieces: Uint8Array[] = []
  #pending = 0
  #count = 0
  #state: 'head' | 'pairs' | 'end' = 'head'
  readonly #expected: CutPosition
  readonly #hash: Hash = createHash('sha256')

  constructor(expected: CutPosition) {
    this.#expected = expected
  }

  /** The closing frame was read and everything before it was whole. */
  get complete(): boolean {
    return this.#state === 'end'
  }

  /** The pairs that became whole with these bytes. Throws `SnapshotDamagedError`. */
  push(bytes: Uint8Array): Pair[] {
    if (this.complete && bytes.length > 0) throw damaged('bytes follow its end')
    this.#pieces.push(bytes)
    this.#pending += bytes.length
    const pairs: Pair[] = []
    for (;;) {
      if (this.#pending < 8) return pairs
      const length = Buffer.from(this.#peek(8)).readUInt32LE(0)
      if (length === 0 || length > MAX_PAYLOAD_BYTES) throw damaged(`a frame of ${length} bytes`)
      if (this.#pending < 8 + length) return pairs
      this.#read(this.#take(8 + length), pairs)
      if (this.complete && this.#pending > 0) throw damaged('bytes follow its end')
    }
  }

  /** A frame that ends within a field came from a peer: no bug of this program. */
  #read(bytes: Buffer, pairs: Pair[]): void {
    try {
      this.#frame(bytes, pairs)
    } catch (cause) {
      if (cause instanceof AssertionError) throw damaged(cause.message)
      throw cause
    }
  }

  #frame(bytes: Buffer, pairs: Pair[]): void {
    const payload = bytes.subarray(8)
    if (crc32c(payload) >>> 0 !== bytes.readUInt32LE(4)) throw damaged('a checksum is wrong')
    const reader = new ByteReader(payload, 0, payload.length, damaged)
    const kind = reader.u8()
    if (this.#state === 'head') {
      if (kind !== Kind.head || reader.u8() !== FORMAT) throw damaged('its format is unknown')
      const { index, term } = this.#expected
      if (reader.varint() !== index || reader.varint() !== term) {
        throw damaged(`it is not the one of index ${index} that was announced`)
      }
      this.#state = 'pairs'
    } else if (kind === Kind.pairs) {
      while (reader.remaining > 0) {
        pairs.push({ key: reader.bytes(), value: reader.bytes() })
        this.#count += 1
      }
    } else if (kind === Kind.end) {
      const isWhole = reader.varint() === this.#count
      if (!isWhole || Buffer.compare(reader.raw(32), this.#hash.digest()) !== 0) {
        throw damaged('its hash is wrong')
      }
      reader.end('its last frame')
      this.#state = 'end'
      return
    } else throw damaged(`a frame of kind ${kind}`)
    this.#hash.update(bytes)
  }

  #peek(count: number): Uint8Array {
    const first = this.#pieces[0]!
    if (first.length >= count) return first.subarray(0, count)
    this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0]!.subarray(0, count)
  }

  #take(count: number): Buffer {
    if (this.#pieces[0]!.length < count) this.#pieces = [Buffer.concat(this.#pieces)]
    const first = this.#pieces[0]!
    const taken = Buffer.from(first.buffer, first.byteOffset, count)
    if (first.length === count) this.#pieces.shift()
    else this.#pieces[0] = first.subarray(count)
    this.#pending -= count
    return taken
  }
}

function frame(writer: ByteWriter): Uint8Array {
  const payload = writer.toBytes()
  writer.clear()
  const bytes = Buffer.allocUnsafeSlow(8 + payload.length)
  bytes.writeUInt32LE(payload.length, 0)
  bytes.writeUInt32LE(crc32c(payload) >>> 0, 4)
  bytes.set(payload, 8)
  return bytes
}

function damaged(what: string): SnapshotDamagedError {
  return new SnapshotDamagedError(`the snapshot cannot be used: ${what}`)
}
