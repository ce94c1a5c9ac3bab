import {
  array,
  encodePeerFrame,
  integer,
  object,
  PeerFrameKind,
  PeerProtocolError,
  type RaftId,
  readJson,
  text,
} from '#cluster'
import { ByteReader } from '../state-machine/byte-reader.ts'
import { ByteWriter } from '../state-machine/byte-writer.ts'
import type { Signal, StampedSignal } from './signal.ts'

/** Which nodes give signals their order, as the leader of `term` says for the `version`-th time. */
export interface Routes {
  readonly term: number
  readonly version: number
  readonly nodes: readonly RaftId[]
}

const MAX_NODES = 64
const ROUTES = object<Routes>({
  term: integer(1),
  version: integer(1),
  nodes: array(text(64), MAX_NODES),
})

/** @throws PeerProtocolError */
export function decodeRoutes(body: Uint8Array): Routes {
  return readJson(body, ROUTES, (why) => new PeerProtocolError(`routes are malformed: ${why}`))
}

/** For the node that orders it. */
export function encodeSignal(signal: Signal): Uint8Array {
  return encodePeerFrame(PeerFrameKind.signal, write(new ByteWriter(256), signal))
}

/** For every node, once it is ordered. */
export function encodeStamped({ stamp, signal }: StampedSignal): Uint8Array {
  const writer = new ByteWriter(256).varint(stamp.term).varint(stamp.version).varint(stamp.n)
  return encodePeerFrame(PeerFrameKind.stampedSignal, write(writer, signal))
}

/** @throws PeerProtocolError */
export function decodeSignal(body: Uint8Array): Signal {
  const reader = readerOf(body)
  const signal = read(reader)
  reader.end('a signal')
  return signal
}

/** @throws PeerProtocolError */
export function decodeStamped(body: Uint8Array): StampedSignal {
  const reader = readerOf(body)
  const stamp = { term: reader.varint(), version: reader.varint(), n: reader.varint() }
  const signal = read(reader)
  reader.end('a signal')
  return { stamp, signal }
}

function write(writer: ByteWriter, signal: Signal): Uint8Array {
  const { conv, to, from, device, session, sessionWall, n, ttlMs, name, body } = signal
  writer.u8(conv === null ? 0 : 1).string(conv ?? to!)
  writer.string(from).string(device).varint(session).varint(sessionWall)
  writer.varint(n).varint(ttlMs).string(name)
  return writer.bytes(body).toBytes()
}

function read(reader: ByteReader): Signal {
  const isConversation = reader.u8() === 1
  const target = reader.string()
  return {
    conv: isConversation ? target : null,
    to: isConversation ? null : target,
    from: reader.string(),
    device: reader.string(),
    session: reader.varint(),
    sessionWall: reader.varint(),
    n: reader.varint(),
    ttlMs: reader.varint(),
    name: reader.string(),
    // The frame's buffer is reused as soon as this returns.
    body: reader.bytes().slice(),
  }
}

function readerOf(body: Uint8Array): ByteReader {
  const errorOf = (why: string) => new PeerProtocolError(`a signal is malformed: ${why}`)
  return new ByteReader(body, 0, body.length, errorOf)
}
