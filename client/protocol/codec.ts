import { encodeJsonBody } from './json-body.ts'
import { parseJson } from './json-text.ts'
import { jsonFrame } from './json-writer.ts'
import { LIMITS, type DecodeLimits } from './limits.ts'
import { ProtocolError } from './protocol-error.ts'
import type { Frame, MessageAnswer, RequestFrame, ServerFrame } from './frames.ts'
import { decodeMessageRequest, writeMessageAnswer, writeMessageNotice } from './hot-frames.ts'
import { decodeMsgpack, joinMsgpack, type NodeCodec } from './msgpack-codec.ts'
import { encodeMsgpack } from './msgpack-encoder.ts'
import { fieldsToEncode, type Direction } from './schema-of.ts'
import { salvageFrame } from './salvage.ts'
import { toFrame } from './to-frame.ts'

export const SUBPROTOCOLS = ['parley.v1.msgpack', 'parley.v1.json'] as const
export type Subprotocol = (typeof SUBPROTOCOLS)[number]

export function isSubprotocol(name: string): name is Subprotocol {
  return (SUBPROTOCOLS as readonly string[]).includes(name)
}

/** A frame, or several, as one WebSocket message carries it: text in JSON, binary in msgpack. */
export type EncodedFrame = Uint8Array | string

/**
 * Everything in one WebSocket message, in its order. What does not keep the protocol stands in its
 * place as a `ProtocolError` and does not hinder the others; damage that hides where the next frame
 * begins ends the list. Never throws. Opaque values are views of `data`: copy what must outlive it.
 */
export function decodeFrames(
  data: EncodedFrame,
  subprotocol: Subprotocol,
  direction: 'toServer',
  limits?: DecodeLimits,
): (RequestFrame | ProtocolError)[]
export function decodeFrames(
  data: EncodedFrame,
  subprotocol: Subprotocol,
  direction: 'toClient',
  limits?: DecodeLimits,
): (ServerFrame | ProtocolError)[]
export function decodeFrames(
  data: EncodedFrame,
  subprotocol: Subprotocol,
  direction: Direction,
  limits: DecodeLimits = direction === 'toServer' ? LIMITS : UNLIMITED,
): (Frame | ProtocolError)[] {
  if (subprotocol === 'parley.v1.json') return decodeJson(data, direction, limits)
  if (typeof data === 'string') return [invalid('parley.v1.msgpack takes binary messages')]
  return decodeMsgpack(data, direction, limits, NODE)
}

/** One frame. The bytes stay valid for good and may be shared by many sessions. */
export function encodeFrame(frame: Frame, subprotocol: 'parley.v1.msgpack'): Uint8Array
export function encodeFrame(frame: Frame, subprotocol: 'parley.v1.json'): string
export function encodeFrame(frame: Frame, subprotocol: Subprotocol): EncodedFrame
export function encodeFrame(frame: Frame, subprotocol: Subprotocol): EncodedFrame {
  if (subprotocol === 'parley.v1.msgpack') return encodeMsgpack(frame, NODE)
  const source = frame as unknown as Record<string, unknown>
  return jsonFrame(frame.t, source, fieldsToEncode(frame))
}

/** Several encoded frames of one subprotocol as one WebSocket message, in the given order. */
export function joinFrames(frames: readonly EncodedFrame[]): EncodedFrame {
  if (typeof frames[0] !== 'string') return joinMsgpack(frames as readonly Uint8Array[])
  return frames.length === 1 ? frames[0] : `[${frames.join(',')}]`
}

const NODE: NodeCodec = {
  decode: decodeMessageRequest,
  encode: (writer, frame) => {
    if (frame.t === 'msg:A' && !('error' in frame)) {
      writeMessageAnswer(writer, frame as MessageAnswer)
      return true
    }
    if (frame.t !== 'msg:N' || !('body' in frame) || frame.body === undefined) return false
    writeMessageNotice(writer, frame)
    return true
  },
  salvage: salvageFrame,
}
const UNLIMITED: DecodeLimits = { bodyBytes: Infinity, metaBytes: Infinity }
const text = new TextDecoder('utf-8', { fatal: true })

function decodeJson(
  data: EncodedFrame,
  direction: Direction,
  limits: DecodeLimits,
): (Frame | ProtocolError)[] {
  let parsed: unknown
  try {
    parsed = parseJson(typeof data === 'string' ? data : text.decode(data))
  } catch {
    return [invalid('the message is not JSON')]
  }
  const list: readonly unknown[] = Array.isArray(parsed) ? parsed : [parsed]
  if (list.length > LIMITS.framesPerMessage) {
    const most = `a message holds at most ${LIMITS.framesPerMessage} frames`
    return [new ProtocolError('PAYLOAD_TOO_LARGE', most)]
  }
  return list.map((source) => toFrame(source, direction, encodeJsonBody, limits))
}

const invalid = (message: string): ProtocolError => new ProtocolError('INVALID_MESSAGE', message)
