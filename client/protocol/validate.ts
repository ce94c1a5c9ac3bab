import type { DecodeLimits } from './limits.ts'
import { ProtocolError } from './protocol-error.ts'
import { Reader } from './reader.ts'
import type { Alphabet, FieldType, Fields } from './schema.ts'

/** Makes an opaque value's msgpack bytes of what is validated; `null` if it is those already. */
export type ToBytes = (value: unknown, path: string) => Uint8Array

/**
 * Returns a new object with the fields of the schema, checked, and nothing else.
 * @throws ProtocolError naming the first field that is wrong and what was expected of it.
 */
export function validateFields(
  source: Readonly<Record<string, unknown>>,
  fields: Fields,
  path: string,
  toBytes: ToBytes | null,
  limits: DecodeLimits,
): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const name in fields) {
    const field = fields[name]!
    const value = Object.hasOwn(source, name) ? source[name] : undefined
    // Many languages write an absent optional field as null.
    const absent =
      value === undefined || (value === null && !field.required && !takesNull(field.type))
    if (!absent) result[name] = validate(value, field.type, path + name, toBytes, limits)
    else if (field.required) throw invalid(path + name, 'is required')
  }
  return result
}

function validate(
  value: unknown,
  type: FieldType,
  path: string,
  toBytes: ToBytes | null,
  limits: DecodeLimits,
): unknown {
  switch (type.type) {
    case 'id':
      if (isFrameId(value)) return value === 0 ? 0 : value
      throw invalid(path, 'must be an integer from 0 to 2^53-1 or a string of 1 to 64 characters')
    case 'integer':
      if (Number.isSafeInteger(value)) {
        const number = value as number
        if (number >= type.min && number <= type.max) return number === 0 ? 0 : number
      }
      throw invalid(path, `must be an integer from ${type.min} to ${bound(type.max)}`)
    case 'string':
      return validateString(value, type, path)
    case 'enum':
      if (typeof value !== 'string') throw invalid(path, 'must be a string')
      if (!type.values.includes(value)) {
        const known = type.values.length <= 8 ? `: one of ${type.values.join(', ')}` : ''
        throw new ProtocolError('UNSUPPORTED', `${path} has an unknown value${known}`)
      }
      return value
    case 'boolean':
      if (typeof value !== 'boolean') throw invalid(path, 'must be true or false')
      return value
    case 'value': {
      const bytes = toBytes === null ? (value as Uint8Array) : toBytes(value, path)
      const most = limits[type.limit]
      if (bytes.length > most) {
        throw new ProtocolError(
          'PAYLOAD_TOO_LARGE',
          `${path} has ${bytes.length} bytes as msgpack, more than ${most}`,
        )
      }
      // It is told inside the map that its event has for a body, which nests no deeper than any other.
      if (type.limit === 'metaBytes') new Reader(bytes).skip(1)
      return bytes
    }
    case 'array': {
      if (!Array.isArray(value)) throw invalid(path, 'must be an array')
      if (value.length > type.max) throw invalid(path, `must hold at most ${type.max} elements`)
      return value.map((item, i) => validate(item, type.of, `${path}[${i}]`, toBytes, limits))
    }
    case 'range': {
      if (Array.isArray(value) && value.length === 2) {
        const [min, max] = value as unknown[]
        if (Number.isSafeInteger(min) && Number.isSafeInteger(max)) {
          // Zero has no sign on the wire: minus zero becomes plain by adding to it.
          if (0 <= (min as number) && (min as number) <= (max as number))
            return [(min as number) + 0, (max as number) + 0]
        }
      }
      throw invalid(path, 'must be [lowest, highest], two integers')
    }
    case 'object':
      if (!isObject(value)) throw invalid(path, 'must be an object')
      return validateFields(value, type.fields, `${path}.`, toBytes, limits)
    case 'nullable':
      return value === null ? null : validate(value, type.of, path, toBytes, limits)
  }
}

function validateString(
  value: unknown,
  type: Extract<FieldType, { type: 'string' }>,
  path: string,
): string {
  if (typeof value !== 'string') throw invalid(path, 'must be a string')
  if (type.alphabet !== undefined) {
    if (!isOfAlphabet(value, type.alphabet, type.maxBytes)) {
      const { expectation } = ALPHABETS[type.alphabet]
      throw invalid(path, `must be 1 to ${type.maxBytes} characters of ${expectation}`)
    }
  } else if (value.length > type.maxBytes || utf8Length(value) > type.maxBytes) {
    throw invalid(path, `must have at most ${type.maxBytes} bytes as UTF-8`)
  } else if (!value.isWellFormed()) {
    throw invalid(path, 'must be well-formed Unicode')
  }
  return value
}

/** Whether it is not empty, not too long, and all of one alphabet, which are all ASCII. */
export function isOfAlphabet(value: string, alphabet: Alphabet, maxBytes: number): boolean {
  return value.length <= maxBytes && ALPHABETS[alphabet].pattern.test(value)
}

const ALPHABETS: Readonly<Record<Alphabet, { pattern: RegExp; expectation: string }>> = {
  name: { pattern: /^[A-Za-z0-9._:@-]+$/, expectation: '[A-Za-z0-9._:@-]' },
  printable: { pattern: /^[!-~]+$/, expectation: 'printable ASCII without spaces' },
}

export function isFrameId(value: unknown): value is number | string {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0
  return (
    typeof value === 'string' && value.length >= 1 && value.length <= 64 && value.isWellFormed()
  )
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  )
}

/** `null` is a value of its own for these, not a way to leave the field out. */
const takesNull = (type: FieldType): boolean => type.type === 'nullable' || type.type === 'value'

const bound = (max: number): string => (max === Number.MAX_SAFE_INTEGER ? '2^53-1' : String(max))

const encoder = new TextEncoder()
const utf8Length = (text: string): number => encoder.encode(text).length

function invalid(path: string, expectation: string): ProtocolError {
  return new ProtocolError('INVALID_MESSAGE', `${path} ${expectation}`)
}
