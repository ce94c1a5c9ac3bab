import type { DecodeLimits } from './limits.ts'
import { LIMITS } from './limits.ts'
import type { MessageAnswer, MessageNotice, MessageRequest } from './frames.ts'
import { ProtocolError } from './protocol-error.ts'
import type { Reader } from './reader.ts'
import { TextCache, asciiText } from './text.ts'
import type { Writer } from './writer.ts'

/**
 * The three frames that a busy node spends its time on, written out by hand. They must give what
 * the table-driven codec gives: `codec.test.ts` compares them. Measured by `bench/codec.bench.ts`.
 */

/**
 * A `msg:R` whose first key is `t`, or `null` for anything else or anything unusual: the
 * table-driven decoder then has the last word, and finds the words for what is wrong.
 */
// oxlint-disable-next-line max-lines-per-function -- one pass over the bytes, state in locals
export function decodeMessageRequest(reader: Reader, limits: DecodeLimits): MessageRequest | null {
  const b = reader.bytes
  const end = reader.end
  let p = reader.position
  if (end - p < 16) return null
  const count = b[p]! - 0x80
  // fixmap, then the keys and value "t": "msg:R".
  if (count < 5 || count > 10) return null
  if (b[p + 1] !== 0xa1 || b[p + 2] !== 0x74 || b[p + 3] !== 0xa5) return null
  if (b[p + 4] !== 0x6d || b[p + 5] !== 0x73 || b[p + 6] !== 0x67) return null
  if (b[p + 7] !== 0x3a || b[p + 8] !== 0x52) return null
  p += 9

  let id: number | string | undefined
  let conv: string | undefined
  let to: string | undefined
  let msgId: string | undefined
  let body: Uint8Array | undefined
  let replyTo: number | undefined
  let prev: string | undefined
  let since: number | undefined
  let large: boolean | undefined

  for (let i = 1; i < count; i++) {
    const key = keyAt(b, p, end)
    if (key === 0) return null
    p += 1 + KEY_LENGTH[key]!
    if (p >= end) return null
    switch (key) {
      case KEY_BODY: {
        reader.position = p
        try {
          reader.skip()
        } catch (error) {
          if (error instanceof ProtocolError) return null
          throw error
        }
        if (reader.position - p > limits.bodyBytes) return null
        body = new Uint8Array(b.buffer, b.byteOffset + p, reader.position - p)
        p = reader.position
        break
      }
      case KEY_ID:
      case KEY_REPLY_TO:
      case KEY_SINCE: {
        const width = integerWidth(b[p]!)
        if (width === 0 || p + width > end) return null
        const value = integerAt(b, p)
        if (value < 0) return null
        p += width
        if (key === KEY_ID) id = value
        else if (key === KEY_SINCE) since = value
        else {
          if (value === 0) return null
          replyTo = value
        }
        break
      }
      case KEY_LARGE: {
        const byte = b[p++]!
        if (byte !== 0xc2 && byte !== 0xc3) return null
        large = byte === 0xc3
        break
      }
      default: {
        let length = b[p++]! - 0xa0
        if (length < 0 || length > 31) {
          if (length !== 0xd9 - 0xa0 || p >= end) return null
          length = b[p++]!
        }
        const next = p + length
        if (length === 0 || next > end) return null
        if (key === KEY_MSG_ID || key === KEY_PREV) {
          if (length > LIMITS.msgIdLength || !allIn(NAME, b, p, next)) return null
          if (key === KEY_MSG_ID) msgId = asciiText(b, p, next)
          else prev = asciiText(b, p, next)
        } else {
          if (length > LIMITS.conversationLength || !allIn(PRINTABLE, b, p, next)) return null
          if (key === KEY_CONV) conv = names.get(b, p, next)
          else to = names.get(b, p, next)
        }
        p = next
      }
    }
  }
  if (id === undefined || msgId === undefined || body === undefined) return null
  if ((conv === undefined) === (to === undefined)) return null
  reader.position = p
  return { t: 'msg:R', id, conv, to, msgId, body, replyTo, prev, since, large }
}

