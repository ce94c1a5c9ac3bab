import { isOfAlphabet, LIMITS, wireError } from '#protocol'
import type { LogReader } from '#cluster'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { problemOf } from '../gateway/problem.ts'
import { CONVERSATION_PARAMETER } from '../http/parameters.ts'
import type { HttpCall, ParameterDoc, Route, RouteDoc } from '../http/route.ts'
import { traceMessage, type TraceWanted } from '../trace/message-trace.ts'
import { callAnswer } from './call-answer.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import {
  ADMIN_PROBLEMS,
  invalid,
  isConversationId,
  jsonAnswer,
  NODE_PARAMETER,
  POSITION_PARAMETERS,
  positionRefusal,
  queryInteger,
} from './operator-call.ts'

/** Whoever asks may wait less. */
const WAIT_MS = 5_000

const WHICH_PARAMETERS: readonly ParameterDoc[] = [
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
]

const ANSWERS: RouteDoc['answers'] = {
  200: {
    description: 'What is known; `found: false` and how far was looked, if nothing is.',
    schema: {
      type: 'object',
      required: ['found', 'conv'],
      properties: { found: { type: 'boolean' }, conv: { type: 'string' } },
    },
  },
}

/** What this node knows of one message but for what it says, for whoever operates the cluster. */
export function traceRoutes(log: LogReader, calls: ClusterCalls): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/cluster/conversations/{id}/trace',
      doc: {
        operationId: 'traceMessage',
        summary: 'The life of one message as this node knows it, without its body',
        parameters: [CONVERSATION_PARAMETER, ...WHICH_PARAMETERS, ...POSITION_PARAMETERS],
        role: 'admin',
        answers: ANSWERS,
        problems: {
          400: 'A parameter is wrong.',
          ...ADMIN_PROBLEMS,
          404: 'There is no such conversation.',
          503: 'This node has not come as far as the mark, or serves nobody.',
        },
      },
      answer: (call) => trace(call, log),
    },
    {
      method: 'GET',
      path: '/v1/cluster/nodes/{id}/trace',
      doc: {
        operationId: 'nodeTrace',
        summary: 'The same as another node knows it, which this one reaches over its link',
        parameters: [
          NODE_PARAMETER,
          {
            name: 'conversation',
            in: 'query',
            required: true,
            description: 'Where the message stands.',
            schema: { type: 'string' },
          },
          ...WHICH_PARAMETERS,
        ],
        role: 'admin',
        answers: ANSWERS,
        problems: {
          400: 'A parameter is wrong.',
          ...ADMIN_PROBLEMS,
          404: 'No member has that name, or there is no such conversation.',
          503: 'It does not answer, or is not ready.',
        },
      },
      answer: (call) => traceThere(call, calls),
    },
  ]
}

async function trace(call: HttpCall, log: LogReader): Promise<HttpResponse> {
  const { parameters, context } = call
  const wanted = wantedOf(call, parameters['id'] ?? '')
  if (typeof wanted === 'string') return invalid(wanted)
  const refusal = await positionRefusal(call)
  if (refusal !== null) return problemOf(refusal)
  const found = await traceMessage({ state: context.backend.state, log }, wanted)
  return found === null
    ? problemOf(wireError('GROUP_NOT_FOUND', 'There is no such conversation.'))
    : jsonAnswer(found, context)
}

function traceThere(call: HttpCall, calls: ClusterCalls): HttpResponse | Promise<HttpResponse> {
  const wanted = wantedOf(call, call.request.query.get('conversation') ?? '')
  if (typeof wanted === 'string') return invalid(wanted)
  return callAnswer(calls, call, {
    ...{ operation: 'node.trace', node: call.parameters['id']!, parameters: wanted },
    ...{ waitMs: WAIT_MS, isForNow: true },
  })
}

/** Which message, or what is wrong with the question. */
function wantedOf(call: HttpCall, conv: string): TraceWanted | string {
  const { query } = call.request
  const seq = queryInteger(call, 'seq', { preset: 0, least: 1, most: 2 ** 53 - 1 })
  const msgId = query.get('msgId')
  const from = query.get('from')
  if (!isConversationId(conv)) return 'this is no id of a conversation'
  if (seq === null) return 'seq must be the number of an event, from 1 on'
  if ((seq === 0) === (msgId === null)) return 'give either seq or msgId'
  if (msgId !== null && !isOfAlphabet(msgId, 'name', LIMITS.msgIdLength)) {
    return 'this is no msgId'
  }
  if (from !== null && from.length > LIMITS.userLength) return 'this is no user'
  return { conv, seq: seq === 0 ? null : seq, msgId, from }
}
