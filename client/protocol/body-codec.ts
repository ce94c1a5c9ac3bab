import { LIMITS } from './limits.ts'
import { ProtocolError } from './protocol-error.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

/**
 * Bodies are msgpack bytes, kept and compared as they are (rule A2). Whoever starts from a value,
 * be it the SDK or a node that took a JSON frame, goes through this one encoder, so that the same
 * value has the same bytes everywhere: those that msgpackr writes with `useRecords: false` and no
 * extensions, which tests compare. It holds JSON's data model plus byte strings. Half of a surrogate
 * pair, which UTF-8 cannot say, becomes U+FFFD.
 */

/** What an object stands for if not for itself; `null` if it does. */
export type BytesOf = (value: object) => Uint8Array | null

/**
 * @throws ProtocolError INVALID_MESSAGE naming the place that cannot be encoded: a function, a
 *   symbol, a bigint, `undefined` in an array, a class instance, nesting deeper than 64.
 */
export const encodeBody = (value: unknown): Uint8Array => encodeValue(value, 'body', () => null)

/**
 * The same for a value that a field called `path` has. With `null` what is bytes in it is msgpack
 * already. @throws ProtocolError INVALID_MESSAGE.
 */
export function encodeValue(value: unknown, path: string, bytesOf: BytesOf | null): Uint8Array {
  // A getter of the value may encode another one meanwhile.
  const writer = idle ?? new Writer()
  idle = null
  try {
    write(writer, value, path, 0, bytesOf)
    return writer.take()
  } finally {
    writer.reset()
    idle = writer
  }
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

let idle: Writer | null = new Writer()

function write(
  writer: Writer,
  value: unknown,
  path: string,
  depth: number,
  bytesOf: BytesOf | null,
): void {
  switch (typeof value) {
    case 'string':
      return writer.string(value)
    case 'boolean':
      return writer.boolean(value)
    case 'number':
      // msgpack keeps the sign of zero, JSON text does not: the same body must have the same bytes.
      return writer.number(value === 0 ? 0 : value)
    case 'object':
      break
    default:
      throw invalid(path, `${typeof value} cannot be sent`)
  }
  if (value === null) return writer.nil()
  const bytes = value instanceof Uint8Array ? value : (bytesOf?.(value) ?? null)
  if (bytes !== null) return bytesOf === null ? writer.raw(bytes) : writer.bytes(bytes)
  if (depth >= LIMITS.depth) throw invalid(path, `values nest deeper than ${LIMITS.depth}`)
  if (Array.isArray(value)) {
    const { length } = value
    writer.array(length)
    // By index, so that a hole is found to be one.
    for (let i = 0; i < length; i++) {
      write(writer, value[i], `${path}[${i}]`, depth + 1, bytesOf)
    }
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw invalid(path, 'only plain objects, arrays, bytes, strings, numbers, booleans and null')
  }
  let entries = Object.entries(value).filter(([, item]) => item !== undefined)
  if (!entries.every(([key]) => key.isWellFormed())) {
    // Keys that become equal are one, as they would be in an object.
    entries = [...new Map(entries.map(([key, item]) => [key.toWellFormed(), item as unknown]))]
  }
  writer.map(entries.length)
  for (const [key, item] of entries) {
    writer.string(key)
    write(writer, item, `${path}.${key}`, depth + 1, bytesOf)
  }
}

function invalid(path: string, expectation: string): ProtocolError {
  return new ProtocolError('INVALID_MESSAGE', `${path}: ${expectation}`)
}