export function writeMessageAnswer(writer: Writer, frame: MessageAnswer): void {
  const marked = frame.mark !== undefined
  const inbox = frame.inbox
  writer.raw(ANSWER_HEADS[(marked ? 1 : 0) + (inbox === undefined ? 0 : 1)]!)
  if (typeof frame.id === 'number') writer.integer(frame.id)
  else writer.string(frame.id)
  writer.raw(MSG_ID)
  writer.string(frame.msgId)
  writer.raw(CONV)
  writer.string(frame.conv)
  writer.raw(SEQ)
  writer.integer(frame.seq)
  writer.raw(AT)
  writer.integer(frame.at)
  writer.raw(ORD)
  writer.integer(frame.ord)
  writer.raw(DUPLICATE)
  writer.boolean(frame.duplicate)
  if (inbox !== undefined) {
    writer.raw(INBOX)
    if (inbox === null) writer.nil()
    else writer.integer(inbox)
  }
  writer.raw(NOW)
  writer.integer(frame.now)
  if (frame.mark !== undefined) {
    writer.raw(MARK)
    writer.string(frame.mark)
  }
}

export function writeMessageNotice(writer: Writer, frame: MessageNotice): void {
  let count = 10
  if (frame.replyTo !== undefined) count++
  if (frame.target !== undefined) count++
  if (frame.large !== undefined) count++
  if (frame.edited !== undefined) count++
  if (frame.recalled !== undefined) count++
  if (frame.expired !== undefined) count++
  if (frame.inbox !== undefined) count++
  if (frame.mark !== undefined) count++
  writer.map(count)
  writer.raw(NOTICE_HEAD)
  writer.string(frame.conv)
  writer.raw(SEQ)
  writer.integer(frame.seq)
  writer.raw(KIND)
  writer.string(frame.kind)
  writer.raw(ORD)
  writer.integer(frame.ord)
  writer.raw(MSG_ID)
  writer.string(frame.msgId)
  writer.raw(FROM)
  writer.string(frame.from)
  writer.raw(DEVICE)
  writer.string(frame.device)
  writer.raw(AT)
  writer.integer(frame.at)
  writer.raw(BODY)
  writer.raw(frame.body!)
  writeOptional(writer, REPLY_TO, frame.replyTo)
  writeOptional(writer, TARGET, frame.target)
  writeOptional(writer, LARGE, frame.large)
  writeOptional(writer, EDITED, frame.edited)
  writeOptional(writer, RECALLED, frame.recalled)
  writeOptional(writer, EXPIRED, frame.expired)
  if (frame.inbox !== undefined) {
    writer.raw(INBOX)
    if (frame.inbox === null) writer.nil()
    else writer.integer(frame.inbox)
  }
  if (frame.mark !== undefined) {
    writer.raw(MARK)
    writer.string(frame.mark)
  }
}

function writeOptional(writer: Writer, key: Uint8Array, value: number | boolean | undefined): void {
  if (value === undefined) return
  writer.raw(key)
  if (typeof value === 'number') writer.integer(value)
  else writer.boolean(value)
}

const KEY_ID = 1
const KEY_TO = 2
const KEY_CONV = 3
const KEY_BODY = 4
const KEY_PREV = 5
const KEY_MSG_ID = 6
const KEY_SINCE = 7
const KEY_LARGE = 8
const KEY_REPLY_TO = 9
const KEY_LENGTH = [0, 2, 2, 4, 4, 4, 5, 5, 5, 7]

/** Which key of a `msg:R` begins at `p`, 0 if none that is known. */
function keyAt(b: Uint8Array, p: number, end: number): number {
  if (p + 8 > end) {
    // Shorter than the longest key: only worth a careful look, never a read past the end.
    if (p + 1 + (b[p]! & 0x1f) > end) return 0
  }
  switch (b[p]) {
    case 0xa2:
      if (b[p + 1] === 0x69 && b[p + 2] === 0x64) return KEY_ID
      if (b[p + 1] === 0x74 && b[p + 2] === 0x6f) return KEY_TO
      return 0
    case 0xa4:
      if (b[p + 1] === 0x63) {
        return b[p + 2] === 0x6f && b[p + 3] === 0x6e && b[p + 4] === 0x76 ? KEY_CONV : 0
      }
      if (b[p + 1] === 0x62) {
        return b[p + 2] === 0x6f && b[p + 3] === 0x64 && b[p + 4] === 0x79 ? KEY_BODY : 0
      }
      if (b[p + 1] !== 0x70 || b[p + 2] !== 0x72) return 0
      return b[p + 3] === 0x65 && b[p + 4] === 0x76 ? KEY_PREV : 0
    case 0xa5:
      if (b[p + 1] === 0x6d) {
        if (b[p + 2] !== 0x73 || b[p + 3] !== 0x67) return 0
        return b[p + 4] === 0x49 && b[p + 5] === 0x64 ? KEY_MSG_ID : 0
      }
      if (b[p + 1] === 0x73) {
        if (b[p + 2] !== 0x69 || b[p + 3] !== 0x6e) return 0
        return b[p + 4] === 0x63 && b[p + 5] === 0x65 ? KEY_SINCE : 0
      }
      if (b[p + 1] !== 0x6c || b[p + 2] !== 0x61 || b[p + 3] !== 0x72) return 0
      return b[p + 4] === 0x67 && b[p + 5] === 0x65 ? KEY_LARGE : 0
    case 0xa7:
      if (b[p + 1] !== 0x72 || b[p + 2] !== 0x65 || b[p + 3] !== 0x70) return 0
      if (b[p + 4] !== 0x6c || b[p + 5] !== 0x79) return 0
      return b[p + 6] === 0x54 && b[p + 7] === 0x6f ? KEY_REPLY_TO : 0
    default:
      return 0
  }
}

