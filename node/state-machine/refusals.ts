import type { ErrorCode } from '#protocol'
import type { RefuseCommand } from './commands.ts'

/**
 * Every final refusal that the log can give. A verdict stores the number, so that all nodes and all
 * later copies of the write say the same: numbers are never given anew, sentences may be improved.
 */
export const Refusal = {
  unknownConversation: 1,
  notMember: 2,
  groupFull: 3,
  unknownReply: 4,
  directIsFixed: 5,
  roleTooLow: 6,
  alreadyMember: 7,
  targetNotMember: 8,
  ownersOnly: 9,
  lastOwner: 10,
  leaveInstead: 11,
  cancelled: 12,
  spam: 13,
  blocked: 14,
  forbidden: 15,
  unknownTarget: 16,
  targetGone: 17,
  authorsOnly: 18,
  authorsAndAdminsOnly: 19,
  blockSelf: 20,
  tooLate: 21,
} as const
export type Refusal = (typeof Refusal)[keyof typeof Refusal]

interface RefusalInfo {
  readonly code: ErrorCode
  readonly message: string
}

const info = (code: ErrorCode, message: string): RefusalInfo => ({ code, message })

export const REFUSALS: Record<Refusal, RefusalInfo> = {
  1: info('GROUP_NOT_FOUND', 'there is no such conversation'),
  2: info('NOT_MEMBER', 'you are not a member of this conversation'),
  3: info('GROUP_FULL', 'the group has as many members as it may have'),
  4: info('UNKNOWN_REPLY', 'replyTo names no event of this conversation that you can see'),
  5: info(
    'FORBIDDEN',
    'a direct conversation always has its two members and no setting but retention',
  ),
  6: info('FORBIDDEN', 'only an owner or an admin may do this'),
  7: info('FORBIDDEN', 'this user is a member already'),
  8: info('FORBIDDEN', 'this user is not a member'),
  9: info('FORBIDDEN', 'only an owner may do this'),
  10: info('FORBIDDEN', 'the group needs an owner: make another member one first'),
  11: info('FORBIDDEN', 'leave the group instead of removing yourself'),
  12: info('CANCELLED', 'the sender cancelled this write before it was stored'),
  13: info('REJECTED_SPAM', 'a filter refused this write'),
  14: info('USER_BLOCKED', 'the other side has blocked you'),
  15: info('FORBIDDEN', 'a policy of this service refused this write'),
  16: info('FORBIDDEN', 'seq names no message of this conversation that you can see'),
  17: info('FORBIDDEN', 'this message was recalled or removed by retention'),
  18: info('FORBIDDEN', 'only its author may edit a message'),
  19: info('FORBIDDEN', 'only its author, or an owner or admin of a group, may recall a message'),
  20: info('FORBIDDEN', 'you cannot block yourself'),
  21: info('FORBIDDEN', 'the time in which its author may edit or recall a message is over'),
}

export const REFUSAL_OF_CODE: Record<RefuseCommand['code'], Refusal> = {
  CANCELLED: Refusal.cancelled,
  REJECTED_SPAM: Refusal.spam,
  USER_BLOCKED: Refusal.blocked,
  FORBIDDEN: Refusal.forbidden,
}

/** Never recorded: the same write may be accepted later (rules A2, A3, A4). */
export const UNRECORDED = {
  mismatch: info('PAYLOAD_MISMATCH', 'this msgId was used before with another content'),
  expired: info('WINDOW_EXPIRED', 'no result is kept that far back: look in the history'),
  outOfOrder: info(
    'OUT_OF_ORDER',
    'prev has no result yet: resend from the oldest unsettled write',
  ),
} as const
