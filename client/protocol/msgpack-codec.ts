import type { Frame } from './frames.ts'
import { LIMITS, type DecodeLimits } from './limits.ts'
import { ProtocolError } from './protocol-error.ts'
import { Reader, isArray, isMap, isString } from './reader.ts'
import type { Salvaged } from './salvage.ts'
import { allFields, fieldsToEncode, type Direction } from './schema-of.ts'
import type { FieldType, Fields } from './schema.ts'
import { asProtocolError, identify, toFrame } from './to-frame.ts'
import { Writer } from './writer.ts'

/** What a node needs beyond the table, which an SDK does without. */
export interface NodeCodec {
  /** Reads a request in a way of its own; `null` leaves it to the table. */
  decode(reader: Reader, limits: DecodeLimits): Frame | null
  /** Writes a frame in a way of its own; `false` leaves it to the table. */
  encode(writer: Writer, frame: Frame): boolean
  /** Goes on behind a frame that cannot be read; without it, the message ends there. */
  salvage(bytes: Uint8Array, from: number): Salvaged | null
}

/** The frames of one WebSocket message, by the schema table; see `decodeFrames`. Never throws. */
export function decodeMsgpack(
  data: Uint8Array,
  direction: Direction,
  limits: DecodeLimits,
  codec: NodeCodec | null = null,
): (Frame | ProtocolError)[] {
  const frames: (Frame | ProtocolError)[] = []
  try {
    decodeAll(new Reader(data), direction, limits, codec, frames)
  } catch (error) {
    frames.push(asProtocolError(error))
  }
  return frames
}

function decodeAll(
  reader: Reader,
  direction: Direction,
  limits: DecodeLimits,
  codec: NodeCodec | null,
  frames: (Frame | ProtocolError)[],
): void {
  let count = 1
  if (isArray(reader.peek())) {
    count = reader.arrayLength(0)
    if (count > LIMITS.framesPerMessage) throw tooManyFrames()
  }
  for (let i = 0; i < count; i++) {
    const from = reader.position
    const frame = direction === 'toServer' ? (codec?.decode(reader, limits) ?? null) : null
    if (frame === null) reader.position = from
    frames.push(frame ?? decodeOne(reader, direction, limits, codec))
  }
  if (reader.position !== reader.end) throw invalid('bytes follow the last frame')
}

/** @throws ProtocolError if it cannot be told where the frame ends. */
function decodeOne(
  reader: Reader,
  direction: Direction,
  limits: DecodeLimits,
  codec: NodeCodec | null,
): Frame | ProtocolError {
  const from = reader.position
  try {
    return toFrame(readFrame(reader, direction), direction, null, limits)
  } catch (error) {
    const failure = asProtocolError(error)
    const salvaged = codec?.salvage(reader.bytes, from) ?? null
    if (salvaged === null) throw failure
    reader.position = salvaged.end
    return identify(failure, salvaged.id, salvaged.frameType)
  }
}

/** One frame. The bytes stay valid for good and may be shared by many sessions. */
export function encodeMsgpack(frame: Frame, codec: NodeCodec | null = null): Uint8Array {
  try {
    if (codec === null || !codec.encode(writer, frame)) writeFrame(frame)
    return writer.finish()
  } catch (error) {
    writer.reset()
    throw error
  }
}

/** Several encoded frames as one WebSocket message, in the given order. */
export function joinMsgpack(parts: readonly Uint8Array[]): Uint8Array {
  const first = parts[0]
  if (first === undefined) throw new RangeError('a message holds at least one frame')
  if (parts.length === 1) return first
  let length = ARRAY_HEADER_BYTES
  for (const part of parts) length += part.length
  const result = new Uint8Array(length)
  result[0] = 0xdc
  result[1] = parts.length >>> 8
  result[2] = parts.length & 0xff
  if (parts.length > 0xffff) throw new RangeError('a message holds at most 65,535 frames')
  let position = ARRAY_HEADER_BYTES
  for (const part of parts) {
    result.set(part, position)
    position += part.length
  }
  return result
}

const ARRAY_HEADER_BYTES = 3
const writer = new Writer()

/** A frame's map as an object, its opaque values as bytes. Fields without a schema are passed over. */
function readFrame(reader: Reader, direction: Direction): unknown {
  if (!isMap(reader.peek())) {
    reader.skip()
    return null
  }
  const from = reader.position
  const frameType = findFrameType(reader)
  reader.position = from
  const fields = frameType === null ? null : allFields(frameType, direction)
  const source = readObject(reader, fields ?? ID_ONLY, 0)
  if (frameType !== null) source['t'] = frameType
  return source
}

const ID_ONLY: Fields = { id: { type: { type: 'id' }, required: true } }

function findFrameType(reader: Reader): string | null {
  let frameType: string | null = null
  const length = reader.mapLength(0)
  for (let i = 0; i < length; i++) {
    const key = reader.key()
    if (key === 't' && isString(reader.peek())) {
      frameType = reader.key()
      // Usually the first key.
      if (i === 0) return frameType
      // A body may nest as deep as if it were read alone; what else is too deep is found later.
    } else reader.skip(0)
  }
  return frameType
}

function readObject(reader: Reader, fields: Fields, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  const length = reader.mapLength(depth)
  let hasType = false
  for (let i = 0; i < length; i++) {
    const key = reader.key()
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (field !== undefined) result[key] = readField(reader, field.type, depth + 1)
    else {
      // Of other equal keys the last counts, but by this one the others are read.
      if (key === 't' && depth === 0 && hasType) throw invalid('t is given twice')
      hasType ||= key === 't'
      reader.skip(depth + 1)
    }
  }
  return result
}

function readField(reader: Reader, type: FieldType, depth: number): unknown {
  if (type.type === 'value') return reader.slice()
  const byte = reader.peek()
  if (type.type === 'nullable') {
    if (byte !== 0xc0) return readField(reader, type.of, depth)
    reader.position++
    return null
  }
  if (isMap(byte)) {
    if (type.type === 'object') return readObject(reader, type.fields, depth)
    reader.skip(depth)
    return WRONG_TYPE
  }
  if (isArray(byte)) {
    if (type.type !== 'array' && type.type !== 'range') {
      reader.skip(depth)
      return WRONG_TYPE
    }
    const of: FieldType = type.type === 'array' ? type.of : ANY_INTEGER
    const result: unknown[] = []
    const length = reader.arrayLength(depth)
    for (let i = 0; i < length; i++) result.push(readField(reader, of, depth + 1))
    return result
  }
  return reader.scalar()
}

/** Stands for a container where the schema has a scalar: no field accepts it. */
const WRONG_TYPE = Symbol('wrong type')
const ANY_INTEGER: FieldType = { type: 'integer', min: 0, max: Number.MAX_SAFE_INTEGER }

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

const invalid = (message: string): ProtocolError => new ProtocolError('INVALID_MESSAGE', message)

const tooManyFrames = (): ProtocolError =>
  new ProtocolError(
    'PAYLOAD_TOO_LARGE',
    `a message holds at most ${LIMITS.framesPerMessage} frames`,
  )