/** Bytes of a non-negative integer that begins with `head`, 0 if it is none. */
function integerWidth(head: number): number {
  if (head <= 0x7f) return 1
  if (head === 0xcc) return 2
  if (head === 0xcd) return 3
  if (head === 0xce) return 5
  return head === 0xcf || head === 0xcb ? 9 : 0
}

/** -1 unless it is an integer from 0 to 2^53-1. The caller has checked that it is all there. */
function integerAt(b: Uint8Array, p: number): number {
  const head = b[p]!
  if (head <= 0x7f) return head
  if (head === 0xcc) return b[p + 1]!
  if (head === 0xcd) return b[p + 1]! * 0x100 + b[p + 2]!
  if (head === 0xce) return u32(b, p + 1)
  if (head === 0xcf) {
    const high = u32(b, p + 1)
    return high <= 0x1fffff ? high * 0x100000000 + u32(b, p + 5) : -1
  }
  // Encoders that know only one kind of number write large integers as doubles.
  for (let i = 0; i < 8; i++) doubleBytes[7 - i] = b[p + 1 + i]!
  const value = double[0]!
  return value > 0 && Number.isSafeInteger(value) ? value : -1
}

const double = new Float64Array(1)
const doubleBytes = new Uint8Array(double.buffer)
// The bytes are put in reversed, which is right only where the least significant comes first.
if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) {
  throw new Error('this platform is big-endian, which is not supported')
}

const u32 = (b: Uint8Array, p: number): number =>
  b[p]! * 0x1000000 + ((b[p + 1]! << 16) | (b[p + 2]! << 8) | b[p + 3]!)

const alphabet = (test: RegExp): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, code) => (test.test(String.fromCharCode(code)) ? 1 : 0))
/** Conversations and users. */
const names = new TextCache(4096)

const NAME = alphabet(/^[A-Za-z0-9._:@-]$/)
const PRINTABLE = alphabet(/^[!-~]$/)

function allIn(table: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let p = from; p < to; p++) if (table[b[p]!] === 0) return false
  return true
}

/** A key or short value as msgpack. */
function encoded(key: string): Uint8Array {
  const bytes = new Uint8Array(key.length + 1)
  bytes[0] = 0xa0 | key.length
  for (let i = 0; i < key.length; i++) bytes[i + 1] = key.charCodeAt(i)
  return bytes
}

const bytesOf = (...parts: (Uint8Array | number)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])))

const MSG_ID = encoded('msgId')
const CONV = encoded('conv')
const SEQ = encoded('seq')
const AT = encoded('at')
const ORD = encoded('ord')
const DUPLICATE = encoded('duplicate')
const INBOX = encoded('inbox')
const NOW = encoded('now')
const MARK = encoded('mark')
const KIND = encoded('kind')
const FROM = encoded('from')
const DEVICE = encoded('device')
const BODY = encoded('body')
const REPLY_TO = encoded('replyTo')
const TARGET = encoded('target')
const LARGE = encoded('large')
const EDITED = encoded('edited')
const RECALLED = encoded('recalled')
const EXPIRED = encoded('expired')

const answerHead = (fields: number): Uint8Array =>
  bytesOf(0x80 | fields, encoded('t'), encoded('msg:A'), encoded('id'))
const ANSWER_HEADS = [answerHead(9), answerHead(10), answerHead(11)]
const NOTICE_HEAD = bytesOf(encoded('t'), encoded('msg:N'), CONV)
