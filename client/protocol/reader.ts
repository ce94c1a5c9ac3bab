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
    const byte = this.byte()
    if (byte <= 0x7f || byte >= 0xe0) return
    if (byte <= 0x8f) return this.#skipMap(byte & 0x0f, depth)
    if (byte <= 0x9f) return this.#skipArray(byte & 0x0f, depth)
    if (byte <= 0xbf) return this.#advance(byte & 0x1f)
    switch (byte) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return
      case 0xc4:
      case 0xd9:
        return this.#advance(this.#u8())
      case 0xc5:
      case 0xda:
        return this.#advance(this.#u16())
      case 0xc6:
      case 0xdb:
        return this.#advance(this.#u32())
      case 0xcc:
      case 0xd0:
        return this.#advance(1)
      case 0xcd:
      case 0xd1:
        return this.#advance(2)
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.#advance(4)
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return this.#advance(8)
      case 0xdc:
        return this.#skipArray(this.#u16(), depth)
      case 0xdd:
        return this.#skipArray(this.#u32(), depth)
      case 0xde:
        return this.#skipMap(this.#u16(), depth)
      case 0xdf:
        return this.#skipMap(this.#u32(), depth)
      default:
        throw malformed(`msgpack type 0x${byte.toString(16)} is not part of the protocol`)
    }
  }

  /** The bytes of the next value, unread: a view, not a copy. */
  slice(): Uint8Array {
    const from = this.position
    this.skip()
    return this.bytes.subarray(from, this.position)
  }

  /** One value as JavaScript: bytes as `Uint8Array`, integers beyond 2^53 as `bigint`. */
  value(depth = 0): unknown {
    const byte = this.peek()
    if (isMap(byte)) {
      const length = this.mapLength(depth)
      const result: Record<string, unknown> = {}
      for (let i = 0; i < length; i++) {
        const key = this.key()
        const value = this.value(depth + 1)
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
      for (let i = 0; i < length; i++) result.push(this.value(depth + 1))
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
    switch (byte) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#take(this.#u8())
      case 0xc5:
        return this.#take(this.#u16())
      case 0xc6:
        return this.#take(this.#u32())
      case 0xca:
        return this.#view(4).getFloat32(0)
      case 0xcb:
        return this.#view(8).getFloat64(0)
      case 0xcc:
        return this.#u8()
      case 0xcd:
        return this.#u16()
      case 0xce:
        return this.#u32()
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
        throw malformed(`msgpack type 0x${byte.toString(16)} is not part of the protocol`)
    }
  }

  string(): string {
    const length = this.#stringLength()
    return utf8Text(this.bytes, this.position - length, this.position)
  }

  /** A string that is likely one of few. */
  key(): string {
    const length = this.#stringLength()
    return length <= 32
      ? keys.get(this.bytes, this.position - length, this.position)
      : utf8Text(this.bytes, this.position - length, this.position)
  }

  /** Passes over a string, whose last byte is then just behind. */
  #stringLength(): number {
    const byte = this.byte()
    let length: number
    if (byte >= 0xa0 && byte <= 0xbf) length = byte & 0x1f
    else if (byte === 0xd9) length = this.#u8()
    else if (byte === 0xda) length = this.#u16()
    else if (byte === 0xdb) length = this.#u32()
    else throw malformed('a map key must be a string')
    this.#advance(length)
    return length
  }

  mapLength(depth: number): number {
    const byte = this.byte()
    const length = byte <= 0x8f ? byte & 0x0f : byte === 0xde ? this.#u16() : this.#u32()
    this.#enter(length * 2, depth)
    return length
  }

  arrayLength(depth: number): number {
    const byte = this.byte()
    const length = byte <= 0x9f ? byte & 0x0f : byte === 0xdc ? this.#u16() : this.#u32()
    this.#enter(length, depth)
    return length
  }

  peek(): number {
    if (this.position >= this.end) throw malformed('the message ends in the middle of a value')
    return this.bytes[this.position]!
  }

  byte(): number {
    const byte = this.peek()
    this.position++
    return byte
  }

  /** Every element takes a byte at least, so a count beyond what is left is a lie. */
  #enter(elements: number, depth: number): void {
    if (depth >= LIMITS.depth) throw malformed(`values nest deeper than ${LIMITS.depth}`)
    if (elements > this.end - this.position) {
      throw malformed('the message ends in the middle of a value')
    }
  }

  #skipMap(length: number, depth: number): void {
    this.#enter(length * 2, depth)
    for (let i = 0; i < length; i++) {
      if (!isString(this.peek())) throw malformed('a map key must be a string')
      this.skip(depth + 1)
      this.skip(depth + 1)
    }
  }

  #skipArray(length: number, depth: number): void {
    this.#enter(length, depth)
    for (let i = 0; i < length; i++) this.skip(depth + 1)
  }

  #advance(length: number): void {
    this.position += length
    if (this.position > this.end) throw malformed('the message ends in the middle of a value')
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

  #u8(): number {
    return this.byte()
  }

  #u16(): number {
    return this.byte() * 0x100 + this.byte()
  }

  #u32(): number {
    return this.#u16() * 0x10000 + this.#u16()
  }
}

export const isMap = (byte: number): boolean =>
  (byte >= 0x80 && byte <= 0x8f) || byte === 0xde || byte === 0xdf

export const isArray = (byte: number): boolean =>
  (byte >= 0x90 && byte <= 0x9f) || byte === 0xdc || byte === 0xdd

export const isString = (byte: number): boolean =>
  (byte >= 0xa0 && byte <= 0xbf) || (byte >= 0xd9 && byte <= 0xdb)

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
