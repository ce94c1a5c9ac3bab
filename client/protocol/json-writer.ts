import { decodeJsonBody } from './json-body.ts'
import type { FieldType, Fields } from './schema.ts'
import { assertInteger } from './writer.ts'

/**
 * A frame as JSON, field by field of its schema: what `JSON.stringify` would make of a copy with its
 * opaque values decoded, without the copy.
 */
export function jsonFrame(
  frameType: string,
  source: Readonly<Record<string, unknown>>,
  fields: Fields,
): string {
  return `{"t":"${frameType}"${jsonFields(source, fields, ',')}}`
}

interface Part {
  readonly name: string
  readonly key: string
  readonly type: FieldType
}

/** The parts of each schema, in its order. */
const partsOf = new WeakMap<Fields, readonly Part[]>()

function partsFor(fields: Fields): readonly Part[] {
  const parts = Object.entries(fields).map(([name, { type }]) => {
    return { name, key: `${JSON.stringify(name)}:`, type }
  })
  partsOf.set(fields, parts)
  return parts
}

/** `first` stands before the first field that is there, a comma before each other one. */
function jsonFields(
  source: Readonly<Record<string, unknown>>,
  fields: Fields,
  first: '' | ',',
): string {
  let text = ''
  let separator: string = first
  for (const { name, key, type } of partsOf.get(fields) ?? partsFor(fields)) {
    const value = source[name]
    if (value === undefined) continue
    text += separator + key + jsonValue(value, type)
    separator = ','
  }
  return text
}

function jsonValue(value: unknown, type: FieldType): string {
  switch (type.type) {
    case 'integer':
      assertInteger(value as number)
      return String(value)
    case 'boolean':
      return value === true ? 'true' : 'false'
    case 'value': {
      const body = decodeJsonBody(value as Uint8Array)
      return typeof body === 'string' ? jsonString(body) : JSON.stringify(body)
    }
    case 'array': {
      let text = ''
      for (const item of value as unknown[]) {
        text += text === '' ? jsonValue(item, type.of) : `,${jsonValue(item, type.of)}`
      }
      return `[${text}]`
    }
    case 'object':
      return `{${jsonFields(value as Record<string, unknown>, type.fields, '')}}`
    case 'nullable':
      return value === null ? 'null' : jsonValue(value, type.of)
    case 'id':
    case 'string':
    case 'enum':
      return typeof value === 'string' ? jsonString(value) : String(value)
    default:
      return JSON.stringify(value)
  }
}

/** Of a few letters and digits, as ids are, most of the time would go into asking for it. */
function jsonString(text: string): string {
  if (text.length > SHORT) return JSON.stringify(text)
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) {
      return JSON.stringify(text)
    }
  }
  return `"${text}"`
}

const SHORT = 64
const QUOTE = 0x22
const BACKSLASH = 0x5c
