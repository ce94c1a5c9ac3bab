// What a person types for a name or a number is looked at before anything is sent, so that a typing
// mistake ends with the exit code of one and names the option.
import { InvalidArgumentError } from 'commander'
import { LIMITS } from '#protocol'

/** A user, as the cluster accepts one. */
export const parseUser = pattern(
  new RegExp(`^[!-~]{1,${LIMITS.userLength}}$`),
  `A user is 1 to ${LIMITS.userLength} printable ASCII characters without spaces.`,
)

/** A device of a user. */
export const parseDevice = pattern(
  new RegExp(`^[A-Za-z0-9._:@-]{1,${LIMITS.deviceLength}}$`),
  `A device is 1 to ${LIMITS.deviceLength} of the characters A-Z a-z 0-9 . _ : @ -`,
)

/** The id of a conversation, as `tail` prints it. */
export const parseConversation = pattern(
  new RegExp(`^[!-~]{1,${LIMITS.conversationLength}}$`),
  'It is an id as "parley tail" prints it, such as d_7yQ2.',
)

/** The id of a message. */
export const parseMsgId = pattern(
  new RegExp(`^[A-Za-z0-9._:@-]{1,${LIMITS.msgIdLength}}$`),
  `An id is 1 to ${LIMITS.msgIdLength} of the characters A-Z a-z 0-9 . _ : @ -`,
)

/** The number of an event in its conversation. */
export function parseSeq(text: string): number {
  const seq = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(seq) && seq > 0) return seq
  throw new InvalidArgumentError('It is the number of a message, from 1 on.')
}

function pattern(expected: RegExp, rule: string): (text: string) => string {
  return (text) => {
    if (expected.test(text)) return text
    throw new InvalidArgumentError(rule)
  }
}
