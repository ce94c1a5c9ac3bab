import type { Frame, RequestFrame } from './frames.ts'
import { LIMITS, type DecodeLimits } from './limits.ts'
import { ProtocolError } from './protocol-error.ts'
import { fieldsOf, type Direction } from './schema-of.ts'
import { isFrameId, isObject, validateFields, type ToBytes } from './validate.ts'

/** What was read as a frame, checked by the schema table; what is wrong with it instead. */
export function toFrame(
  source: unknown,
  direction: Direction,
  toBytes: ToBytes | null,
  limits: DecodeLimits,
): Frame | ProtocolError {
  try {
    if (!isObject(source)) throw invalid('a frame is a map with string keys')
    const frameType = Object.hasOwn(source, 't') ? source['t'] : undefined
    if (typeof frameType !== 'string') throw invalid('t must name the frame')
    const fields = fieldsOf(frameType, source, direction)
    const frame = validateFields(source, fields, '', toBytes, limits)
    frame['t'] = frameType
    return frame as unknown as Frame
  } catch (error) {
    const failure = asProtocolError(error)
    if (!isObject(source)) return failure
    const frameId = Object.hasOwn(source, 'id') ? source['id'] : undefined
    const frameType = Object.hasOwn(source, 't') ? source['t'] : undefined
    return identify(failure, frameId, frameType)
  }
}

/** Checks a frame of this program's own making, before it is kept or sent. */
export function validateFrame(frame: RequestFrame, limits: DecodeLimits = LIMITS): void {
  const source = frame as unknown as Record<string, unknown>
  validateFields(source, fieldsOf(frame.t, source, 'toServer'), '', null, limits)
}

/** Says which frame it was, as far as that can be told. */
export function identify(failure: ProtocolError, id: unknown, frameType: unknown): ProtocolError {
  if (isFrameId(id)) failure.id = id
  if (typeof frameType === 'string' && /^[a-z]{1,16}:[RAN]$/.test(frameType)) {
    failure.frameType = frameType
  }
  return failure
}

export function asProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error
  throw error
}

const invalid = (message: string): ProtocolError => new ProtocolError('INVALID_MESSAGE', message)
