import { decodeBody, encodeValue } from './body-codec.ts'

/** Bodies as JSON says them: byte strings, which it does not have, are `{"$bytes": "<base64>"}`. */

/** From what `JSON.parse` gave. @throws ProtocolError as `encodeBody` does. */
export const encodeJsonBody = (value: unknown, path: string): Uint8Array =>
  encodeValue(value, path, fromTaggedBytes)

/** To what `JSON.stringify` takes. Integers beyond 2^53 lose precision, NaN and ±∞ become null. */
export const decodeJsonBody = (bytes: Uint8Array): unknown => toJson(decodeBody(bytes))

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
