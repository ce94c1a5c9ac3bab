// What the routes for operators have in common.
import { type WireError, wireError } from '#protocol'
import type { HttpResponse } from '../gateway/client-listener.ts'
import type { GatewayContext } from '../gateway/gateway-context.ts'
import { markHeader } from '../http/answer.ts'
import type { RouteDoc } from '../http/route.ts'
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
