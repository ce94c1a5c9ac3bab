import { assertSafeInteger, unreachable } from '../assert.ts'
import { asBuffer } from '../as-buffer.ts'
import { ByteReader } from '../byte-reader.ts'
import type { AppendMessage, Message, SnapshotMessage } from '../raft/messages.ts'
import { type Entry, EntryType, type RaftId } from '../raft/types.ts'
import { decodeCheckedConfiguration } from './checked-configuration.ts'
import { PeerFrameKind, PeerProtocolError } from './peer-frame.ts'
import { PeerFrameWriter } from './peer-frame-writer.ts'

/** What travels: of a snapshot the core sees only the name, and its frames are others. */
export type PeerMessage = Exclude<Message, SnapshotMessage>
type PeerMessageType = PeerMessage['type']

/**
 * A Raft message as bytes. Integers are little-endian; `n` is an integer below 2^53 on 8 bytes.
 *
 *     u8 version   u8 type   u32 group   8 from   8 to (but of append)   n term   body of the type
 *
 *     append             n prevIndex, n prevTerm, n commit, u32 count, count entries:
 *                        n term, n index, u8 type, u32 length, data
 *     appendResponse     n index, u8 rejected, n hintIndex, n hintTerm, n lastIndex
 *     heartbeat          n commit, n acknowledged, n readId
 *     heartbeatResponse  n readId
 *     commit             n commit
 *     preVote, vote      n lastIndex, n lastTerm, u8 transfer
 *     …VoteResponse      u8 rejected
 *     readIndex          n readId
 *     readIndexResponse  n readId, n index
 *
 * An append does not say to whom, so that the same bytes go to all who lack the same entries: the
 * introductions on the connection do (rule K1). Numbers of types are never given to another type,
 * another layout of a type is another number: 1 and 10 were used before.
 */
const VERSION = 1

const TYPE_CODES: Readonly<Record<PeerMessageType, number>> = {
  append: 14,
  appendResponse: 2,
  heartbeat: 3,
  heartbeatResponse: 4,
  commit: 5,
  preVote: 6,
  preVoteResponse: 7,
  vote: 8,
  voteResponse: 9,
  timeoutNow: 11,
  readIndex: 12,
  readIndexResponse: 13,
}

const TYPES = new Map(
  Object.entries(TYPE_CODES).map(([type, code]) => [code, type as PeerMessageType]),
)

const HEADER_BYTES = 1 + 1 + 4 + 8 + 8
const RECEIVER_BYTES = 8
const ENTRY_BYTES = 8 + 8 + 1 + 4

export interface DecodedMessage {
  readonly message: PeerMessage
  readonly groupId: number
}

/** The whole peer frame: one allocation, entries' data copied once. */
export function encodeMessage(message: PeerMessage, groupId: number): Uint8Array {
  assertSafeInteger(groupId, 'groupId')
  const writer = new PeerFrameWriter(PeerFrameKind.raft, HEADER_BYTES + bodySize(message))
  writer.u8(VERSION)
  writer.u8(TYPE_CODES[message.type])
  writer.u32(groupId)
  writer.hex(message.from)
  if (message.type !== 'append') writer.hex(message.to)
  writer.u64(message.term)
  writeBody(writer, message)
  return writer.finish()
}

/**
 * Reads the body of a frame that reached `receiver`. Entries' data are views into `bytes`. Whatever
 * the bytes are, the only error is `PeerProtocolError`, and no more is allocated than they are long.
 */
export function decodeMessage(bytes: Uint8Array, receiver: RaftId): DecodedMessage {
  const buffer = asBuffer(bytes)
  const reader = new ByteReader(buffer, 0, buffer.length, malformed)
  const version = reader.u8()
  if (version !== VERSION) throw new PeerProtocolError(`message version ${version} is unknown`)
  const code = reader.u8()
  const type = TYPES.get(code)
  if (type === undefined) throw new PeerProtocolError(`message type ${code} is unknown`)
  const groupId = reader.u32()
  const from = reader.hex(8)
  const to = type === 'append' ? receiver : reader.hex(8)
  const message = readMessage(reader, type, { from, to, term: reader.u64() })
  reader.finish()
  return { message, groupId }
}

const malformed = (message: string) => new PeerProtocolError(`a message is malformed: ${message}`)

/** What stands beside version, type, group, sender and term. */
function bodySize(message: PeerMessage): number {
  if (message.type !== 'append') return RECEIVER_BYTES + fieldsSize(message)
  let size = 28 + message.entries.length * ENTRY_BYTES
  for (const entry of message.entries) size += entry.data.length
  return size
}

function fieldsSize(message: Exclude<PeerMessage, AppendMessage>): number {
  switch (message.type) {
    case 'appendResponse':
      return 33
    case 'heartbeat':
      return 24
    case 'heartbeatResponse':
    case 'commit':
    case 'readIndex':
      return 8
    case 'preVote':
    case 'vote':
      return 17
    case 'preVoteResponse':
    case 'voteResponse':
      return 1
    case 'timeoutNow':
      return 0
    case 'readIndexResponse':
      return 16
    default:
      return unreachable(message, 'message')
  }
}

