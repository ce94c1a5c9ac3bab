// What browsers want to hear before a page reads what another origin answers (CORS). Which origins
// are let in at all was decided before: by the same list as for WebSockets.
import type { HttpResponse } from '../gateway/client-listener.ts'
import { MARK_HEADER } from './answer.ts'
import { KEY_HEADER } from './idempotency-key.ts'
import type { Route } from './route.ts'

const ASKED_AGAIN_S = 600

/** Whether pages may call what is at this path: what operates the cluster is not for them. */
export function isForPages(routes: readonly Route[]): boolean {
  return routes.every(({ doc }) => doc.role !== 'admin')
}

/** The answer to what a browser asks before the call itself. */
export function corsPreflight(origin: string, routes: readonly Route[]): HttpResponse {
  return {
    status: 204,
    contentType: 'text/plain; charset=utf-8',
    body: '',
    headers: {
      ...allowed(origin),
      'access-control-allow-methods': routes.map(({ method }) => method).join(', '),
      'access-control-allow-headers': `authorization, content-type, ${KEY_HEADER}, ${MARK_HEADER}`,
      'access-control-max-age': String(ASKED_AGAIN_S),
    },
  }
}

/** The answer, for a page of that origin to read. */
export function readableFrom(origin: string, answer: HttpResponse): HttpResponse {
  const exposed = `${KEY_HEADER}, ${MARK_HEADER}, retry-after`
  const headers = { ...allowed(origin), 'access-control-expose-headers': exposed }
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

/** Tokens travel in a header of their own: no cookie is ever asked for. */
const allowed = (origin: string) => ({ 'access-control-allow-origin': origin, vary: 'origin' })
