import { encodeBody, wireError } from '#protocol'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { drainingError } from '../gateway/gateway-context.ts'
import { readPolicyValue } from '../gateway/handlers/retention-policy.ts'
import { problemOf } from '../gateway/problem.ts'
import { CONVERSATION_PARAMETER } from '../http/parameters.ts'
import type { HttpCall, JsonSchema, ParameterDoc, Route, RouteDoc } from '../http/route.ts'
import { previewRemovals, type RemovalPreview } from '../retention/preview-removals.ts'
import type { RetentionPolicy } from '../state-machine/commands.ts'
import type { ConversationView } from '../state-machine/types.ts'
import {
  ADMIN_PROBLEMS,
  invalid,
  isConversationId,
  jsonAnswer,
  NO_PAGE,
  PAGE_PARAMETER,
  POSITION_PARAMETERS,
  positionRefusal,
} from './operator-call.ts'

/** Conversations of one answer, and ms after which it ends with what it has. */
const PAGE_CONVERSATIONS = 50
const PAGE_MS = 2_000
/** Dry runs under way at one time: each may read whole conversations. */
const MOST_AT_ONCE = 2
/** Between two pages of a walk: reads for clients come first. */
const PAUSE_MS = 1

const PREVIEW: JsonSchema = {
  type: 'object',
  required: ['conv', 'policy', 'events', 'stubs', 'bytes', 'oldestKept', 'isWhole'],
  properties: {
    conv: { type: 'string' },
    policy: { type: 'object' },
    events: { type: 'integer', description: 'Would be cut off at the beginning.' },
    stubs: { type: 'integer', description: 'Would be left without a body in the middle.' },
    bytes: { type: 'integer', description: 'Bodies of both.' },
    oldestKept: {
      type: ['object', 'null'],
      description: 'The first event that would stay; null: none would.',
      properties: { seq: { type: 'integer' }, at: { type: 'integer' } },
    },
    isWhole: { type: 'boolean', description: 'false: more would go than was counted.' },
  },
}

const PROBLEMS = {
  ...ADMIN_PROBLEMS,
  503: 'Ask the leader, whom `leader` names; or not now.',
} as const

const BOUNDS: readonly ParameterDoc[] = ['maxAgeMs', 'maxCount', 'maxBytes'].map((name) => ({
  name,
  in: 'query',
  description: 'As in `retention` of `conv:R`. Without any bound the policy that it has.',
  schema: { type: 'integer', minimum: 1 },
}))

const PREVIEW_ALL: RouteDoc = {
  operationId: 'previewRetention',
  summary: 'What retention would remove now from conversations that have a policy: a dry run',
  parameters: [PAGE_PARAMETER, ...POSITION_PARAMETERS],
  role: 'admin',
  answers: {
    200: {
      description: 'A page, of some of them. `next` is null on the last one.',
      schema: {
        type: 'object',
        required: ['conversations', 'next'],
        properties: {
          conversations: { type: 'array', items: PREVIEW },
          next: { type: ['string', 'null'] },
        },
      },
    },
  },
  problems: { 400: 'A parameter is wrong.', ...PROBLEMS },
}

const PREVIEW_ONE: RouteDoc = {
  operationId: 'previewRetentionOf',
  summary: 'What a policy would remove now from one conversation: a dry run',
  parameters: [
    CONVERSATION_PARAMETER,
    ...BOUNDS,
    {
      name: 'preset',
      in: 'query',
      description: 'As in `retention` of `conv:R`.',
      schema: { enum: ['paper'] },
    },
    ...POSITION_PARAMETERS,
  ],
  role: 'admin',
  answers: { 200: { description: 'As it would be.', schema: PREVIEW } },
  problems: {
    400: 'The policy is wrong, or there is none.',
    404: 'There is no such conversation.',
    ...PROBLEMS,
  },
}

