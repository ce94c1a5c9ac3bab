import { encodeFrame, type WireError, wireError } from '#protocol'
import { problemOf } from '../gateway/problem.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { drainingError, type GatewayContext } from '../gateway/gateway-context.ts'
import { notServing } from '../gateway/handlers/read-position.ts'
import { wireEvent } from '../gateway/handlers/wire-event.ts'
import { formatMark, parseMark } from '../gateway/mark.ts'
import type { FeedEntry } from '../state-machine/types.ts'
import { markHeader } from './answer.ts'
import { answerSchema } from './frame-schema.ts'
import type { HttpCall, JsonSchema, Route, RouteDoc } from './route.ts'

const MAX_LIMIT = 200
const DEFAULT_LIMIT = 100
const MAX_WAIT_MS = 30_000
/** How often a call that waits looks whether its caller is still there. */
const LOOK_MS = 1_000
/** Calls that wait for the next event at one time; one more is answered at once. */
const MAX_WAITING = 256

const EVENT: JsonSchema = {
  allOf: [
    {
      type: 'object',
      required: ['cursor', 'conv', 'seq'],
      properties: { cursor: { type: 'string', description: 'Go on after this event with it.' } },
    },
    answerSchema('msg:N'),
  ],
}

const DOC: RouteDoc = {
  operationId: 'readFeed',
  summary: 'Every event of every conversation, in the order of the log, the same on every node',
  description:
    'Keep `next` where you keep what you made of the events, and go on after it, on any node, ' +
    'after any restart. Events come at least once and in order.',
  parameters: [
    {
      name: 'after',
      in: 'query',
      description:
        'The cursor of the last event that was handled; without one the oldest event that is ' +
        'kept comes first, with `now` only what happens from now on.',
      schema: { type: 'string' },
    },
    {
      name: 'limit',
      in: 'query',
      description: `At most so many events; ${DEFAULT_LIMIT} if it is not given.`,
      schema: { type: 'integer', minimum: 1, maximum: MAX_LIMIT },
    },
    {
      name: 'waitMs',
      in: 'query',
      description: 'If there is no event, waits for one so long, in ms.',
      schema: { type: 'integer', minimum: 0, maximum: MAX_WAIT_MS },
    },
  ],
  answers: {
    200: {
      description: 'A page; empty if nothing happened. `gap` tells of events kept no more.',
      schema: {
        type: 'object',
        required: ['events', 'next', 'hasMore', 'gap'],
        properties: {
          events: { type: 'array', maxItems: MAX_LIMIT, items: EVENT },
          next: { type: 'string' },
          hasMore: { type: 'boolean' },
          gap: {
            anyOf: [
              {
                type: 'object',
                required: ['events', 'reason'],
                properties: { events: { type: 'integer' }, reason: { enum: ['retention'] } },
              },
              { type: 'null' },
            ],
          },
        },
      },
    },
  },
  problems: {
    400: 'A parameter is wrong.',
    401: 'Nobody, or nobody who may.',
    403: 'A token of another role.',
    410: 'The cursor is of another epoch: the cluster was restored. Begin anew.',
    503: 'This node has not come as far as the cursor, or serves nobody.',
  },
  role: 'service',
}

/** The feed of all conversations, for backends. */
export function eventRoutes(): Route[] {
  let waiting = 0
  return [
    {
      method: 'GET',
      path: '/v1/events',
      doc: DOC,
      answer: async (call) => {
        const { context } = call
        const refusal = context.draining() ? drainingError(context.backend) : notServing(context)
        if (refusal !== null) return problemOf(refusal)
        const request = parameters(call)
        if ('code' in request) return problemOf(request)
        const behind = await reachPosition(request.after, call.context)
        if (behind !== null) return problemOf(behind)
        if (waiting < MAX_WAITING) {
          waiting += 1
          await nextEvent(call, request).finally(() => (waiting -= 1))
        }
        return page(request, call.context)
      },
    },
  ]
}

interface FeedRequest {
  readonly after: number
  readonly limit: number
  readonly waitMs: number
}

