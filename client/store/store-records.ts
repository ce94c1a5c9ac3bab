import { decodeBody, encodeBody, isBody } from '../protocol/body-codec.ts'
import { decodeMsgpack } from '../protocol/msgpack-codec.ts'
import type {
  StoredAmendment,
  StoredCursor,
  StoredEvent,
  StoredMessage,
  StoredPlace,
  StoredSession,
} from './client-store.ts'
import { crc32 } from './crc32.ts'

/** The layout of keys and values; a store of another format is not touched. */
export const FORMAT = 2

export interface FormatRecord {
  readonly format: number
  readonly device: string
}

/**
 * How many values there are and the sum of their checksums, in every batch: LevelDB may lose a
 * value, or show an older one, without an error.
 */
export interface LedgerRecord {
  readonly values: number
  readonly sum: number
}

export const KEYS = {
  format: 'f',
  ledger: 'l',
  session: 's',
  /** The number orders messages; the msgId tells which one it was if the value cannot be read. */
  message: (number: number, msgId: string): string =>
    `o/${String(number).padStart(16, '0')}/${msgId}`,
  cursor: (conv: string): string => `c/${conv}`,
  place: (slot: number): string => `a/${String(slot).padStart(4, '0')}`,
  event: (conv: string, seq: number): string => `e/${conv}/${String(seq).padStart(16, '0')}`,
  /** Where damaged values go when they are set aside. */
  aside: (key: string): string => `x/${key}`,
} as const

export type RecordKey =
  | { readonly kind: 'format' | 'ledger' | 'session' | 'aside' | 'unknown' }
  | { readonly kind: 'message'; readonly number: number; readonly msgId: string }
  | { readonly kind: 'cursor'; readonly conv: string }
  | { readonly kind: 'place'; readonly slot: number }
  | { readonly kind: 'event'; readonly conv: string; readonly seq: number }

export const isEventKey = (key: string): boolean => key.startsWith('e/')

export function parseKey(key: string): RecordKey {
  if (key === KEYS.format) return { kind: 'format' }
  if (key === KEYS.ledger) return { kind: 'ledger' }
  if (key === KEYS.session) return { kind: 'session' }
  if (key.startsWith('x/')) return { kind: 'aside' }
  if (key.startsWith('c/')) return { kind: 'cursor', conv: key.slice(2) }
  if (/^a\/\d{4}$/.test(key)) return { kind: 'place', slot: Number(key.slice(2)) }
  if (isEventKey(key) && /\/\d{16}$/.test(key)) {
    return { kind: 'event', conv: key.slice(2, -17), seq: Number(key.slice(-16)) }
  }
  const message = /^o\/(\d{16})\/([A-Za-z0-9._:@-]{1,64})$/.exec(key)
  if (message === null) return { kind: 'unknown' }
  return { kind: 'message', number: Number(message[1]), msgId: message[2]! }
}

/** A value begins with the checksum of its key and the rest of it. */
export function seal(key: string, record: unknown): { value: Uint8Array; crc: number } {
  const payload = encodeBody(record)
  const value = new Uint8Array(4 + payload.length)
  value.set(payload, 4)
  const crc = crc32(payload, crc32(encoder.encode(key)))
  new DataView(value.buffer).setUint32(0, crc)
  return { value, crc }
}

/** @throws Error saying what is wrong with the value. */
export function unseal(key: string, value: Uint8Array): { record: unknown; crc: number } {
  if (value.length < 5) throw new Error('it is cut off')
  const payload = value.subarray(4)
  const crc = crc32(payload, crc32(encoder.encode(key)))
  if (new DataView(value.buffer, value.byteOffset).getUint32(0) !== crc) {
    throw new Error('its checksum is wrong')
  }
  return { record: decodeBody(payload), crc }
}

export const toMessageRecord = (message: StoredMessage): unknown => {
  const { msgId: _, ...record } = message
  return record
}

