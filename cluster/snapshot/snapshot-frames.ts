import { asBuffer } from '../as-buffer.ts'
import { ByteReader } from '../byte-reader.ts'
import { integer, object, oneOf, readJson } from '../json-shape.ts'
import { configurationShape } from '../raft/configuration.ts'
import type { SnapshotMeta } from '../raft/types.ts'
import { checkedConfiguration } from '../transport/checked-configuration.ts'
import { PeerFrameKind, PeerProtocolError } from '../transport/peer-frame.ts'
import { PeerFrameWriter } from '../transport/peer-frame-writer.ts'

/** Announces a snapshot; the receiver answers with the offset to go on from. */
export interface SnapshotOffer {
  /** Names the stream: the same id after a broken link goes on where it stopped. */
  readonly id: number
  /** The sender's Raft term. */
  readonly term: number
  readonly meta: SnapshotMeta
}

export interface SnapshotAck {
  readonly id: number
  /** Bytes taken so far. */
  readonly offset: number
  /** `failed`: give up this stream, the log decides what comes next. */
  readonly state: 'more' | 'done' | 'failed'
}

export interface SnapshotChunk {
  readonly id: number
  readonly offset: number
  readonly last: boolean
  readonly bytes: Uint8Array
}

const OFFER = object<SnapshotOffer>({
  id: integer(),
  term: integer(1),
  meta: object<SnapshotMeta>({
    index: integer(1),
    term: integer(1),
    configuration: configurationShape,
  }),
})

const ACK = object<SnapshotAck>({
  id: integer(),
  offset: integer(),
  state: oneOf('more', 'done', 'failed'),
})

/** @throws PeerProtocolError */
export function decodeOffer(body: Uint8Array): SnapshotOffer {
  const offer = readJson(body, OFFER, malformed('offer'))
  if (offer.meta.term > offer.term) throw malformed('offer')('it is of a term to come')
  checkedConfiguration(offer.meta.configuration)
  return offer
}

/** @throws PeerProtocolError */
export function decodeAck(body: Uint8Array): SnapshotAck {
  return readJson(body, ACK, malformed('acknowledgement'))
}

const CHUNK_HEADER_BYTES = 8 + 8 + 1

/** The whole peer frame: u64 id, u64 offset, u8 last, bytes. */
export function encodeChunk(chunk: SnapshotChunk): Uint8Array {
  const bytes = CHUNK_HEADER_BYTES + chunk.bytes.length
  const writer = new PeerFrameWriter(PeerFrameKind.snapshotChunk, bytes)
  writer.u64(chunk.id)
  writer.u64(chunk.offset)
  writer.boolean(chunk.last)
  writer.bytes(chunk.bytes)
  return writer.finish()
}

/**
 * The chunk's bytes are a view into `body`.
 *
 * @throws PeerProtocolError
 */
export function decodeChunk(body: Uint8Array): SnapshotChunk {
  const buffer = asBuffer(body)
  const reader = new ByteReader(buffer, 0, buffer.length, malformed('chunk'))
  const id = reader.u64()
  const offset = reader.u64()
  const last = reader.boolean()
  const bytes = reader.bytes(reader.remaining)
  if (bytes.length === 0 && !last) throw malformed('chunk')('it holds nothing')
  return { id, offset, last, bytes }
}

function malformed(what: string): (why: string) => PeerProtocolError {
  return (why) => new PeerProtocolError(`a snapshot ${what} is malformed: ${why}`)
}
