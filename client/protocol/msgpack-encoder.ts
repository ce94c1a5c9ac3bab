import type { Frame } from './frames.ts'
import type { NodeCodec } from './msgpack-codec.ts'
import { fieldsToEncode } from './schema-of.ts'
import type { FieldType, Fields } from './schema.ts'
import { Writer } from './writer.ts'

/** One frame, by the schema table. The bytes stay valid for good and may be shared by many sessions. */
export function encodeMsgpack(frame: Frame, codec: Pick<NodeCodec, 'encode'>): Uint8Array {
  try {
    if (!codec.encode(writer, frame)) writeFrame(frame)
    return writer.finish()
  } catch (error) {
    writer.reset()
    throw error
  }
}

const writer = new Writer()

function writeFrame(frame: Frame): void {
  const source = frame as unknown as Record<string, unknown>
  const fields = fieldsToEncode(frame)
  writer.map(1 + countFields(source, fields))
  writer.string('t')
  writer.string(frame.t)
  writeFields(source, fields)
}

function writeFields(source: Readonly<Record<string, unknown>>, fields: Fields): void {
  for (const name in fields) {
    const value = source[name]
    if (value === undefined) continue
    writer.string(name)
    writeField(value, fields[name]!.type)
  }
}

function writeField(value: unknown, type: FieldType): void {
  switch (type.type) {
    case 'value':
      return writer.raw(value as Uint8Array)
    case 'boolean':
      return writer.boolean(value as boolean)
    case 'integer':
      return writer.integer(value as number)
    case 'id':
      return typeof value === 'number' ? writer.integer(value) : writer.string(value as string)
    case 'string':
    case 'enum':
      return writer.string(value as string)
    case 'nullable':
      return value === null ? writer.nil() : writeField(value, type.of)
    case 'range':
      writer.array(2)
      for (const item of value as number[]) writer.integer(item)
      return
    case 'array': {
      const items = value as unknown[]
      writer.array(items.length)
      for (const item of items) writeField(item, type.of)
      return
    }
    case 'object': {
      const source = value as Record<string, unknown>
      writer.map(countFields(source, type.fields))
      return writeFields(source, type.fields)
    }
  }
}

function countFields(source: Readonly<Record<string, unknown>>, fields: Fields): number {
  let count = 0
  for (const name in fields) if (source[name] !== undefined) count++
  return count
}
