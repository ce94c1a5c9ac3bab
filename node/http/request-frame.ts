import { Packr } from 'msgpackr'
import {
  type DecodeLimits,
  decodeFrames,
  LIMITS,
  ProtocolError,
  type RequestFrame,
  type RequestType,
  type WireError,
  wireError,
} from '#protocol'
import type { HttpCall } from './route.ts'

/** Body bytes of one call. A body of 64 KiB as msgpack has up to six times as many as JSON text. */
export const MAX_CALL_BYTES = 512 * 1024

/** Fields that the call itself says: they win over equal ones in its body. */
type OwnFields = Readonly<Record<string, string | number | undefined>>

const packr = new Packr({ useRecords: false, variableMapSize: true })
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** A frame made of a call without a body, checked as one that came over a WebSocket. */
export function frameOf<T extends RequestType>(
  t: T,
  own: OwnFields,
  limits?: DecodeLimits,
): Extract<RequestFrame, { t: T }> | WireError {
  return checked(t, JSON.stringify({ ...own, t, id: 1 }), 'parley.v1.json', limits)
}

/**
 * A frame made of a call whose body holds its fields, as JSON or as msgpack: what a client says in a
 * frame is read, bounded and refused alike whichever way it came.
 */
export async function frameOfBody<T extends RequestType>(
  t: T,
  call: HttpCall,
  fields: { readonly own: OwnFields; readonly defaults?: OwnFields },
): Promise<Extract<RequestFrame, { t: T }> | WireError | { unsupportedMediaType: string }> {
  const contentType = (call.request.header('content-type') ?? '')
    .split(';')[0]!
    .trim()
    .toLowerCase()
  if (contentType !== 'application/json' && contentType !== 'application/msgpack') {
    return { unsupportedMediaType: 'Content-Type must be application/json or application/msgpack.' }
  }
  const bytes = await call.request.body(MAX_CALL_BYTES)
  if (bytes === null) {
    return wireError('PAYLOAD_TOO_LARGE', `A call carries at most ${MAX_CALL_BYTES} bytes.`)
  }
  const bodyBytes = call.context.options.maxBodyBytes
  const limits = { bodyBytes, metaBytes: LIMITS.metaBytes }
  const own = { ...fields.own, t, id: 1 }
  const { defaults = {} } = fields
  if (contentType === 'application/json') {
    const text = withJsonFields(bytes, defaults, own)
    if (text === null) return wireError('INVALID_MESSAGE', 'The body is not a JSON object.')
    return checked(t, text, 'parley.v1.json', limits)
  }
  const message = withMsgpackFields(bytes, defaults, own)
  if (message === null) return wireError('INVALID_MESSAGE', 'The body is not a msgpack map.')
  return checked(t, message, 'parley.v1.msgpack', limits)
}

/** A number where the text is one; else the text, which the frame's check refuses by its name. */
export function numberOf(text: string | null): number | string | undefined {
  if (text === null) return undefined
  return /^\d{1,16}$/.test(text) ? Number(text) : text
}

function checked<T extends RequestType>(
  t: T,
  message: Uint8Array | string,
  subprotocol: 'parley.v1.json' | 'parley.v1.msgpack',
  limits?: DecodeLimits,
): Extract<RequestFrame, { t: T }> | WireError {
  const decoded = decodeFrames(message, subprotocol, 'toServer', limits)
  const wrong = decoded.find((one) => one instanceof ProtocolError)
  if (wrong !== undefined) return wireError(wrong.code, wrong.message)
  const frame = decoded[0] as RequestFrame | undefined
  if (decoded.length !== 1 || frame?.t !== t) {
    return wireError('INVALID_MESSAGE', 'The body holds one object.')
  }
  return frame as Extract<RequestFrame, { t: T }>
}

/**
 * Text, so that values are encoded by the one encoder of JSON bodies. Of equal keys the last counts:
 * what the call itself says comes behind the body, defaults before it.
 */
function withJsonFields(bytes: Uint8Array, defaults: OwnFields, own: OwnFields): string | null {
  let text: string
  try {
    text = utf8.decode(bytes).trim()
  } catch {
    return null
  }
  if (!text.startsWith('{') || !text.endsWith('}')) return null
  const parts = [fieldsOf(JSON.stringify(defaults)), fieldsOf(text), fieldsOf(JSON.stringify(own))]
  return `{${parts.filter((part) => part !== '').join(',')}}`
}

/** What stands between the braces. */
const fieldsOf = (text: string): string => text.slice(1, -1).trim()

/** As for JSON; the bytes behind the map's header stay as they are, its values too. */
function withMsgpackFields(
  bytes: Uint8Array,
  defaults: OwnFields,
  own: OwnFields,
): Uint8Array | null {
  const header = mapHeader(bytes)
  if (header === null) return null
  const before = packr.pack(defaults)
  const after = packr.pack(own)
  const count = header.count + Object.keys(defaults).length + Object.keys(own).length
  const head = new Uint8Array(MAP_HEADER_BYTES)
  head[0] = 0xdf
  new DataView(head.buffer).setUint32(1, count)
  // Maps of fewer than 16 entries have a header of one byte.
  return Buffer.concat([head, before.subarray(1), bytes.subarray(header.length), after.subarray(1)])
}

const MAP_HEADER_BYTES = 5

function mapHeader(bytes: Uint8Array): { count: number; length: number } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const first = bytes[0]
  if (first === undefined) return null
  if (first >= 0x80 && first <= 0x8f) return { count: first - 0x80, length: 1 }
  if (first === 0xde && bytes.length >= 3) return { count: view.getUint16(1), length: 3 }
  if (first === 0xdf && bytes.length >= 5) {
    const count = view.getUint32(1)
    // Each entry has two bytes at least: a count that is a lie stays one.
    return count > bytes.length ? null : { count, length: 5 }
  }
  return null
}
