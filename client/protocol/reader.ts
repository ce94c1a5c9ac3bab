import { LIMITS } from './limits.ts'
import { ProtocolError } from './protocol-error.ts'
import { TextCache, utf8Text } from './text.ts'

/**
 * A cursor over msgpack bytes from an untrusted peer. Every length is checked against what is left
 * before anything is allocated for it, nesting is bounded by `LIMITS.depth`, and nothing but
 * `ProtocolError` is thrown. Extension types are refused: the wire has none.
 */
export class Reader {
  bytes: Uint8Array
  position = 0
  readonly end: number

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.end = bytes.length
  }

  /** Passes over one value of JSON's model plus byte strings; map keys must be strings. */
  skip(depth = 0): void {
    const byte = this.peek()
    if (isMap(byte)) {
      for (let left = this.mapLength(depth); left > 0; left--) {
        this.#advance(this.#stringLength())
        this.skip(depth + 1)
      }
    } else if (isArray(byte)) {
      for (let left = this.arrayLength(depth); left > 0; left--) this.skip(depth + 1)
    } else if (isString(byte)) this.#advance(this.#stringLength())
    else {
      this.position++
      if (byte <= 0x7f || byte >= 0xe0) return
      const width = WIDTHS[byte - 0xc0]
      if (width === undefined) throw foreign(byte)
      this.#advance(isBytes(byte) ? this.#uint(width) : width)
    }
  }

  /** The bytes of the next value, unread: a view, not a copy. */
  slice(): Uint8Array {
    const from = this.position
    this.skip()
    return this.bytes.subarray(from, this.position)
  }

  /**
   * One value as JavaScript: bytes as `Uint8Array`, integers beyond 2^53 as `bigint`. What stands
   * under an opaque key of a map is left as it is, and nests as deep as if it stood alone.
   */
  value(depth = 0, opaque: ReadonlySet<string> | null = null): unknown {
    const byte = this.peek()
    if (isMap(byte)) {
      const length = this.mapLength(depth)
      const result: Record<string, unknown> = {}
      for (let i = 0; i < length; i++) {
        const key = this.key()
        const isOpaque = opaque?.has(key) === true
        const value = isOpaque ? this.slice() : this.value(depth + 1, opaque)
        if (key === '__proto__') {
          // Plain assignment would change the prototype instead of adding a property.
          Object.defineProperty(result, key, OWN(value))
        } else result[key] = value
      }
      return result
    }
    if (isArray(byte)) {
      const length = this.arrayLength(depth)
      const result: unknown[] = []
      for (let i = 0; i < length; i++) result.push(this.value(depth + 1, opaque))
      return result
    }
    return this.scalar()
  }

  /** A value that is neither map nor array. */
  scalar(): unknown {
    const byte = this.peek()
    if (isString(byte)) return this.string()
    this.position++
    if (byte <= 0x7f) return byte
    if (byte >= 0xe0) return byte - 0x100
    const width = WIDTHS[byte - 0xc0]
    if (width === undefined) throw foreign(byte)
    if (isBytes(byte)) return this.#take(this.#uint(width))
    switch (byte) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xca:
        return this.#view(4).getFloat32(0)
      case 0xcb:
        return this.#view(8).getFloat64(0)
      case 0xcf:
        return number(this.#view(8).getBigUint64(0))
      case 0xd0:
        return this.#view(1).getInt8(0)
      case 0xd1:
        return this.#view(2).getInt16(0)
      case 0xd2:
        return this.#view(4).getInt32(0)
      case 0xd3:
        return number(this.#view(8).getBigInt64(0))
      default:
        return this.#uint(width)
    }
  }

  string(): string {
    const length = this.#stringLength()
    this.#advance(length)
    return utf8Text(this.bytes, this.position - length, this.position)
  }

  /** A string that is likely one of few. */
  key(): string {
    const length = this.#stringLength()
    this.#advance(length)
    return length <= 32
      ? keys.get(this.bytes, this.position - length, this.position)
      : utf8Text(this.bytes, this.position - length, this.position)
  }

  #stringLength(): number {
    const byte = this.peek()
    if (!isString(byte)) throw malformed('a map key must be a string')
    this.position++
    return byte <= 0xbf ? byte & 0x1f : this.#uint(WIDTHS[byte - 0xc0]!)
  }

  mapLength(depth: number): number {
    return this.#count(0x8f, depth, 2)
  }

  arrayLength(depth: number): number {
    return this.#count(0x9f, depth, 1)
  }

  peek(): number {
    if (this.position >= this.end) throw cutOff()
    return this.bytes[this.position]!
  }

  /** Every element takes a byte at least, so a count beyond what is left is a lie. */
  #count(lastShort: number, depth: number, perElement: number): number {
    const byte = this.peek()
    this.position++
    const count = byte <= lastShort ? byte & 0x0f : this.#uint(WIDTHS[byte - 0xc0]!)
    if (depth >= LIMITS.depth) throw malformed(`values nest deeper than ${LIMITS.depth}`)
    if (count * perElement > this.end - this.position) throw cutOff()
    return count
  }

  #advance(length: number): void {
    this.position += length
    if (this.position > this.end) throw cutOff()
  }

  #take(length: number): Uint8Array {
    const from = this.position
    this.#advance(length)
    // A copy, and plain: a buffer of Node's would share memory and print differently.
    return new Uint8Array(this.bytes.subarray(from, this.position))
  }

  #view(length: number): DataView {
    const from = this.position
    this.#advance(length)
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + from, length)
  }

  #uint(width: number): number {
    const from = this.position
    this.#advance(width)
    let value = 0
    for (let at = from; at < this.position; at++) value = value * 0x100 + this.bytes[at]!
    return value
  }
}

export const isMap = (byte: number): boolean =>
  (byte >= 0x80 && byte <= 0x8f) || byte === 0xde || byte === 0xdf

export const isArray = (byte: number): boolean =>
  (byte >= 0x90 && byte <= 0x9f) || byte === 0xdc || byte === 0xdd

const isString = (byte: number): boolean =>
  (byte >= 0xa0 && byte <= 0xbf) || (byte >= 0xd9 && byte <= 0xdb)

const isBytes = (byte: number): boolean => byte >= 0xc4 && byte <= 0xc6

/** By type from 0xc0 on: bytes of the value, or of its length; types without are not of the wire. */
const WIDTHS: readonly (number | undefined)[] = Array.from(
  '0-00124---4812481248-----1242424',
  (width) => (width === '-' ? undefined : Number(width)),
)

const keys = new TextCache(1024)

const number = (value: bigint): number | bigint =>
  value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value

const OWN = (value: unknown): PropertyDescriptor => ({
  value,
  enumerable: true,
  configurable: true,
  writable: true,
})

const malformed = (message: string): ProtocolError => new ProtocolError('INVALID_MESSAGE', message)
const cutOff = (): ProtocolError => malformed('the message ends in the middle of a value')
const foreign = (byte: number): ProtocolError =>
  malformed(`msgpack type 0x${byte.toString(16)} is not part of the protocol`)