function parameters({ request, context }: HttpCall): FeedRequest | WireError {
  const { query } = request
  const limit = bounded(query.get('limit') ?? String(DEFAULT_LIMIT), 1, MAX_LIMIT)
  if (limit === null) return invalid(`limit must be an integer from 1 to ${MAX_LIMIT}`)
  const waitMs = bounded(query.get('waitMs') ?? '0', 0, MAX_WAIT_MS)
  if (waitMs === null) return invalid(`waitMs must be an integer from 0 to ${MAX_WAIT_MS}`)
  const { backend } = context
  const cursor = query.get('after')
  if (cursor === null) return { after: 0, limit, waitMs }
  if (cursor === 'now') return { after: backend.state.feedHead, limit, waitMs }
  const position = parseMark(cursor)
  if (position === null) return invalid('after must be a cursor that a node gave out, or now')
  if (position.epoch !== backend.epoch) {
    return wireError(
      'POSITION_UNRECOVERABLE',
      'The cluster was restored since this cursor was given out; begin anew, without after.',
    )
  }
  return { after: position.index, limit, waitMs }
}

/** With an equal epoch a cursor beyond what this node has applied means that the node is behind (B2). */
async function reachPosition(after: number, context: GatewayContext): Promise<WireError | null> {
  const { backend, clock, options } = context
  const deadline = clock.monotonicMs() + options.markTimeoutMs
  while (backend.state.feedHead < after) {
    const left = deadline - clock.monotonicMs()
    if (left <= 0 || !(await backend.waitApplied(backend.state.appliedIndex + 1, left))) {
      const message = 'This node has not applied as far as the cursor; ask the leader.'
      return wireError('BEHIND', message, { leader: backend.leader() })
    }
  }
  return null
}

async function nextEvent(call: HttpCall, { after, waitMs }: FeedRequest): Promise<void> {
  const { context, request } = call
  const { backend, clock } = context
  const deadline = clock.monotonicMs() + waitMs
  while (backend.state.feedHead <= after && !context.draining() && !request.isGone()) {
    const left = deadline - clock.monotonicMs()
    if (left <= 0) return
    await backend.waitApplied(backend.state.appliedIndex + 1, Math.min(left, LOOK_MS))
  }
}

async function page(request: FeedRequest, context: GatewayContext): Promise<HttpResponse> {
  const { epoch, state } = context.backend
  const read = await state.feedAfter(request.after, request.limit)
  const entries = cut(read.entries, context.options.maxPageBytes)
  const next = entries.at(-1)?.number ?? read.next
  const { head, gap } = read
  const events = entries.map((entry) => eventText(entry, epoch))
  const missed = gap === null ? null : { events: gap.to - gap.from + 1, reason: 'retention' }
  const tail = JSON.stringify({ next: formatMark(epoch, next), hasMore: next < head, gap: missed })
  return {
    status: 200,
    contentType: 'application/json',
    body: `{"events":[${events.join(',')}],${tail.slice(1)}\n`,
    headers: markHeader(context),
  }
}

/** What its bodies leave room for; one event always fits. */
function cut(entries: readonly FeedEntry[], maxBytes: number): readonly FeedEntry[] {
  let bytes = 0
  const end = entries.findIndex(({ event }, at) => {
    bytes += event?.body?.length ?? 0
    return bytes > maxBytes && at > 0
  })
  return end === -1 ? entries : entries.slice(0, end)
}

/** The fields of `msg:N`; of an event that retention removed only where it was. */
function eventText({ number, conv, seq, event }: FeedEntry, epoch: string): string {
  const cursor = JSON.stringify(formatMark(epoch, number))
  if (event === null) {
    return `{"cursor":${cursor},"conv":${JSON.stringify(conv)},"seq":${seq},"expired":true}`
  }
  const frame = encodeFrame({ t: 'msg:N', conv, ...wireEvent(event) }, 'parley.v1.json')
  return `{"cursor":${cursor},${frame.slice('{"t":"msg:N",'.length)}`
}

function bounded(text: string, least: number, most: number): number | null {
  if (!/^\d{1,9}$/.test(text)) return null
  const value = Number(text)
  return value >= least && value <= most ? value : null
}

const invalid = (message: string): WireError => wireError('INVALID_MESSAGE', `${message}.`)
