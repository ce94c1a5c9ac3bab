import { auditedDetails } from '../audit/audited-details.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Identity } from '../gateway/auth.ts'
import type { HttpRequest, HttpResponse } from '../gateway/client-listener.ts'
import { problem } from '../gateway/problem.ts'
import type { HttpCall, Route } from './route.ts'

/** Whether calls of the route leave a line (rule AU1). */
export const isAudited = ({ method, doc }: Pick<Route, 'method' | 'doc'>): boolean =>
  doc.role === 'admin' && (method !== 'GET' || doc.showsMessages === true)

/**
 * Has the call answered, and a line of it on disk before anybody sees the answer (rule AU2).
 * `answer` is given the call to use.
 */
export async function auditedAnswer(
  route: Route,
  call: HttpCall,
  trail: AuditTrail,
  answer: (call: HttpCall) => Promise<{ response: HttpResponse; identity: Identity | null }>,
): Promise<HttpResponse> {
  if (!(await trail.isReady())) {
    return problem(
      503,
      'INTERNAL',
      'The audit log cannot be written, so nothing was done: see the log of this node.',
    )
  }
  const { request } = call
  let body: Uint8Array | null = null
  const heard: HttpRequest = Object.create(request, {
    body: {
      value: async (maxBytes: number) => {
        body = await request.body(maxBytes)
        return body
      },
    },
    header: { value: (name: string) => request.header(name) },
    isGone: { value: () => request.isGone() },
  }) as HttpRequest
  const { response, identity } = await answer({ ...call, request: heard })
  const isWritten = await trail.record({
    operation: route.doc.operationId,
    method: request.method,
    path: request.path.slice(0, 512),
    details: auditedDetails(request.query, body),
    user: identity?.subject ?? null,
    token: identity?.tokenId ?? null,
    remote: request.remote,
    status: response.status,
    code: codeOf(response),
  })
  if (isWritten) return response
  const detail =
    'What became of it is not recorded: the audit log cannot be written. See the log of this node, and look at what is there now.'
  return problem(503, 'OUTCOME_UNKNOWN', detail)
}

function codeOf({ contentType, body }: HttpResponse): string | null {
  if (contentType !== 'application/problem+json') return null
  const { code } = JSON.parse(body) as { code?: unknown }
  return typeof code === 'string' ? code : null
}
