import type { Frame } from './frames.ts'
import { LIMITS, type DecodeLimits } from './limits.ts'
import { ProtocolError } from './protocol-error.ts'
import { Reader, isArray } from './reader.ts'
import type { Salvaged } from './salvage.ts'
import type { Direction } from './schema-of.ts'
import { OPAQUE_FIELDS } from './schema.ts'
import { asProtocolError, identify, toFrame } from './to-frame.ts'
import type { Writer } from './writer.ts'

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
    // Opaque values stay bytes; what the schema does not know is passed over afterwards.
    return toFrame(reader.value(0, OPAQUE_FIELDS), direction, null, limits)
  } catch (error) {
    const failure = asProtocolError(error)
    const salvaged = codec?.salvage(reader.bytes, from) ?? null
    if (salvaged === null) throw failure
    reader.position = salvaged.end
    return identify(failure, salvaged.id, salvaged.frameType)
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

const invalid = (message: string): ProtocolError => new ProtocolError('INVALID_MESSAGE', message)

const tooManyFrames = (): ProtocolError =>
  new ProtocolError(
    'PAYLOAD_TOO_LARGE',
    `a message holds at most ${LIMITS.framesPerMessage} frames`,
  )
