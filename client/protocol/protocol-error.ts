import type { ErrorCode } from './error-codes.ts'
import type { FrameId } from './frames.ts'

/** What a frame can be refused for before anything else looks at it. */
export type ProtocolErrorCode = Extract<
  ErrorCode,
  'INVALID_MESSAGE' | 'UNSUPPORTED' | 'PAYLOAD_TOO_LARGE'
>

/** In UTF-16 code units: as UTF-8 within what the schema of an error allows. */
const LONGEST_MESSAGE = 1000

/** A frame that does not keep the protocol. The only thing that decoding ever reports. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ProtocolErrorCode
  /** The frame's id if it could be read: the refusal is then its answer, else an `error:N`. */
  id: FrameId | null = null
  /** The frame's type if it could be read. */
  frameType: string | null = null

  constructor(code: ProtocolErrorCode, message: string) {
    // It may quote what was sent, and must itself be a text that the sender can read.
    super(message.slice(0, LONGEST_MESSAGE).toWellFormed())
    this.code = code
  }
}
