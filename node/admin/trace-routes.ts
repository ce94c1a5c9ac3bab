import { isOfAlphabet, LIMITS, wireError } from '#protocol'
import type { LogReader } from '#cluster'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { problemOf } from '../gateway/problem.ts'
import { CONVERSATION_PARAMETER } from '../http/parameters.ts'
import type { HttpCall, Route } from '../http/route.ts'
import { traceMessage } from '../trace/message-trace.ts'
import {
  ADMIN_PROBLEMS,
  invalid,
  isConversationId,
  jsonAnswer,
  POSITION_PARAMETERS,
  positionRefusal,
  queryInteger,
} from './operator-call.ts'

/** What this node knows of one message but for what it says, for whoever operates the cluster. */
export function traceRoutes(log: LogReader): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/cluster/conversations/{id}/trace',
      doc: {
        operationId: 'traceMessage',
        summary: 'The life of one message as this node knows it, without its body',
        parameters: [
          CONVERSATION_PARAMETER,
          {
            name: 'seq',
            in: 'query',
            description: 'Which event. Either this or `msgId`.',
            schema: { type: 'integer', minimum: 1 },
          },
          {
            name: 'msgId',
            in: 'query',
            description: 'Looked for among the newest 20,000 events.',
            schema: { type: 'string', maxLength: LIMITS.msgIdLength },
          },
          {
            name: 'from',
            in: 'query',
            description: 'With `msgId`: only of this sender.',
            schema: { type: 'string' },
          },
          ...POSITION_PARAMETERS,
        ],
        role: 'admin',
        answers: {
          200: {
            description: 'What is known; `found: false` and how far was looked, if nothing is.',
            schema: {
              type: 'object',
              required: ['found', 'conv'],
              properties: { found: { type: 'boolean' }, conv: { type: 'string' } },
            },
          },
        },
        problems: {
          400: 'A parameter is wrong.',
          ...ADMIN_PROBLEMS,
          404: 'There is no such conversation.',
          503: 'This node has not come as far as the mark, or serves nobody.',
        },
      },
      answer: (call) => trace(call, log),
    },
  ]
}

async function trace(call: HttpCall, log: LogReader): Promise<HttpResponse> {
  const { request, parameters, context } = call
  const conv = parameters['id'] ?? ''
  const seq = queryInteger(call, 'seq', { preset: 0, least: 1, most: 2 ** 53 - 1 })
  const msgId = request.query.get('msgId')
  const from = request.query.get('from')
  if (!isConversationId(conv)) return invalid('this is no id of a conversation')
  if (seq === null) return invalid('seq must be the number of an event, from 1 on')
  if ((seq === 0) === (msgId === null)) return invalid('give either seq or msgId')
  if (msgId !== null && !isOfAlphabet(msgId, 'name', LIMITS.msgIdLength)) {
    return invalid('this is no msgId')
  }
  const refusal = await positionRefusal(call)
  if (refusal !== null) return problemOf(refusal)
  const wanted = { conv, seq: seq === 0 ? null : seq, msgId, from }
  const found = await traceMessage({ state: context.backend.state, log }, wanted)
  return found === null
    ? problemOf(wireError('GROUP_NOT_FOUND', 'There is no such conversation.'))
    : jsonAnswer(found, context)
}
