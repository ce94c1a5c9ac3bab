import { decodeConfiguration, encodeConfiguration } from '../raft/configuration.ts'
import type { SnapshotMeta } from '../raft/types.ts'
import { decodeJson, PeerProtocolError } from '../transport/peer-frame.ts'

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

export function offerToJson(offer: SnapshotOffer): unknown {
  const configuration = new TextDecoder().decode(encodeConfiguration(offer.meta.configuration))
  return { ...offer, meta: { ...offer.meta, configuration } }
}

export function decodeOffer(body: Uint8Array): SnapshotOffer {
  const value = decodeJson(body) as {
    id: number
    term: number
    meta: { index: number; term: number; configuration: string }
  }
  const numbers = [value?.id, value?.term, value?.meta?.index, value?.meta?.term]
  if (!numbers.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new PeerProtocolError('a snapshot offer is malformed')
  }
  const configuration = decodeConfiguration(new TextEncoder().encode(value.meta.configuration))
  return { ...value, meta: { ...value.meta, configuration } }
}

export function decodeAck(body: Uint8Array): SnapshotAck {
  const value = decodeJson(body) as SnapshotAck
  if (!Number.isSafeInteger(value?.id) || !Number.isSafeInteger(value.offset)) {
    throw new PeerProtocolError('a snapshot acknowledgement is malformed')
  }
  return value
}

const CHUNK_HEADER_BYTES = 13

/** u48 id, u48 offset, u8 last, bytes; the peer frame around it carries the checksum. */
export function encodeChunk(chunk: SnapshotChunk): Uint8Array {
  const body = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + chunk.bytes.length)
  body.writeUIntLE(chunk.id, 0, 6)
  body.writeUIntLE(chunk.offset, 6, 6)
  body[12] = chunk.last ? 1 : 0
  body.set(chunk.bytes, CHUNK_HEADER_BYTES)
  return body
}

export function decodeChunk(body: Uint8Array): SnapshotChunk {
  if (body.length < CHUNK_HEADER_BYTES) throw new PeerProtocolError('a snapshot chunk is too short')
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return {
    id: buffer.readUIntLE(0, 6),
    offset: buffer.readUIntLE(6, 6),
    last: buffer[12] === 1,
    bytes: buffer.subarray(CHUNK_HEADER_BYTES),
  }
}
