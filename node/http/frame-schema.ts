import { type Field, type FieldType, type Fields, REQUEST_SCHEMAS, SERVER_SCHEMAS } from '#protocol'
import type { JsonSchema, ParameterDoc } from './route.ts'

/** The fields of a frame as a JSON Schema, so that the description of HTTP follows the frames. */
export function requestSchema(
  frameType: keyof typeof REQUEST_SCHEMAS,
  options: { readonly without: readonly string[]; readonly variant?: string },
): JsonSchema {
  const schema = REQUEST_SCHEMAS[frameType]
  const more = options.variant === undefined ? {} : schema.variants?.fields[options.variant]
  return objectSchema(omit({ ...schema.fields, ...more }, options.without))
}

/** As `requestSchema`, of an answer; `id` is of frames alone. */
export function answerSchema(
  frameType: keyof typeof SERVER_SCHEMAS,
  only?: readonly string[],
): JsonSchema {
  const { fields } = SERVER_SCHEMAS[frameType]
  const left = Object.keys(fields).filter((name) => only !== undefined && !only.includes(name))
  return objectSchema(omit(fields, ['id', 'mark', ...left]))
}

/** One field of a request as a query parameter or a header. */
export function parameterOf(
  field: Field | undefined,
  parameter: Omit<ParameterDoc, 'schema' | 'required'>,
): ParameterDoc {
  return { ...parameter, schema: field === undefined ? { type: 'string' } : schemaOf(field.type) }
}

function omit(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))
}

function objectSchema(fields: Fields): JsonSchema {
  const entries = Object.entries(fields)
  const required = entries.filter(([, field]) => field.required).map(([name]) => name)
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(entries.map(([name, { type }]) => [name, schemaOf(type)])),
  }
}

const PATTERNS = { name: '^[A-Za-z0-9._:@-]+$', printable: '^[!-~]+$' } as const

function schemaOf(type: FieldType): JsonSchema {
  switch (type.type) {
    case 'id':
      return { type: ['integer', 'string'] }
    case 'integer':
      return { type: 'integer', minimum: type.min, maximum: type.max }
    case 'string':
      return type.alphabet === undefined
        ? { type: 'string', maxLength: type.maxBytes }
        : { type: 'string', maxLength: type.maxBytes, pattern: PATTERNS[type.alphabet] }
    case 'enum':
      return { enum: type.values }
    case 'boolean':
      return { type: 'boolean' }
    case 'value':
      return { description: 'Any value; byte strings are {"$bytes": "<base64>"} in JSON.' }
    case 'array':
      return { type: 'array', maxItems: type.max, items: schemaOf(type.of) }
    case 'range':
      return { type: 'array', minItems: 2, maxItems: 2, items: { type: 'integer' } }
    case 'object':
      return objectSchema(type.fields)
    case 'nullable':
      return { anyOf: [schemaOf(type.of), { type: 'null' }] }
  }
}