/** What retention would remove now, without removing it. `logTimeMs` is `null` but on the leader. */
export function retentionRoutes(logTimeMs: () => number | null): Route[] {
  let atOnce = 0
  const bounded =
    (answer: (call: HttpCall, now: number) => Promise<HttpResponse>) =>
    async (call: HttpCall): Promise<HttpResponse> => {
      const refusal = await positionRefusal(call)
      if (refusal !== null) return problemOf(refusal)
      const now = logTimeMs()
      const { backend } = call.context
      if (now === null) {
        const detail = 'Only the leader knows how old messages are by now; ask it.'
        return problemOf(wireError('NOT_LEADER', detail, { leader: backend.leader() }))
      }
      if (atOnce >= MOST_AT_ONCE) {
        return problemOf(wireError('OVERLOADED', `${MOST_AT_ONCE} dry runs are under way already.`))
      }
      atOnce += 1
      return answer(call, now).finally(() => (atOnce -= 1))
    }
  return [
    {
      method: 'GET',
      path: '/v1/cluster/retention',
      doc: PREVIEW_ALL,
      answer: bounded(previewAll),
    },
    {
      method: 'GET',
      path: '/v1/cluster/conversations/{id}/retention',
      doc: PREVIEW_ONE,
      answer: bounded(previewOne),
    },
  ]
}

async function previewAll(call: HttpCall, now: number): Promise<HttpResponse> {
  const { context, request } = call
  const { state } = context.backend
  const until = context.clock.monotonicMs() + PAGE_MS
  const after = request.query.get('after') ?? ''
  if (after !== '' && !isConversationId(after)) {
    return invalid(NO_PAGE)
  }
  let next: string | null = after
  const conversations: RemovalPreview[] = []
  const ids = await state.retainedConversations(after, PAGE_CONVERSATIONS)
  for (const id of ids) {
    const conversation = await state.conversation(id)
    const policy = conversation?.retention ?? null
    next = id
    if (conversation === null || policy === null) continue
    const preview = await previewOf(call, conversation, policy, now)
    if (preview === null) return problemOf(drainingError(context.backend))
    conversations.push(preview)
    if (context.clock.monotonicMs() >= until) break
  }
  if (ids.length < PAGE_CONVERSATIONS && (ids.length === 0 || next === ids.at(-1))) next = null
  return jsonAnswer({ conversations, next }, context)
}

async function previewOne(call: HttpCall, now: number): Promise<HttpResponse> {
  const { context, parameters } = call
  const asked = policyOf(call)
  if (typeof asked === 'string') return invalid(asked)
  const id = parameters['id'] ?? ''
  const conversation = isConversationId(id) ? await context.backend.state.conversation(id) : null
  if (conversation === null) {
    return problemOf(wireError('GROUP_NOT_FOUND', 'There is no such conversation.'))
  }
  const policy = asked ?? conversation.retention
  if (policy === null) {
    return invalid('it has no policy: name maxAgeMs, maxCount, maxBytes or preset')
  }
  const preview = await previewOf(call, conversation, policy, now)
  return preview === null ? problemOf(drainingError(context.backend)) : jsonAnswer(preview, context)
}

function previewOf(
  { context, request }: HttpCall,
  conversation: ConversationView,
  policy: RetentionPolicy,
  now: number,
): Promise<RemovalPreview | null> {
  const pause = async (): Promise<boolean> => {
    await new Promise<void>((resolve) => void context.clock.after(PAUSE_MS, resolve))
    return !request.isGone() && !context.draining()
  }
  return previewRemovals({ state: context.backend.state, conversation, policy, now, pause })
}

/** The policy that the query names, `null` if it names none, or what is wrong with it. */
function policyOf({ request }: HttpCall): RetentionPolicy | null | string {
  const fields: Record<string, number | string> = {}
  for (const name of ['maxAgeMs', 'maxCount', 'maxBytes', 'preset']) {
    const text = request.query.get(name)
    if (text === null) continue
    fields[name] = name !== 'preset' && /^\d{1,16}$/.test(text) ? Number(text) : text
  }
  return Object.keys(fields).length === 0 ? null : readPolicyValue(encodeBody(fields))
}