/** @throws Error naming the field. */
export function toMessage(msgId: string, record: unknown): StoredMessage {
  const { conv, to, body, replyTo, large, change, prev, state, since, place } = fieldsOf(record)
  need(isTextOrNull(conv) && isTextOrNull(to) && (conv === null) !== (to === null), 'conv or to')
  need(body instanceof Uint8Array && isBody(body), 'body')
  need(isSeqOrNull(replyTo), 'replyTo')
  need(typeof large === 'boolean', 'large')
  need(isTextOrNull(prev), 'prev')
  need(STATES.includes(state as StoredMessage['state']), 'state')
  need(isSeqOrNull(since) && (state !== 'queued' || since === null), 'since')
  need((place === null) === (state !== 'answered'), 'place')
  return {
    ...{ msgId, conv, to, body: body.slice(), replyTo, large, prev, since },
    change: change === null ? null : toChange(change),
    state: state as StoredMessage['state'],
    place: place === null ? null : toPlace(place),
  }
}

const STATES: readonly StoredMessage['state'][] = ['queued', 'sent', 'repeated', 'answered']

function toChange(record: unknown): StoredAmendment {
  const { kind, seq, reaction, on } = fieldsOf(record)
  need(isSeqOrNull(seq) && seq !== null, 'change')
  if (kind === 'edit' || kind === 'recall') return { kind, seq }
  need(kind === 'reaction' && typeof reaction === 'string' && typeof on === 'boolean', 'change')
  return { kind, seq, reaction, on }
}

function toPlace(record: unknown): NonNullable<StoredMessage['place']> {
  const { conv, seq } = fieldsOf(record)
  need(typeof conv === 'string' && isSeqOrNull(seq) && seq !== null, 'place')
  return { conv, seq }
}

export function toCursor(conv: string, record: unknown): StoredCursor {
  const { delivered, inHand } = fieldsOf(record)
  need(isSeqOrNull(delivered) && delivered !== null, 'delivered')
  need(isSeqOrNull(inHand) && (inHand === null || inHand > delivered), 'inHand')
  return { conv, delivered, inHand }
}

export function toEvent(conv: string, seq: number, record: unknown): StoredEvent {
  const { frame } = fieldsOf(record)
  need(frame instanceof Uint8Array && isEventOf(conv, seq, frame), 'frame')
  return { conv, seq, frame: frame.slice() }
}

function isEventOf(conv: string, seq: number, bytes: Uint8Array): boolean {
  const [frame] = decodeMsgpack(bytes, 'toClient', { bodyBytes: Infinity, metaBytes: Infinity })
  if (frame === undefined || !('t' in frame) || frame.t !== 'msg:N' || !('kind' in frame))
    return false
  return frame.conv === conv && frame.seq === seq
}

export function toStoredPlace(slot: number, record: unknown): StoredPlace {
  const { number, epoch, conv, seq, msgId } = fieldsOf(record)
  need(isSeqOrNull(number) && number !== null, 'number')
  need(isSeqOrNull(seq) && seq !== null, 'seq')
  need(typeof epoch === 'string', 'epoch')
  need(typeof conv === 'string', 'conv')
  need(typeof msgId === 'string', 'msgId')
  return { number, slot, epoch, conv, seq, msgId }
}

export function toSession(record: unknown): StoredSession {
  const { user, epoch, mark, inbox = null, lastId } = fieldsOf(record)
  need(isTextOrNull(user), 'user')
  need(isTextOrNull(epoch), 'epoch')
  need(isTextOrNull(mark), 'mark')
  need(isSeqOrNull(inbox), 'inbox')
  need(isSeqOrNull(lastId) && lastId !== null, 'lastId')
  return { user, epoch, mark, inbox, lastId }
}

export function toFormat(record: unknown): FormatRecord {
  const { format, device } = fieldsOf(record)
  need(isSeqOrNull(format) && format !== null, 'format')
  need(typeof device === 'string', 'device')
  return { format, device }
}

export function toLedger(record: unknown): LedgerRecord {
  const { values, sum } = fieldsOf(record)
  need(isSeqOrNull(values) && values !== null, 'values')
  need(isSeqOrNull(sum) && sum !== null, 'sum')
  return { values, sum }
}

const encoder = new TextEncoder()

function fieldsOf(record: unknown): Readonly<Record<string, unknown>> {
  need(typeof record === 'object' && record !== null && !Array.isArray(record), 'record')
  return record as Readonly<Record<string, unknown>>
}

function need(condition: boolean, name: string): asserts condition {
  if (!condition) throw new Error(`its ${name} cannot be`)
}

const isTextOrNull = (value: unknown): value is string | null =>
  value === null || typeof value === 'string'

const isSeqOrNull = (value: unknown): value is number | null =>
  value === null || (Number.isSafeInteger(value) && (value as number) >= 0)