function writeBody(writer: PeerFrameWriter, message: PeerMessage): void {
  switch (message.type) {
    case 'append':
      writeAppend(writer, message)
      return
    case 'appendResponse':
      writer.u64(message.index)
      writer.boolean(message.rejected)
      writer.u64(message.hintIndex)
      writer.u64(message.hintTerm)
      writer.u64(message.lastIndex)
      return
    case 'heartbeat':
      writer.u64(message.commit)
      writer.u64(message.acknowledged)
      writer.u64(message.readId)
      return
    case 'commit':
      writer.u64(message.commit)
      return
    case 'preVote':
    case 'vote':
      writer.u64(message.lastIndex)
      writer.u64(message.lastTerm)
      writer.boolean(message.transfer)
      return
    case 'preVoteResponse':
    case 'voteResponse':
      writer.boolean(message.rejected)
      return
    case 'timeoutNow':
      return
    case 'heartbeatResponse':
    case 'readIndex':
      writer.u64(message.readId)
      return
    case 'readIndexResponse':
      writer.u64(message.readId)
      writer.u64(message.index)
      return
    default:
      unreachable(message, 'message')
  }
}

function writeAppend(writer: PeerFrameWriter, message: AppendMessage): void {
  writer.u64(message.prevIndex)
  writer.u64(message.prevTerm)
  writer.u64(message.commit)
  writer.u32(message.entries.length)
  for (const entry of message.entries) {
    writer.u64(entry.term)
    writer.u64(entry.index)
    writer.u8(entry.type)
    writer.u32(entry.data.length)
    writer.bytes(entry.data)
  }
}

interface Envelope {
  readonly from: string
  readonly to: string
  readonly term: number
}

/** Its fields are named one by one: to spread the envelope takes longer than to read the rest. */
function readMessage(reader: ByteReader, type: PeerMessageType, envelope: Envelope): PeerMessage {
  const { from, to, term } = envelope
  switch (type) {
    case 'append':
      return readAppend(reader, envelope)
    case 'appendResponse': {
      const index = reader.u64()
      const rejected = reader.boolean()
      const hintIndex = reader.u64()
      const hintTerm = reader.u64()
      const lastIndex = reader.u64()
      return { type, from, to, term, index, rejected, hintIndex, hintTerm, lastIndex }
    }
    case 'heartbeat': {
      const commit = reader.u64()
      const acknowledged = reader.u64()
      // Beyond it the core, whose log may end there, would find no entry to commit.
      if (commit > acknowledged) throw malformed(`commit ${commit} is not acknowledged`)
      return { type, from, to, term, commit, acknowledged, readId: reader.u64() }
    }
    case 'commit':
      return { type, from, to, term, commit: reader.u64() }
    case 'preVote':
    case 'vote': {
      const lastIndex = reader.u64()
      const lastTerm = reader.u64()
      return { type, from, to, term, lastIndex, lastTerm, transfer: reader.boolean() }
    }
    case 'preVoteResponse':
    case 'voteResponse':
      return { type, from, to, term, rejected: reader.boolean() }
    case 'timeoutNow':
      return { type, from, to, term }
    case 'heartbeatResponse':
    case 'readIndex':
      return { type, from, to, term, readId: reader.u64() }
    case 'readIndexResponse': {
      const readId = reader.u64()
      return { type, from, to, term, readId, index: reader.u64() }
    }
    default:
      return unreachable(type, 'message type')
  }
}

function readAppend(reader: ByteReader, envelope: Envelope): AppendMessage {
  const prevIndex = reader.u64()
  const prevTerm = reader.u64()
  const commit = reader.u64()
  const count = reader.u32()
  if (count * ENTRY_BYTES > reader.remaining) {
    throw new PeerProtocolError(`${count} entries cannot be in ${reader.remaining} bytes`)
  }
  const entries: Entry[] = []
  let lastTerm = prevTerm
  for (let i = 0; i < count; i++) {
    const term = reader.u64()
    const index = reader.u64()
    const type = reader.u8()
    if (type !== EntryType.normal && type !== EntryType.configuration) {
      throw new PeerProtocolError(`entry type ${type} is unknown`)
    }
    // The core takes this for granted; a peer must not be able to stop it.
    if (index !== prevIndex + 1 + i || term < lastTerm || term > envelope.term) {
      throw new PeerProtocolError(`entry ${index} of term ${term} is out of order`)
    }
    lastTerm = term
    const data = reader.bytes(reader.u32())
    if (type === EntryType.configuration) decodeCheckedConfiguration(data)
    entries.push({ term, index, type, data })
  }
  const { from, to } = envelope
  return { type: 'append', from, to, term: envelope.term, prevIndex, prevTerm, commit, entries }
}
