import {
  ERROR_CODES,
  type ErrorCode,
  type Outcome,
  type WireError,
} from './protocol/error-codes.ts'

/** The SDK's own codes, and whether doing the same again may succeed. */
const OWN_CODES = {
  CLOSED: false,
  OUTBOX_FULL: true,
  TIMEOUT: true,
  /** Another client, process or tab has the store. */
  STORE_LOCKED: true,
  /** The store is another device's or user's. */
  STORE_MISMATCH: false,
  STORE_DAMAGED: false,
  /** It could not be opened, or a write to it failed: the client ends. */
  STORE_FAILED: false,
  /** More cursors than the store may hold. */
  STORE_FULL: false,
} as const

/** The wire's codes and the SDK's own. */
export type ChatErrorCode = ErrorCode | keyof typeof OWN_CODES

const BRAND = Symbol.for('parley.ChatError')

/** Every error that the SDK throws or rejects with. Decide by `code`, never by `message`. */
export class ChatError extends Error {
  override readonly name = 'ChatError'
  readonly code: ChatErrorCode
  /** Whether doing the same again may succeed. A write is then to be repeated by `retry()`. */
  readonly retryable: boolean
  /** `notApplied`: certainly nothing was stored. `unknown`: it may have been. */
  readonly outcome: Outcome
  /** Milliseconds that the server asked to wait, if it did. */
  readonly retryAfterMs: number | null

  constructor(
    code: ChatErrorCode,
    message: string,
    more: {
      retryable?: boolean
      outcome?: Outcome
      retryAfterMs?: number | null
      cause?: unknown
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.code = code
    this.retryable = more.retryable ?? isRetryable(code)
    this.outcome = more.outcome ?? 'notApplied'
    this.retryAfterMs = more.retryAfterMs ?? null
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Also true for an error of another copy of this package. */
  static is(error: unknown): error is ChatError {
    return error instanceof Error && BRAND in error
  }

  static fromWire(error: WireError): ChatError {
    return new ChatError(error.code, error.message, {
      retryable: error.retryable,
      outcome: error.outcome,
      retryAfterMs: error.retryAfterMs ?? null,
    })
  }
}

function isRetryable(code: ChatErrorCode): boolean {
  return code in OWN_CODES
    ? OWN_CODES[code as keyof typeof OWN_CODES]
    : ERROR_CODES[code as ErrorCode].retryable
}
