import { assert } from '#cluster'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { writePolicy } from './command-codec.ts'
import { readPolicy } from './command-view.ts'
import { Conversation, type FrozenHead } from './conversation-state.ts'
import { readExtents, writeExtents } from './extents.ts'
import type { KeyHash } from './key-hash.ts'
import { Members } from './members.ts'

const FORMAT = 2

/**
 * A conversation's record under its `c` key, which holds the id. `members` is `null` if they stand
 * under `m` keys.
 */
export function encodeConversation(
  conversation: Conversation,
  head: FrozenHead,
  members: Uint8Array | null,
): Uint8Array {
  const { kind, createdAt, number, extents, pagedExtents } = conversation
  const flags =
    (kind === 'group' ? 1 : 0) |
    (head.name === null ? 0 : 2) |
    (head.meta === null ? 0 : 4) |
    (members === null ? 0 : 8) |
    (head.large ? 16 : 0) |
    (head.retention === null ? 0 : 32) |
    (head.history ? 64 : 0)
  writer.clear()
  writer.u8(FORMAT).u16(flags)
  if (members === null) writer.varint(head.listed).varint(head.present)
  writer.varint(createdAt).varint(number)
  writer.varint(head.head).varint(head.ord).varint(head.lastAt).varint(head.lastLogTime)
  writer.varint(head.unlisted)
  if (head.name !== null) writer.string(head.name)
  if (head.meta !== null) writer.bytes(head.meta)
  if (members !== null) writer.bytes(members)
  if (head.retention !== null) writePolicy(writer, head.retention)
  writer.varint(head.firstSeq).varint(head.amended.length)
  for (const block of head.amended) writer.varint(block)
  writer.varint(pagedExtents)
  writeExtents(writer, extents)
  return writer.toBytes()
}

/** `members` are those of the `m` records, if there are any (`membersApart`). */
export function decodeConversation(
  id: string,
  bytes: Uint8Array,
  prefix: (hash: KeyHash, id: string) => KeyHash,
  hash: KeyHash,
  members: Members | null,
): Conversation {
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  assert(format === FORMAT, `conversation record of unknown format ${format}`)
  const flags = reader.u16()
  const isApart = (flags & 8) === 0
  if (isApart) {
    // How many are listed, and present: for who reads the records of the members.
    reader.varint()
    reader.varint()
  }
  const { high, low } = prefix(hash, id)
  const createdAt = reader.varint()
  const number = reader.varint()
  const head = reader.varint()
  const ord = reader.varint()
  const lastAt = reader.varint()
  const lastLogTime = reader.varint()
  const unlisted = reader.varint()
  const name = (flags & 2) === 0 ? null : reader.string()
  const meta = (flags & 4) === 0 ? null : new Uint8Array(reader.bytes())
  const found = isApart ? members : Members.decode([reader.bytes()])
  assert(found !== null, `the members of ${id} are missing`)
  const retention = (flags & 32) === 0 ? null : readPolicy(reader)
  const firstSeq = reader.varint()
  const amended = readAmended(reader)
  const conversation = new Conversation({
    id,
    kind: (flags & 1) !== 0 ? 'group' : 'direct',
    createdAt,
    number,
    hashHigh: high,
    hashLow: low,
    members: found,
  })
  conversation.head = head
  conversation.ord = ord
  conversation.lastAt = lastAt
  conversation.lastLogTime = lastLogTime
  conversation.unlisted = unlisted
  conversation.large = (flags & 16) !== 0
  conversation.name = name
  conversation.meta = meta
  conversation.membersApart = isApart
  conversation.retention = retention
  conversation.history = (flags & 64) !== 0
  conversation.firstSeq = firstSeq
  conversation.amended = amended
  conversation.pagedExtents = reader.varint()
  conversation.extents = readExtents(reader)
  reader.end('a conversation record')
  conversation.coldHead = conversation.head
  conversation.coldLogTime = conversation.lastLogTime
  conversation.writtenHead = conversation.head
  return conversation
}

/** Most conversations have none: they share one list. */
function readAmended(reader: ByteReader): readonly number[] {
  const length = reader.varint()
  assert(length <= reader.remaining && length % 2 === 0, `${length} bounds of amended blocks`)
  return length === 0 ? NOTHING : Array.from({ length }, () => reader.varint())
}

/** If the members have records of their own: how many are listed there, and how many are present. */
export function membersApart(
  bytes: Uint8Array,
): { readonly listed: number; readonly present: number; readonly large: boolean } | null {
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  assert(format === FORMAT, `conversation record of unknown format ${format}`)
  const flags = reader.u16()
  if ((flags & 8) !== 0) return null
  return { listed: reader.varint(), present: reader.varint(), large: (flags & 16) !== 0 }
}

const NOTHING: readonly number[] = []
const writer = new ByteWriter(1024)
