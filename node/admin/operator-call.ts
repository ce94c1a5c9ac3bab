// What the routes for operators have in common.
import { isOfAlphabet, LIMITS, type WireError, wireError } from '#protocol'
import type { HttpResponse } from '../gateway/client-listener.ts'
import type { GatewayContext } from '../gateway/gateway-context.ts'
import { notServing, reachMark, reachNewest } from '../gateway/handlers/read-position.ts'
import { MARK_HEADER, markHeader } from '../http/answer.ts'
import { MARK_PARAMETER } from '../http/parameters.ts'
import type { HttpCall, ParameterDoc, RouteDoc } from '../http/route.ts'
import type { Submission } from '../state-machine/commands.ts'
import { problemOf } from '../gateway/problem.ts'

/** Of every route for operators. */
export const ADMIN_PROBLEMS = {
  401: 'No token, or one that is refused.',
  403: 'The token is not of role admin.',
} as const satisfies RouteDoc['problems']

/** Of every such route with a body. */
export const BODY_PROBLEMS = {
  400: 'The body is wrong: `detail` says where.',
  ...ADMIN_PROBLEMS,
  413: 'The body is too large.',
  415: 'The body is no JSON.',
} as const satisfies RouteDoc['problems']

/** Of what reads the state and takes these parameters. */
export const POSITION_PARAMETERS: readonly ParameterDoc[] = [
  {
    name: 'read',
    in: 'query',
    description: 'linearizable: with every write that was acknowledged before the call.',
    schema: { enum: ['session', 'linearizable'] },
  },
  MARK_PARAMETER,
]

/** Of what is for one node. */
export const NODE_PARAMETER: ParameterDoc = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Its name; any node takes the call for it.',
  schema: { type: 'string' },
}

/** Where a list of several pages goes on. */
export const PAGE_PARAMETER: ParameterDoc = {
  name: 'after',
  in: 'query',
  description: '`next` of the last page.',
  schema: { type: 'string' },
}
export const NO_PAGE = 'after must be `next` of the last page'

/** Why this node cannot answer from the state that the call asks for; `null`: it can. */
export async function positionRefusal({ request, context }: HttpCall): Promise<WireError | null> {
  const read = request.query.get('read') ?? 'session'
  if (read !== 'session' && read !== 'linearizable') {
    return wireError('INVALID_MESSAGE', 'read must be session or linearizable')
  }
  const behind =
    notServing(context) ?? (await reachMark(request.header(MARK_HEADER) ?? undefined, context))
  return behind ?? (read === 'linearizable' ? reachNewest(context) : null)
}

/** Whether it may be the id of a conversation: the store is asked for no other. */
export const isConversationId = (text: string): boolean =>
  isOfAlphabet(text, 'printable', LIMITS.conversationLength)

/** An integer of the query, `null` if it is none from `least` to `most`. */
export function queryInteger(
  { request }: HttpCall,
  name: string,
  {
    preset,
    least,
    most,
  }: { readonly preset: number; readonly least: number; readonly most: number },
): number | null {
  const text = request.query.get(name)
  if (text === null) return preset
  const value = /^\d{1,16}$/.test(text) ? Number(text) : -1
  return Number.isSafeInteger(value) && value >= least && value <= most ? value : null
}

/** `null`: applied by this node. */
export function submit(
  submission: Submission,
  { backend }: GatewayContext,
): Promise<WireError | null> {
  return new Promise((resolve) => {
    backend.submit(submission, (result) => {
      if ('error' in result) resolve(result.error)
      else resolve(result.ok ? null : wireError(result.code, result.message))
    })
  })
}

export function jsonAnswer(value: object, context: GatewayContext): HttpResponse {
  return {
    status: 200,
    contentType: 'application/json',
    body: `${JSON.stringify(value)}\n`,
    headers: markHeader(context),
  }
}

export const invalid = (detail: string): HttpResponse =>
  problemOf(wireError('INVALID_MESSAGE', detail))
