import { Packr } from 'msgpackr'
import { LIMITS } from './limits.ts'
import { ProtocolError } from './protocol-error.ts'
import { Reader } from './reader.ts'

/**
 * Bodies are msgpack bytes, kept and compared as they are (rule A2). Whoever starts from a value,
 * be it the SDK or a node that took a JSON frame, goes through this one encoder, so that the same
 * value has the same bytes everywhere. It holds JSON's data model plus byte strings, which JSON
 * writes as `{"$bytes": "<base64>"}`. Half of a surrogate pair, which UTF-8 cannot say, becomes U+FFFD.
 */
const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  moreTypes: false,
  // A body may have a key of that name.
  useToJSON: false,
})

/**
 * @throws ProtocolError INVALID_MESSAGE naming the place that cannot be encoded: a function, a
 *   symbol, a bigint, `undefined` in an array, a class instance, nesting deeper than 64.
 */
export function encodeBody(value: unknown): Uint8Array {
  const plain = toPlain(value, 'body', 0, false)
  return copy(packr.pack(plain))
}

/** The value of a body. Integers beyond 2^53 come as `bigint`, byte strings as `Uint8Array`. */
export function decodeBody(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes)
  const value = reader.value()
  if (reader.position !== reader.end) {
    throw new ProtocolError('INVALID_MESSAGE', 'a body is exactly one value')
  }
  return value
}

/** Whether these bytes are one body, as a decoder of frames lets it in. */
export function isBody(bytes: Uint8Array): boolean {
  const reader = new Reader(bytes)
  try {
    reader.skip()
  } catch (error) {
    if (error instanceof ProtocolError) return false
    throw error
  }
  return reader.position === reader.end
}

/** From what `JSON.parse` gave. */
export function encodeJsonBody(value: unknown, path: string): Uint8Array {
  return copy(packr.pack(toPlain(value, path, 0, true)))
}

/** To what `JSON.stringify` takes. Integers beyond 2^53 lose precision, NaN and ±∞ become null. */
export function decodeJsonBody(bytes: Uint8Array): unknown {
  return toJson(decodeBody(bytes))
}

/** Own memory: the packer hands out views of a buffer that it goes on to share. */
const copy = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

function toPlain(value: unknown, path: string, depth: number, fromJson: boolean): unknown {
  switch (typeof value) {
    case 'string':
      return value.toWellFormed()
    case 'boolean':
      return value
    case 'number':
      // msgpack keeps the sign of zero, JSON text does not: the same body must have the same bytes.
      return value === 0 ? 0 : value
    case 'object':
      break
    default:
      throw invalid(path, `${typeof value} cannot be sent`)
  }
  if (value === null) return null
  if (value instanceof Uint8Array) return value
  if (fromJson) {
    const bytes = fromTaggedBytes(value)
    if (bytes !== null) return bytes
  }
  if (depth >= LIMITS.depth) throw invalid(path, `values nest deeper than ${LIMITS.depth}`)
  if (Array.isArray(value)) {
    return value.map((item, i) => toPlain(item, `${path}[${i}]`, depth + 1, fromJson))
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw invalid(path, 'only plain objects, arrays, bytes, strings, numbers, booleans and null')
  }
  // Without a prototype, keys such as `constructor` or `__proto__` are keys like any other.
  const result = Object.create(null) as Record<string, unknown>
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue
    result[key.toWellFormed()] = toPlain(item, `${path}.${key}`, depth + 1, fromJson)
  }
  return result
}

function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) }
  if (Array.isArray(value)) return value.map(toJson)
  const result = Object.create(null) as Record<string, unknown>
  for (const [key, item] of Object.entries(value)) result[key] = toJson(item)
  return result
}

function fromTaggedBytes(value: object): Uint8Array | null {
  const keys = Object.keys(value)
  if (keys.length !== 1 || keys[0] !== '$bytes') return null
  const text = (value as { $bytes: unknown }).$bytes
  if (typeof text !== 'string' || text.length % 4 !== 0 || !BASE64.test(text)) return null
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode(...bytes.subarray(i, i + 4096))
  }
  return btoa(text)
}

function invalid(path: string, expectation: string): ProtocolError {
  return new ProtocolError('INVALID_MESSAGE', `${path}: ${expectation}`)
}
