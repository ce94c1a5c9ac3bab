import type { Frame } from './frames.ts'
import { ProtocolError } from './protocol-error.ts'
import {
  BARE_NOTICE_SCHEMA,
  FAILURE_SCHEMA,
  REQUEST_SCHEMAS,
  SERVER_SCHEMAS,
  type Fields,
  type FrameSchema,
} from './schema.ts'

/** Which side decodes: a node takes requests, a client takes answers and notices. */
export type Direction = FrameSchema['direction']

/** The fields of the one shape that `source` has. */
export function fieldsOf(
  frameType: string,
  source: Readonly<Record<string, unknown>>,
  direction: Direction,
): Fields {
  if (direction === 'toClient') {
    if (source['error'] !== undefined && frameType.endsWith(':A')) return FAILURE_SCHEMA.fields
    if (frameType === 'msg:N' && source['kind'] === undefined) return BARE_NOTICE_SCHEMA.fields
  }
  const schema = lookup(frameType, direction)
  if (schema === undefined) throw new ProtocolError('UNSUPPORTED', `unknown frame ${frameType}`)
  if (schema.oneOf !== undefined) checkOneOf(source, schema.oneOf)
  if (schema.variants === undefined) return schema.fields
  const { on, fields } = schema.variants
  const variant = source[on]
  if (typeof variant !== 'string') throw new ProtocolError('INVALID_MESSAGE', `${on} is required`)
  const merged = VARIANT_FIELDS.get(`${frameType} ${variant}`)
  if (merged === undefined) {
    const known = Object.keys(fields).join(', ')
    throw new ProtocolError('UNSUPPORTED', `${on} has an unknown value: one of ${known}`)
  }
  return merged
}

/** The fields to encode a frame by; a frame of our own making always has a shape. */
export function fieldsToEncode(frame: Frame): Fields {
  const direction = frame.t.endsWith(':R') ? 'toServer' : 'toClient'
  return fieldsOf(frame.t, frame as unknown as Record<string, unknown>, direction)
}

function checkOneOf(source: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const given = names.filter((name) => source[name] !== undefined && source[name] !== null)
  if (given.length !== 1) {
    throw new ProtocolError('INVALID_MESSAGE', `exactly one of ${names.join(' and ')} is required`)
  }
}

function lookup(frameType: string, direction: Direction): FrameSchema | undefined {
  const table: Readonly<Record<string, FrameSchema>> =
    direction === 'toServer' ? REQUEST_SCHEMAS : SERVER_SCHEMAS
  return Object.hasOwn(table, frameType) ? table[frameType] : undefined
}

const VARIANT_FIELDS = new Map<string, Fields>()

for (const [frameType, { fields, variants }] of Object.entries(REQUEST_SCHEMAS)) {
  for (const [value, more] of Object.entries(variants?.fields ?? {})) {
    const on: Fields = {
      [variants!.on]: { type: { type: 'enum', values: [value] }, required: true },
    }
    VARIANT_FIELDS.set(`${frameType} ${value}`, { ...fields, ...on, ...more })
  }
}
