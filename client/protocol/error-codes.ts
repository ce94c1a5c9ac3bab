/** The closed list of wire errors: what each means and what a client may do about it. */

/** Why, in one word: decides how an SDK reacts. */
export type ErrorCategory =
  'invalid' | 'rejected' | 'auth' | 'overload' | 'unavailable' | 'internal'

/** `notApplied`: certainly nothing was stored. `unknown`: it may have been. */
export type Outcome = 'notApplied' | 'unknown'

interface CodeInfo {
  readonly category: ErrorCategory
  readonly retryable: boolean
  readonly outcome: Outcome
  /** HTTP status of the same failure. */
  readonly status: number
}

const info = (
  category: ErrorCategory,
  retryable: boolean,
  status: number,
  outcome: Outcome = 'notApplied',
): CodeInfo => ({ category, retryable, outcome, status })

export const ERROR_CODES = {
  /** The frame is malformed: a field is missing or has the wrong type or range. */
  INVALID_MESSAGE: info('invalid', false, 400),
  /** Frame type, enum value or operation this server does not know. */
  UNSUPPORTED: info('invalid', false, 400),
  PAYLOAD_TOO_LARGE: info('invalid', false, 413),
  /** The msgId was used before by this sender in this conversation, with another content. */
  PAYLOAD_MISMATCH: info('rejected', false, 422),
  /** `replyTo` names no event that exists and is visible to the sender. */
  UNKNOWN_REPLY: info('rejected', false, 422),
  /** `prev` has no result yet: resend from the oldest unsettled write, in order. */
  OUT_OF_ORDER: info('unavailable', true, 409),
  /** `since` is older than the window and no result is kept: look in the history. */
  WINDOW_EXPIRED: info('rejected', false, 409, 'unknown'),
  CANCELLED: info('rejected', false, 409),
  NOT_MEMBER: info('rejected', false, 403),
  FORBIDDEN: info('rejected', false, 403),
  /** Any conversation that does not exist. */
  GROUP_NOT_FOUND: info('rejected', false, 404),
  GROUP_FULL: info('rejected', false, 409),
  USER_BLOCKED: info('rejected', false, 403),
  REJECTED_SPAM: info('rejected', false, 422),
  AUTHENTICATION_FAILED: info('auth', false, 401),
  RATE_LIMITED: info('overload', true, 429),
  OVERLOADED: info('overload', true, 503),
  NO_LEADER: info('unavailable', true, 503),
  NOT_LEADER: info('unavailable', true, 503),
  NO_QUORUM: info('unavailable', true, 503),
  /** No answer in time: the write may be stored. Retry with the same msgId. */
  OUTCOME_UNKNOWN: info('unavailable', true, 503, 'unknown'),
  /** This node has not applied as far as the given mark. */
  BEHIND: info('unavailable', true, 503),
  DISK_FULL: info('unavailable', true, 507),
  DRAINING: info('unavailable', true, 503),
  /** A newer session of the same device took over. */
  REPLACED: info('rejected', false, 409),
  POSITION_UNRECOVERABLE: info('rejected', false, 410),
  SEQ_EXHAUSTED: info('rejected', false, 410),
  INTERNAL: info('internal', true, 500, 'unknown'),
} as const satisfies Record<string, CodeInfo>

export type ErrorCode = keyof typeof ERROR_CODES

/** The `error` field of a failure answer and of `error:N`. */
export interface WireError {
  readonly code: ErrorCode
  readonly category: ErrorCategory
  /** A sentence for people: what was wrong and what to do. */
  readonly message: string
  readonly retryable: boolean
  readonly retryAfterMs?: number | undefined
  readonly leader?: { readonly id: string; readonly url: string } | null | undefined
  readonly outcome: Outcome
}

export function wireError(
  code: ErrorCode,
  message: string,
  more: {
    retryAfterMs?: number | undefined
    leader?: WireError['leader']
    outcome?: Outcome
  } = {},
): WireError {
  const { category, retryable, outcome } = ERROR_CODES[code]
  return { code, category, message, retryable, outcome, ...more }
}

/** WebSocket close codes. */
export const CloseCode = {
  normal: 1000,
  policy: 1008,
  tooLarge: 1009,
  drain: 1012,
  overload: 1013,
  authenticationExpired: 4001,
  replaced: 4002,
  slowConsumer: 4003,
  version: 4004,
} as const
