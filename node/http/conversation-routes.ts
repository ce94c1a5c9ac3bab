import type { ConversationRequest } from '#protocol'
import { problem, problemOf } from '../gateway/problem.ts'
import { isRefusal } from '../gateway/auth.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { handleConversation } from '../gateway/handlers/conv.ts'
import { notServing, reachMark } from '../gateway/handlers/read-position.ts'
import { answerOf, MARK_HEADER } from './answer.ts'
import { callerOf } from './caller-identity.ts'
import { answerSchema, requestSchema } from './frame-schema.ts'
import { ask } from './http-caller.ts'
import {
  CONVERSATION_PARAMETER,
  KEY_PARAMETER,
  MARK_PARAMETER,
  USER_PARAMETER,
} from './parameters.ts'
import { underKey } from './idempotency-key.ts'
import { frameOf, frameOfBody, numberOf } from './request-frame.ts'
import type { HttpCall, Route } from './route.ts'

const OWN = ['id', 'msgId']

/** Conversations of a user: made, listed, shown. */
export const CONVERSATION_ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/conversations',
    doc: {
      operationId: 'createConversation',
      summary: 'Makes a group, or opens the direct conversation with somebody',
      parameters: [KEY_PARAMETER, USER_PARAMETER],
      body: {
        description: 'The fields of conv:R with `op` create, which is the default, or direct.',
        schema: {
          oneOf: [
            requestSchema('conv:R', { variant: 'create', without: OWN }),
            requestSchema('conv:R', { variant: 'direct', without: OWN }),
          ],
        },
      },
      answers: {
        200: {
          description: 'As 201; the key was used before and this is its first result.',
          schema: answerSchema('conv:A', ['conversation', 'msgId', 'seq', 'duplicate', 'now']),
        },
        201: {
          description: 'A majority has it on disk.',
          schema: answerSchema('conv:A', ['conversation', 'msgId', 'seq', 'duplicate', 'now']),
        },
      },
      problems: {
        400: 'The body or the key is wrong.',
        401: 'Nobody, or nobody who may.',
        413: 'The body is too large.',
        415: 'The body is neither JSON nor msgpack.',
        422: 'The key was used for something else.',
        503: 'Not now, or the outcome is unknown: repeat it with the same key.',
      },
      role: 'user',
    },
    answer: (call) => underKey(call, (msgId) => create(call, msgId)),
  },
  {
    method: 'GET',
    path: '/v1/conversations',
    doc: {
      operationId: 'listConversations',
      summary: 'The conversations of a user, newest change first',
      parameters: [
        {
          name: 'limit',
          in: 'query',
          description: 'At most so many.',
          schema: { type: 'integer', minimum: 1, maximum: 1000 },
        },
        {
          name: 'after',
          in: 'query',
          description: 'Goes on after an earlier page: its `next`.',
          schema: { type: 'string', maxLength: 256 },
        },
        USER_PARAMETER,
        MARK_PARAMETER,
      ],
      answers: {
        200: {
          description: 'A page: there are more if it has `next`.',
          schema: answerSchema('conv:A', ['conversations', 'next']),
        },
      },
      problems: {
        400: 'A parameter is wrong.',
        401: 'Nobody, or nobody who may.',
        503: 'This node has not come as far as the mark, or serves nobody.',
      },
      role: 'user',
    },
    answer: (call) => {
      const { query } = call.request
      const limit = numberOf(query.get('limit'))
      return read(call, { op: 'list', limit, after: query.get('after') ?? undefined })
    },
  },
  {
    method: 'GET',
    path: '/v1/conversations/{id}',
    doc: {
      operationId: 'getConversation',
      summary: 'A conversation as its members see it',
      parameters: [
        CONVERSATION_PARAMETER,
        {
          name: 'membersFrom',
          in: 'query',
          description: 'Of a large group its members from there on: `nextMembers` of an answer.',
          schema: { type: 'integer', minimum: 0 },
        },
        USER_PARAMETER,
        MARK_PARAMETER,
      ],
      answers: {
        200: { description: 'As it is now.', schema: answerSchema('conv:A', ['conversation']) },
      },
      problems: {
        400: 'A parameter is wrong.',
        401: 'Nobody, or nobody who may.',
        403: 'The user is no member.',
        404: 'There is no such conversation.',
        503: 'This node has not come as far as the mark, or serves nobody.',
      },
      role: 'user',
    },
    answer: (call) => {
      const membersFrom = numberOf(call.request.query.get('membersFrom'))
      return read(call, { op: 'get', conv: call.parameters['id'], membersFrom })
    },
  },
]

async function create(call: HttpCall, msgId: string): Promise<HttpResponse> {
  const caller = await callerOf(call)
  if (isRefusal(caller)) return problemOf(caller)
  const frame = await frameOfBody('conv:R', call, { own: { msgId }, defaults: { op: 'create' } })
  if ('unsupportedMediaType' in frame) {
    return problem(415, 'UNSUPPORTED', frame.unsupportedMediaType)
  }
  if ('code' in frame) return problemOf(frame)
  if (frame.op !== 'create' && frame.op !== 'direct') {
    return problem(400, 'UNSUPPORTED', 'op is create or direct here; the others are frames.')
  }
  const answer = await ask(handleConversation, frame, caller, call.context)
  const status = (accepted: object) =>
    'duplicate' in accepted && accepted.duplicate === true ? 200 : 201
  return answerOf(answer, status, call.context)
}

async function read(
  call: HttpCall,
  own: Readonly<Record<string, string | number | undefined>>,
): Promise<HttpResponse> {
  const { context, request } = call
  const caller = await callerOf(call)
  if (isRefusal(caller)) return problemOf(caller)
  const frame = frameOf<'conv:R'>('conv:R', own)
  if ('code' in frame) return problemOf(frame)
  const mark = request.header(MARK_HEADER) ?? undefined
  const behind = notServing(context) ?? (await reachMark(mark, context))
  if (behind !== null) return problemOf(behind)
  const answer = await ask<ConversationRequest>(handleConversation, frame, caller, context)
  return answerOf(answer, () => 200, context)
}
