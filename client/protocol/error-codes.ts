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

/** Why it failed says whether trying again may help. */
const because =
  (category: ErrorCategory, retryable: boolean) =>
  (status: number, outcome: Outcome = 'notApplied'): CodeInfo => ({
    category,
    retryable,
    outcome,
    status,
  })
const invalid = because('invalid', false)
const rejected = because('rejected', false)
const auth = because('auth', false)
const overload = because('overload', true)
const unavailable = because('unavailable', true)
const internal = because('internal', true)

export const ERROR_CODES = {
  /** The frame is malformed: a field is missing or has the wrong type or range. */
  INVALID_MESSAGE: invalid(400),
  /** Frame type, enum value or operation this server does not know. */
  UNSUPPORTED: invalid(400),
  PAYLOAD_TOO_LARGE: invalid(413),
  /** The msgId was used before by this sender in this conversation, with another content. */
  PAYLOAD_MISMATCH: rejected(422),
  /** `replyTo` names no event that exists and is visible to the sender. */
  UNKNOWN_REPLY: rejected(422),
  /** `prev` has no result yet: resend from the oldest unsettled write, in order. */
  OUT_OF_ORDER: unavailable(409),
  /** `since` is older than the window and no result is kept: look in the history. */
  WINDOW_EXPIRED: rejected(409, 'unknown'),
  CANCELLED: rejected(409),
  NOT_MEMBER: rejected(403),
  FORBIDDEN: rejected(403),
  /** Any conversation that does not exist. */
  GROUP_NOT_FOUND: rejected(404),
  GROUP_FULL: rejected(409),
  USER_BLOCKED: rejected(403),
  REJECTED_SPAM: rejected(422),
  AUTHENTICATION_FAILED: auth(401),
  RATE_LIMITED: overload(429),
  OVERLOADED: overload(503),
  NO_LEADER: unavailable(503),
  NOT_LEADER: unavailable(503),
  NO_QUORUM: unavailable(503),
  /** No answer in time: the write may be stored. Retry with the same msgId. */
  OUTCOME_UNKNOWN: unavailable(503, 'unknown'),
  /** This node has not applied as far as the given mark. */
  BEHIND: unavailable(503),
  DISK_FULL: unavailable(507),
  DRAINING: unavailable(503),
  /** A newer session of the same device took over. */
  REPLACED: rejected(409),
  POSITION_UNRECOVERABLE: rejected(410),
  SEQ_EXHAUSTED: rejected(410),
  INTERNAL: internal(500, 'unknown'),
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
