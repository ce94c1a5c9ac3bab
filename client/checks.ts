import { ChatError } from './errors.ts'
import { encodeBody } from './protocol/body-codec.ts'
import { validateFrame } from './protocol/to-frame.ts'
import type { RequestFrame } from './protocol/frames.ts'
import { LIMITS } from './protocol/limits.ts'
import { ProtocolError } from './protocol/protocol-error.ts'

/** @throws ChatError for what a node would refuse by the frame alone. */
export function check(frame: object, bodyBytes: number = LIMITS.bodyBytes): void {
  try {
    validateFrame({ ...frame, id: 0 } as RequestFrame, { ...LIMITS, bodyBytes })
  } catch (error) {
    throw asChatError(error)
  }
}

/** @throws ChatError INVALID_MESSAGE */
export function encode(value: unknown): Uint8Array {
  try {
    return encodeBody(value)
  } catch (error) {
    throw asChatError(error)
  }
}

function asChatError(error: unknown): unknown {
  if (!(error instanceof ProtocolError)) return error
  return new ChatError(error.code, error.message, { cause: error })
}
