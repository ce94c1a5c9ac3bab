import { parameterOf } from './frame-schema.ts'
import { REQUEST_SCHEMAS } from '#protocol'
import { MARK_HEADER } from './answer.ts'
import { KEY_HEADER } from './idempotency-key.ts'
import type { ParameterDoc } from './route.ts'

/** Parameters that several routes take. */

const { conv, msgId } = REQUEST_SCHEMAS['msg:R'].fields
const { user } = REQUEST_SCHEMAS['hello:R'].fields
const { mark } = REQUEST_SCHEMAS['pull:R'].fields

export const CONVERSATION_PARAMETER: ParameterDoc = parameterOf(conv, {
  name: 'id',
  in: 'path',
  description: 'The conversation, percent-encoded.',
})

export const USER_PARAMETER: ParameterDoc = parameterOf(user, {
  name: 'user',
  in: 'query',
  description: 'Who acts: for a token of role service, or in dev mode over loopback.',
})

export const KEY_PARAMETER: ParameterDoc = parameterOf(msgId, {
  name: KEY_HEADER,
  in: 'header',
  description:
    'The msgId of the write. A repetition under the same key gets the first result. Without one the ' +
    'node makes it; it stands in the same header of every answer.',
})

export const MARK_PARAMETER: ParameterDoc = parameterOf(mark, {
  name: MARK_HEADER,
  in: 'header',
  description: 'The newest mark that an answer carried: nothing older than it is shown.',
})
