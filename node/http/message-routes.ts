import { problem, problemOf } from '../gateway/problem.ts'
import { isRefusal } from '../gateway/auth.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { handleMessage } from '../gateway/handlers/msg.ts'
import { handlePull } from '../gateway/handlers/pull.ts'
import { answerOf, MARK_HEADER } from './answer.ts'
import { callerOf } from './caller-identity.ts'
import { answerSchema, parameterOf, requestSchema } from './frame-schema.ts'
import { ask } from './http-caller.ts'
import { underKey } from './idempotency-key.ts'
import {
  CONVERSATION_PARAMETER,
  KEY_PARAMETER,
  MARK_PARAMETER,
  USER_PARAMETER,
} from './parameters.ts'
import { frameOf, frameOfBody, numberOf } from './request-frame.ts'
import type { HttpCall, Route } from './route.ts'
import { REQUEST_SCHEMAS } from '#protocol'

/** Events of a page where the call names no limit. */
const DEFAULT_LIMIT = 100

const PULL = REQUEST_SCHEMAS['pull:R'].fields

/** Messages of a conversation: sent once, read by pages. */
export const MESSAGE_ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/conversations/{id}/messages',
    doc: {
      operationId: 'sendMessage',
      summary: 'Sends a message, once however often it is repeated',
      parameters: [CONVERSATION_PARAMETER, KEY_PARAMETER, USER_PARAMETER],
      body: {
        description: 'The fields of msg:R.',
        schema: requestSchema('msg:R', { without: ['id', 'msgId', 'conv', 'to'] }),
      },
      answers: {
        200: {
          description: 'As 201; the key was used before and this is its first result.',
          schema: answerSchema('msg:A'),
        },
        201: { description: 'A majority has it on disk.', schema: answerSchema('msg:A') },
      },
      problems: {
        400: 'The body or the key is wrong.',
        401: 'Nobody, or nobody who may.',
        403: 'The user is no member, or may not write.',
        404: 'There is no such conversation.',
        409: 'Out of order, or too old to be decided.',
        413: 'The body is too large.',
        415: 'The body is neither JSON nor msgpack.',
        422: 'The key was used for something else, or `replyTo` names nothing.',
        503: 'Not now, or the outcome is unknown: repeat it with the same key.',
      },
      role: 'user',
    },
    answer: (call) => underKey(call, (msgId) => send(call, msgId)),
  },
  {
    method: 'GET',
    path: '/v1/conversations/{id}/messages',
    doc: {
      operationId: 'readMessages',
      summary: 'A page of the events that the user sees, in ascending order',
      parameters: [
        CONVERSATION_PARAMETER,
        parameterOf(PULL['after'], {
          name: 'after',
          in: 'query',
          description: 'From behind this seq on; 0, the beginning, if neither is given.',
        }),
        parameterOf(PULL['before'], {
          name: 'before',
          in: 'query',
          description: 'Backward from before this seq.',
        }),
        parameterOf(PULL['limit'], {
          name: 'limit',
          in: 'query',
          description: `At most so many; ${DEFAULT_LIMIT} if it is not given.`,
        }),
        parameterOf(PULL['read'], {
          name: 'read',
          in: 'query',
          description: 'linearizable: with every write that was acknowledged before the call.',
        }),
        USER_PARAMETER,
        MARK_PARAMETER,
      ],
      answers: { 200: { description: 'As pull:A.', schema: answerSchema('pull:A') } },
      problems: {
        400: 'A parameter is wrong.',
        401: 'Nobody, or nobody who may.',
        403: 'The user never was a member.',
        404: 'There is no such conversation.',
        503: 'This node has not come as far as the mark, or serves nobody.',
      },
      role: 'user',
    },
    answer: read,
  },
]

async function send(call: HttpCall, msgId: string): Promise<HttpResponse> {
  const caller = await callerOf(call)
  if (isRefusal(caller)) return problemOf(caller)
  const own = { conv: call.parameters['id'], msgId }
  const frame = await frameOfBody('msg:R', call, { own })
  if ('unsupportedMediaType' in frame) {
    return problem(415, 'UNSUPPORTED', frame.unsupportedMediaType)
  }
  if ('code' in frame) return problemOf(frame)
  const answer = await ask(handleMessage, frame, caller, call.context)
  const status = (accepted: object) =>
    'duplicate' in accepted && accepted.duplicate === true ? 200 : 201
  return answerOf(answer, status, call.context)
}

async function read(call: HttpCall): Promise<HttpResponse> {
  const { request, context, parameters } = call
  const caller = await callerOf(call)
  if (isRefusal(caller)) return problemOf(caller)
  const { query } = request
  const before = numberOf(query.get('before'))
  const frame = frameOf('pull:R', {
    conv: parameters['id'],
    after: numberOf(query.get('after')) ?? (before === undefined ? 0 : undefined),
    before,
    limit: numberOf(query.get('limit')) ?? DEFAULT_LIMIT,
    read: query.get('read') ?? undefined,
    mark: request.header(MARK_HEADER) ?? undefined,
  })
  if ('code' in frame) return problemOf(frame)
  return answerOf(await ask(handlePull, frame, caller, context), () => 200, context)
}
