import fc from 'fast-check'
import { encodeBody } from './body-codec.ts'
import type { Fields, FieldType, FrameSchema } from './schema.ts'
import { BARE_NOTICE_SCHEMA, FAILURE_SCHEMA, REQUEST_SCHEMAS, SERVER_SCHEMAS } from './schema.ts'

/** Frames of every shape that the schema table allows, or of one type: for property tests. */
export function arbitraryFrame(
  direction: FrameSchema['direction'],
  only?: string,
): fc.Arbitrary<Record<string, unknown> & { t: string }> {
  const table = direction === 'toServer' ? REQUEST_SCHEMAS : SERVER_SCHEMAS
  const shapes: fc.Arbitrary<Record<string, unknown> & { t: string }>[] = []
  for (const [t, schema] of Object.entries(table)) {
    if (only !== undefined && t !== only) continue
    if (schema.variants === undefined) {
      shapes.push(oneOf(arbitraryFields(schema.fields), schema.oneOf).map((f) => ({ t, ...f })))
      continue
    }
    const { on, fields } = schema.variants
    for (const [value, variant] of Object.entries(fields)) {
      const all = arbitraryFields({ ...schema.fields, ...variant })
      shapes.push(all.map((f) => ({ t, [on]: value, ...f })))
    }
  }
  if (direction === 'toClient' && only === undefined) {
    shapes.push(arbitraryFields(BARE_NOTICE_SCHEMA.fields).map((f) => ({ t: 'msg:N', ...f })))
    shapes.push(arbitraryFields(FAILURE_SCHEMA.fields).map((f) => ({ t: 'msg:A', ...f })))
  }
  return fc.oneof(...shapes)
}

/** JSON values with keys and numbers that encoders like to trip over. */
export const arbitraryJson: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'xsmall', withCrossShrink: true },
    fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ minLength: 20, maxLength: 60, unit: 'grapheme-ascii' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.oneof(
        fc.string(),
        fc.constantFrom('__proto__', 'constructor', 'toJSON', 'hasOwnProperty', 'length', '0', ''),
      ),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value

function arbitraryFields(fields: Fields): fc.Arbitrary<Record<string, unknown>> {
  const shape: Record<string, fc.Arbitrary<unknown>> = {}
  const requiredKeys: string[] = []
  for (const [name, field] of Object.entries(fields)) {
    shape[name] = arbitraryField(field.type)
    if (field.required) requiredKeys.push(name)
  }
  return fc.record(shape, { requiredKeys }) as fc.Arbitrary<Record<string, unknown>>
}

function oneOf(
  frames: fc.Arbitrary<Record<string, unknown>>,
  names: readonly string[] | undefined,
): fc.Arbitrary<Record<string, unknown>> {
  if (names === undefined) return frames
  return fc.tuple(frames, fc.constantFrom(...names)).map(([frame, keep]) => {
    const rest = Object.entries(frame).filter(([name]) => !names.includes(name))
    const value = frame[keep] ?? (keep === 'conv' || keep === 'to' ? 'c1' : 7)
    return { ...Object.fromEntries(rest), [keep]: value }
  })
}

const characters = (alphabet: string): fc.Arbitrary<string> =>
  fc.constantFrom(...alphabet.split(''))
const NAME = 'ABCXYZabcxyz0189._:@-'
const PRINTABLE = `${NAME}!#$%&()*+,/;<=>?[]^{|}~"'\\`

function arbitraryField(type: FieldType): fc.Arbitrary<unknown> {
  switch (type.type) {
    case 'id':
      return fc.oneof(fc.maxSafeNat(), fc.string({ minLength: 1, maxLength: 30, unit: 'binary' }))
    case 'integer':
      return fc.oneof(
        fc.maxSafeInteger().map((n) => Math.min(type.max, Math.max(type.min, n))),
        fc.integer({ min: type.min, max: Math.min(type.max, 300) }),
      )
    case 'string':
      if (type.alphabet === undefined) {
        return fc.string({
          maxLength: Math.floor(Math.min(type.maxBytes, 200) / 4),
          unit: 'binary',
        })
      }
      return fc.string({
        minLength: 1,
        maxLength: Math.min(type.maxBytes, 40),
        unit: characters(type.alphabet === 'name' ? NAME : PRINTABLE),
      })
    case 'enum':
      return fc.constantFrom(...type.values)
    case 'boolean':
      return fc.boolean()
    case 'value':
      return arbitraryJson.map(encodeBody)
    case 'array':
      return fc.array(arbitraryField(type.of), { maxLength: 4 })
    case 'range':
      return fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => [Math.min(a, b), Math.max(a, b)])
    case 'object':
      return arbitraryFields(type.fields)
    case 'nullable':
      return fc.option(arbitraryField(type.of))
  }
}
