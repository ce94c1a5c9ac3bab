import { assert, assertSafeInteger, unreachable } from '../assert.ts'
import { ByteReader } from '../byte-reader.ts'
import { decodeConfiguration, encodeConfiguration } from '../raft/configuration.ts'
import type { AppendMessage, Message, MessageType } from '../raft/messages.ts'
import type { Entry, SnapshotMeta } from '../raft/types.ts'
import { MessageWriter } from './message-writer.ts'
import { PeerProtocolError } from './peer-frame.ts'

/**
 * A Raft message as bytes. Integers are little-endian; `n` is an integer below 2^53 on 8 bytes.
 *
 *     u8 version   u8 type   u32 group   8 from   8 to   n term   body of the type
 *
 *     append             n prevIndex, n prevTerm, n commit, u32 count, count entries:
 *                        n term, n index, u8 type, u32 length, data
 *     appendResponse     n index, u8 rejected, n hintIndex, n hintTerm, n lastIndex
 *     heartbeat          n commit, n acknowledged, n readId
 *     heartbeatResponse  n readId
 *     commit             n commit
 *     preVote, vote      n lastIndex, n lastTerm, u8 transfer
 *     …VoteResponse      u8 rejected
 *     snapshot           n index, n term, u32 length, configuration
 *     readIndex          n readId
 *     readIndexResponse  n readId, n index
 *
 * Numbers of types are never given to another type; another layout of a type is another number.
 */
const VERSION = 1

const TYPE_CODES: Readonly<Record<MessageType, number>> = {
  append: 1,
  appendResponse: 2,
  heartbeat: 3,
  heartbeatResponse: 4,
  commit: 5,
  preVote: 6,
  preVoteResponse: 7,
  vote: 8,
  voteResponse: 9,
  snapshot: 10,
  timeoutNow: 11,
  readIndex: 12,
  readIndexResponse: 13,
}

const TYPES = new Map(Object.entries(TYPE_CODES).map(([type, code]) => [code, type as MessageType]))

const HEADER_BYTES = 1 + 1 + 4 + 8 + 8 + 8
const ENTRY_BYTES = 8 + 8 + 1 + 4

export interface DecodedMessage {
  readonly message: Message
  readonly groupId: number
}

/** One allocation of the right size; entries' data is copied once. */
export function encodeMessage(message: Message, groupId: number): Uint8Array {
  const configuration =
    message.type === 'snapshot' ? encodeConfiguration(message.snapshot.configuration) : NO_BYTES
  const writer = new MessageWriter(HEADER_BYTES + bodySize(message, configuration))
  assertSafeInteger(groupId, 'groupId')
  writer.u8(VERSION)
  writer.u8(TYPE_CODES[message.type])
  writer.u32(groupId)
  writer.hex(message.from)
  writer.hex(message.to)
  writer.u64(message.term)
  writeBody(writer, message, configuration)
  return writer.finish()
}

/**
 * Entries' data are views into `bytes`. Whatever the bytes are, the only error is
 * `PeerProtocolError`, and no more is allocated than they are long.
 */
export function decodeMessage(bytes: Uint8Array): DecodedMessage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const reader = new ByteReader(buffer, 0, buffer.length, malformed)
  const version = reader.u8()
  if (version !== VERSION) throw new PeerProtocolError(`message version ${version} is unknown`)
  const code = reader.u8()
  const type = TYPES.get(code)
  if (type === undefined) throw new PeerProtocolError(`message type ${code} is unknown`)
  const groupId = reader.u32()
  const envelope = { from: reader.hex(8), to: reader.hex(8), term: reader.u64() }
  const message = readMessage(reader, type, envelope)
  reader.finish()
  return { message, groupId }
}

const malformed = (message: string) => new PeerProtocolError(`a message is malformed: ${message}`)
const NO_BYTES = new Uint8Array(0)

function bodySize(message: Message, configuration: Uint8Array): number {
  switch (message.type) {
    case 'append': {
      let size = 28 + message.entries.length * ENTRY_BYTES
      for (const entry of message.entries) size += entry.data.length
      return size
    }
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
    case 'snapshot':
      return 20 + configuration.length
    case 'timeoutNow':
      return 0
    case 'readIndexResponse':
      return 16
    default:
      return unreachable(message, 'message')
  }
}

function writeBody(writer: MessageWriter, message: Message, configuration: Uint8Array): void {
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
    case 'snapshot':
      writer.u64(message.snapshot.index)
      writer.u64(message.snapshot.term)
      writer.u32(configuration.length)
      writer.bytes(configuration)
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

function writeAppend(writer: MessageWriter, message: AppendMessage): void {
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

function readMessage(reader: ByteReader, type: MessageType, envelope: Envelope): Message {
  switch (type) {
    case 'append':
      return readAppend(reader, envelope)
    case 'appendResponse': {
      const index = reader.u64()
      const rejected = reader.boolean()
      const hintIndex = reader.u64()
      const hintTerm = reader.u64()
      const lastIndex = reader.u64()
      return { type, ...envelope, index, rejected, hintIndex, hintTerm, lastIndex }
    }
    case 'heartbeat': {
      const commit = reader.u64()
      const acknowledged = reader.u64()
      const readId = reader.u64()
      return { type, ...envelope, commit, acknowledged, readId }
    }
    case 'commit':
      return { type, ...envelope, commit: reader.u64() }
    case 'preVote':
    case 'vote': {
      const lastIndex = reader.u64()
      const lastTerm = reader.u64()
      return { type, ...envelope, lastIndex, lastTerm, transfer: reader.boolean() }
    }
    case 'preVoteResponse':
    case 'voteResponse':
      return { type, ...envelope, rejected: reader.boolean() }
    case 'snapshot':
      return { type, ...envelope, snapshot: readSnapshot(reader) }
    case 'timeoutNow':
      return { type, ...envelope }
    case 'heartbeatResponse':
    case 'readIndex':
      return { type, ...envelope, readId: reader.u64() }
    case 'readIndexResponse': {
      const readId = reader.u64()
      return { type, ...envelope, readId, index: reader.u64() }
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
    if (type !== 0 && type !== 1) throw new PeerProtocolError(`entry type ${type} is unknown`)
    // The core takes this for granted; a peer must not be able to stop it.
    if (index !== prevIndex + 1 + i || term < lastTerm || term > envelope.term) {
      throw new PeerProtocolError(`entry ${index} of term ${term} is out of order`)
    }
    lastTerm = term
    entries.push({ term, index, type, data: reader.bytes(reader.u32()) })
  }
  return { type: 'append', ...envelope, prevIndex, prevTerm, commit, entries }
}

function readSnapshot(reader: ByteReader): SnapshotMeta {
  const index = reader.u64()
  const term = reader.u64()
  const bytes = reader.bytes(reader.u32())
  try {
    const configuration = decodeConfiguration(bytes)
    assert(configuration.voters.length > 0, 'a snapshot without voters')
    return { index, term, configuration }
  } catch (cause) {
    throw new PeerProtocolError('a snapshot names an unreadable configuration', { cause })
  }
}
