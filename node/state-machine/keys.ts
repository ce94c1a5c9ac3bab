import { asBuffer, assert } from '#cluster'
import type { NameKeys } from './name-set.ts'

/**
 * Key layout of the store, format 1. One byte names the kind; texts carry their length in front, so
 * that no id can run into what follows; numbers are big-endian, so that they sort.
 *
 *     a                        the state as a whole: index, hashes, settings, counters; sorts first
 *     c  u16 length, conv      a conversation's head
 *     m  u16 length, conv, u32 shard         a shard of its members, if they are too many for the head
 *     x  u16 length, conv, u48 first seq     a full page of extents: where old events lie
 *     e  u64 chunk             a chunk of event bodies
 *     d  u64 block             a block of dedupe slots
 *     r  u48 number            a verdict that left no event
 *     u  u16 length, user, conv              the user is or was a member; holds his position in the list
 *     k  u64 block             revoked tokens of the users of one block
 *     s  u64 block             push subscriptions of the users of one block
 *     o  u16 length, user      his inbox: its head, the entries that fill no page, his devices
 *     i  u16 length, user, u32 page          a full page of his inbox
 *     n  u64 number            the id of the conversation with that number
 *     f                        the feed of all events: its head and the entries that fill no page
 *     g  u64 page              a full page of it
 *     q  u16 length, conv, u32 block         cursors of 128 neighbours in its list of members
 *     p  u64 number            what retention took away and the store still holds
 *     t  u16 length, conv      it has a retention policy
 *     v  u16 length, user      what he said is being erased
 *     f  u16 length, conv, u48 block         what became of 256 events
 */
export const STATE_KEY = Buffer.from('a')

export const FEED_KEY = Buffer.from('f')
export const feedPageKey = (page: number): Buffer => withNumber(0x67, page)

export const conversationKey = (conv: string): Buffer => withText(0x63, conv, 0)

export function membersKey(conv: string, shard: number): Buffer {
  const key = withText(0x6d, conv, 4)
  key.writeUInt32BE(shard, key.length - 4)
  return key
}

export function extentPageKey(conv: string, firstSeq: number): Buffer {
  const key = withText(0x78, conv, 6)
  key.writeUIntBE(firstSeq, key.length - 6, 6)
  return key
}

export function receiptKey(conv: string, block: number): Buffer {
  const key = withText(0x71, conv, 4)
  key.writeUInt32BE(block, key.length - 4)
  return key
}

export const removalKey = (number: number): Buffer => withNumber(0x70, number)
/** Conversations with a retention policy. */
export const RETAINED_KEYS = nameKeys(0x74)
/** Users whose messages are being erased. */
export const ERASING_KEYS = nameKeys(0x76)

function nameKeys(kind: number): NameKeys {
  return {
    key: (name) => withText(kind, name, 0),
    nameOf: (key) => asBuffer(key).toString('utf8', 3),
    from: Buffer.of(kind),
    to: Buffer.of(kind + 1),
  }
}

export function amendmentKey(conv: string, block: number): Buffer {
  const key = withText(0x66, conv, 6)
  key.writeUIntBE(block, key.length - 6, 6)
  return key
}

export const chunkKey = (chunk: number): Buffer => withNumber(0x65, chunk)
export const dedupeKey = (block: number): Buffer => withNumber(0x64, block)
export const verdictKey = (number: number): Buffer => withNumber(0x72, number)
export const numberKey = (conversation: number): Buffer => withNumber(0x6e, conversation)

export const pushKey = (block: number): Buffer => withNumber(0x73, block)
export const revocationsKey = (block: number): Buffer => withNumber(0x6b, block)

export function userKey(user: string, conv: string): Buffer {
  const length = Buffer.byteLength(conv)
  const key = withText(0x75, user, length)
  key.write(conv, key.length - length)
  return key
}

export const inboxKey = (user: string): Buffer => withText(0x6f, user, 0)

/** Every `inboxKey` lies in here. */
export const INBOX_KEYS = {
  from: Buffer.of(0x6f),
  to: Buffer.of(0x70),
  userOf: (key: Uint8Array): string => asBuffer(key).toString('utf8', 3),
  /** The least key above the user's. */
  behind: (user: string): Buffer => {
    const key = withText(0x6f, user, 1)
    key[key.length - 1] = 0
    return key
  },
}

export function inboxPageKey(user: string, page: number): Buffer {
  const key = withText(0x69, user, 4)
  key.writeUInt32BE(page, key.length - 4)
  return key
}

/** Every `userKey` of the user lies in here. */
export function userRange(user: string): { from: Buffer; to: Buffer } {
  const from = withText(0x75, user, 0)
  return { from, to: after(from) }
}

export function conversationOfUserKey(user: string, key: Uint8Array): string {
  const prefix = 3 + Buffer.byteLength(user)
  return asBuffer(key).toString('utf8', prefix)
}

/** Chunks and blocks of one cut get ascending numbers, and no two cuts share any. */
const PER_CUT = 65_536

export function numberInCut(cutIndex: number, count: number): number {
  assert(count < PER_CUT, 'a cut holds more than 65,535 chunks')
  const number = cutIndex * PER_CUT + count
  assert(Number.isSafeInteger(number), 'the log index is beyond 2^37')
  return number
}

/** The least key above every key that starts with `prefix`. */
function after(prefix: Buffer): Buffer {
  const key = Buffer.from(prefix)
  let last = key.length - 1
  while (key[last] === 0xff) last -= 1
  key[last]! += 1
  return key.subarray(0, last + 1)
}

function withText(kind: number, text: string, extra: number): Buffer {
  const length = Buffer.byteLength(text)
  const key = Buffer.allocUnsafe(3 + length + extra)
  key[0] = kind
  key.writeUInt16BE(length, 1)
  key.write(text, 3)
  return key
}

function withNumber(kind: number, value: number): Buffer {
  const key = Buffer.allocUnsafe(9)
  key[0] = kind
  key.writeBigUInt64BE(BigInt(value), 1)
  return key
}
