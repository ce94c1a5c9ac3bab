import { assert, assertSafeInteger, unreachable } from '../assert.ts'
import { decodeConfiguration, encodeConfiguration } from '../raft/configuration.ts'
import type { AppendMessage, Message, MessageType } from '../raft/messages.ts'
import type { Entry, SnapshotMeta } from '../raft/types.ts'
import { MessageReader, MessageWriter } from './message-cursor.ts'
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
  writer.id(message.from)
  writer.id(message.to)
  writer.integer(message.term)
  writeBody(writer, message, configuration)
  return writer.finish()
}

/**
 * Entries' data are views into `bytes`. Whatever the bytes are, the only error is
 * `PeerProtocolError`, and no more is allocated than they are long.
 */
export function decodeMessage(bytes: Uint8Array): DecodedMessage {
  const reader = new MessageReader(bytes)
  const version = reader.u8()
  if (version !== VERSION) throw new PeerProtocolError(`message version ${version} is unknown`)
  const code = reader.u8()
  const type = TYPES.get(code)
  if (type === undefined) throw new PeerProtocolError(`message type ${code} is unknown`)
  const groupId = reader.u32()
  const envelope = { from: reader.id(), to: reader.id(), term: reader.integer() }
  const message = readMessage(reader, type, envelope)
  reader.finish()
  return { message, groupId }
}

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
      writer.integer(message.index)
      writer.boolean(message.rejected)
      writer.integer(message.hintIndex)
      writer.integer(message.hintTerm)
      writer.integer(message.lastIndex)
      return
    case 'heartbeat':
      writer.integer(message.commit)
      writer.integer(message.acknowledged)
      writer.integer(message.readId)
      return
    case 'commit':
      writer.integer(message.commit)
      return
    case 'preVote':
    case 'vote':
      writer.integer(message.lastIndex)
      writer.integer(message.lastTerm)
      writer.boolean(message.transfer)
      return
    case 'preVoteResponse':
    case 'voteResponse':
      writer.boolean(message.rejected)
      return
    case 'snapshot':
      writer.integer(message.snapshot.index)
      writer.integer(message.snapshot.term)
      writer.u32(configuration.length)
      writer.bytes(configuration)
      return
    case 'timeoutNow':
      return
    case 'heartbeatResponse':
    case 'readIndex':
      writer.integer(message.readId)
      return
    case 'readIndexResponse':
      writer.integer(message.readId)
      writer.integer(message.index)
      return
    default:
      unreachable(message, 'message')
  }
}

function writeAppend(writer: MessageWriter, message: AppendMessage): void {
  writer.integer(message.prevIndex)
  writer.integer(message.prevTerm)
  writer.integer(message.commit)
  writer.u32(message.entries.length)
  for (const entry of message.entries) {
    writer.integer(entry.term)
    writer.integer(entry.index)
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

function readMessage(reader: MessageReader, type: MessageType, envelope: Envelope): Message {
  switch (type) {
    case 'append':
      return readAppend(reader, envelope)
    case 'appendResponse': {
      const index = reader.integer()
      const rejected = reader.boolean()
      const hintIndex = reader.integer()
      const hintTerm = reader.integer()
      const lastIndex = reader.integer()
      return { type, ...envelope, index, rejected, hintIndex, hintTerm, lastIndex }
    }
    case 'heartbeat': {
      const commit = reader.integer()
      const acknowledged = reader.integer()
      const readId = reader.integer()
      return { type, ...envelope, commit, acknowledged, readId }
    }
    case 'commit':
      return { type, ...envelope, commit: reader.integer() }
    case 'preVote':
    case 'vote': {
      const lastIndex = reader.integer()
      const lastTerm = reader.integer()
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
      return { type, ...envelope, readId: reader.integer() }
    case 'readIndexResponse': {
      const readId = reader.integer()
      return { type, ...envelope, readId, index: reader.integer() }
    }
    default:
      return unreachable(type, 'message type')
  }
}

function readAppend(reader: MessageReader, envelope: Envelope): AppendMessage {
  const prevIndex = reader.integer()
  const prevTerm = reader.integer()
  const commit = reader.integer()
  const count = reader.u32()
  if (count * ENTRY_BYTES > reader.remaining) {
    throw new PeerProtocolError(`${count} entries cannot be in ${reader.remaining} bytes`)
  }
  const entries: Entry[] = []
  let lastTerm = prevTerm
  for (let i = 0; i < count; i++) {
    const term = reader.integer()
    const index = reader.integer()
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

function readSnapshot(reader: MessageReader): SnapshotMeta {
  const index = reader.integer()
  const term = reader.integer()
  const bytes = reader.bytes(reader.u32())
  try {
    const configuration = decodeConfiguration(bytes)
    assert(configuration.voters.length > 0, 'a snapshot without voters')
    return { index, term, configuration }
  } catch (cause) {
    throw new PeerProtocolError('a snapshot names an unreadable configuration', { cause })
  }
}
