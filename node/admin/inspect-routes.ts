import { wireError } from '#protocol'
import { eventLines } from '../export/event-lines.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { reachNewest } from '../gateway/handlers/read-position.ts'
import { problemOf } from '../gateway/problem.ts'
import { markHeader } from '../http/answer.ts'
import { CONVERSATION_PARAMETER } from '../http/parameters.ts'
import type { HttpCall, ParameterDoc, Route, RouteDoc } from '../http/route.ts'
import { conversationReport } from '../inspect/conversation-report.ts'
import {
  ADMIN_PROBLEMS,
  invalid,
  isConversationId,
  jsonAnswer,
  POSITION_PARAMETERS,
  positionRefusal,
  queryInteger,
} from './operator-call.ts'

const MOST_EVENTS = 1_000
const PRESET_EVENTS = 20

const PROBLEMS: RouteDoc['problems'] = {
  400: 'A parameter is wrong: `detail` says which.',
  ...ADMIN_PROBLEMS,
  404: 'There is no such conversation.',
  503: 'This node has not come as far as the mark, cannot tell whether there is one, or serves nobody.',
}

const EVENT_PARAMETERS: readonly ParameterDoc[] = [
  CONVERSATION_PARAMETER,
  {
    name: 'after',
    in: 'query',
    description: 'From behind this seq on; the newest ones if it is not given.',
    schema: { type: 'integer', minimum: 0 },
  },
  {
    name: 'limit',
    in: 'query',
    description: `At most so many events; ${PRESET_EVENTS} if it is not given.`,
    schema: { type: 'integer', minimum: 1, maximum: MOST_EVENTS },
  },
  ...POSITION_PARAMETERS,
]

const EVENTS_SCHEMA = {
  type: 'object',
  required: ['conv', 'items', 'next', 'hasMore', 'head', 'firstSeq', 'node', 'applied'],
  properties: {
    items: {
      type: 'array',
      description:
        'Ascending: fields of msg:N, and `{gap: {from, to, reason}}` where retention cut something off.',
      items: { type: 'object' },
    },
    next: { type: 'integer', description: 'Go on with `after=next`.' },
    hasMore: { type: 'boolean' },
    head: { type: 'integer' },
    firstSeq: { type: 'integer', description: 'What was before it retention removed.' },
  },
}

/** A look at one conversation, as this node has applied it. */
export const INSPECT_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/conversations/{id}',
    doc: {
      operationId: 'showConversation',
      summary: 'How a conversation stands and how far its members are, without a word of theirs',
      description:
        'Of members at most 512 a page, in the order they first came, who left as well: go on with ' +
        '`membersFrom=next`. A page costs the same however many there are.',
      parameters: [
        CONVERSATION_PARAMETER,
        {
          name: 'membersFrom',
          in: 'query',
          description: '`next` of the last page; 0 if it is not given.',
          schema: { type: 'integer', minimum: 0 },
        },
        ...POSITION_PARAMETERS,
      ],
      role: 'admin',
      answers: {
        200: {
          description: 'As applied here.',
          schema: {
            type: 'object',
            required: ['conv', 'kind', 'head', 'firstSeq', 'members', 'next', 'node', 'applied'],
          },
        },
      },
      problems: PROBLEMS,
    },
    answer: show,
  },
  {
    method: 'GET',
    path: '/v1/cluster/conversations/{id}/events',
    doc: {
      operationId: 'listEvents',
      summary: 'The events of a conversation without what they say',
      description: 'In the place of a body stands `bodyBytes`, its size in msgpack.',
      parameters: EVENT_PARAMETERS,
      role: 'admin',
      answers: { 200: { description: 'A page.', schema: EVENTS_SCHEMA } },
      problems: PROBLEMS,
    },
    answer: (call) => list(call, false),
  },
  {
    method: 'GET',
    path: '/v1/cluster/conversations/{id}/messages',
    doc: {
      operationId: 'readConversation',
      summary: 'The events of a conversation with what they say',
      description: 'Each call leaves a line in the audit log.',
      parameters: EVENT_PARAMETERS,
      role: 'admin',
      showsMessages: true,
      answers: { 200: { description: 'A page.', schema: EVENTS_SCHEMA } },
      problems: PROBLEMS,
    },
    answer: (call) => list(call, true),
  },
]

const MOST = Number.MAX_SAFE_INTEGER

async function show(call: HttpCall): Promise<HttpResponse> {
  const membersFrom = queryInteger(call, 'membersFrom', { preset: 0, least: 0, most: 2 ** 31 })
  if (membersFrom === null) return invalid('membersFrom must be `next` of the last page')
  const { context } = call
  const { state, self } = context.backend
  return answered(call, async (id) => {
    const { appliedIndex } = state
    const progress = await state.progressOf(id, membersFrom)
    if (progress === null) return null
    const report = conversationReport(progress)
    return jsonAnswer({ ...report, node: self.id, applied: appliedIndex }, context)
  })
}

async function list(call: HttpCall, withBodies: boolean): Promise<HttpResponse> {
  const after = queryInteger(call, 'after', { preset: -1, least: 0, most: MOST })
  if (after === null) return invalid('after must be a seq, from 0 on')
  const bounds = { preset: PRESET_EVENTS, least: 1, most: MOST_EVENTS }
  const events = queryInteger(call, 'limit', bounds)
  if (events === null) return invalid(`limit must be an integer from 1 to ${MOST_EVENTS}`)
  const { context } = call
  const { state, self } = context.backend
  const most = { events, bytes: context.options.maxPageBytes, withBodies }
  return answered(call, async (id) => {
    const { appliedIndex: applied } = state
    const view = await state.conversation(id)
    if (view === null) return null
    const { firstSeq } = view
    if (after > view.head) {
      return invalid(`after is past the newest event, ${view.head}: is this another cluster’s?`)
    }
    const from = after >= 0 ? after : Math.max(0, view.head - events)
    const found = await eventLines(state, id, from, most)
    if (found === null) return null
    const { lines, next, hasMore } = found
    const rest = {
      next,
      hasMore,
      head: Math.max(view.head, next),
      firstSeq,
      node: self.id,
      applied,
    }
    const fields = JSON.stringify(rest).slice(1)
    return {
      status: 200,
      contentType: 'application/json',
      body: `{"conv":${JSON.stringify(id)},"items":[${lines.join(',')}],${fields}\n`,
      headers: markHeader(context),
    }
  })
}

/** What `look` finds; that there is nothing is said with all that was acknowledged before in view. */
async function answered(
  call: HttpCall,
  look: (id: string) => Promise<HttpResponse | null>,
): Promise<HttpResponse> {
  const id = call.parameters['id'] ?? ''
  if (!isConversationId(id)) return invalid('this is no id of a conversation')
  const refusal = await positionRefusal(call)
  if (refusal !== null) return problemOf(refusal)
  const found = await look(id)
  if (found !== null) return found
  const behind = await reachNewest(call.context)
  if (behind !== null) return problemOf(behind)
  const none = () => problemOf(wireError('GROUP_NOT_FOUND', 'There is no such conversation.'))
  return (await look(id)) ?? none()
}
