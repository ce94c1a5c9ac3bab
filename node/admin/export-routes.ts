import { wireError } from '#protocol'
import { exportPage } from '../export/export-page.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { problemOf } from '../gateway/problem.ts'
import { markHeader } from '../http/answer.ts'
import { CONVERSATION_PARAMETER } from '../http/parameters.ts'
import type { HttpCall, Route } from '../http/route.ts'
import {
  ADMIN_PROBLEMS,
  invalid,
  isConversationId,
  POSITION_PARAMETERS,
  positionRefusal,
  queryInteger,
} from './operator-call.ts'

const MOST_EVENTS = 1_000

/** What a conversation keeps, whoever may see it, for whoever operates the cluster. */
export const EXPORT_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/conversations/{id}/export',
    doc: {
      operationId: 'exportConversation',
      summary: 'A page of everything that a conversation keeps, as lines of JSON',
      description:
        'At the beginning `conv:A` frames that describe it, then a `msg:N` frame for each event, and ' +
        '`{gap}` where retention cut something off. The last line of a page is ' +
        '`{next, hasMore, head}`: without it the page was cut off. Go on with `after=next`, and with ' +
        '`members` if it is there.',
      parameters: [
        CONVERSATION_PARAMETER,
        {
          name: 'after',
          in: 'query',
          description: 'From behind this seq on; 0, the beginning, if it is not given.',
          schema: { type: 'integer', minimum: 0 },
        },
        {
          name: 'members',
          in: 'query',
          description: 'As the last page says it.',
          schema: { type: 'integer', minimum: 0 },
        },
        {
          name: 'limit',
          in: 'query',
          description: `At most so many events; ${MOST_EVENTS} if it is not given.`,
          schema: { type: 'integer', minimum: 1, maximum: MOST_EVENTS },
        },
        ...POSITION_PARAMETERS,
      ],
      role: 'admin',
      showsMessages: true,
      answers: {
        200: {
          description: 'A page.',
          contentType: 'application/x-ndjson',
          schema: { type: 'object' },
        },
      },
      problems: {
        400: 'A parameter is wrong, or `after` lies past the newest event.',
        ...ADMIN_PROBLEMS,
        404: 'There is no such conversation.',
        503: 'This node has not come as far as the mark, or serves nobody.',
      },
    },
    answer: page,
  },
]

async function page(call: HttpCall): Promise<HttpResponse> {
  const most = Number.MAX_SAFE_INTEGER
  const after = queryInteger(call, 'after', { preset: 0, least: 0, most })
  if (after === null) return invalid('after must be a seq, from 0 on')
  const members = queryInteger(call, 'members', { preset: 0, least: 0, most: 2 ** 31 })
  if (members === null) return invalid('members must be a number that a page gave out')
  const limit = { preset: MOST_EVENTS, least: 1, most: MOST_EVENTS }
  const events = queryInteger(call, 'limit', limit)
  if (events === null) return invalid(`limit must be an integer from 1 to ${MOST_EVENTS}`)
  const refusal = await positionRefusal(call)
  if (refusal !== null) return problemOf(refusal)
  const { context, parameters } = call
  const bounds = { events, bytes: context.options.maxPageBytes }
  const { state } = context.backend
  const id = parameters['id'] ?? ''
  const found = isConversationId(id)
    ? await exportPage(state, id, { after, members }, bounds)
    : null
  if (found === null) {
    return problemOf(wireError('GROUP_NOT_FOUND', 'There is no such conversation.'))
  }
  const { lines, next, hasMore, head } = found
  if (after > head) {
    return invalid(`after is past the newest event, ${head}: is this another cluster’s?`)
  }
  const more = next.members > 0 ? { members: next.members } : {}
  const last = JSON.stringify({ next: next.after, ...more, hasMore, head })
  return {
    status: 200,
    contentType: 'application/x-ndjson',
    body: `${[...lines, last].join('\n')}\n`,
    headers: markHeader(context),
  }
}
