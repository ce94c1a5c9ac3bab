import type { Logger } from '#cluster'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Identity } from '../gateway/auth.ts'
import { problem, problemOf } from '../gateway/problem.ts'
import type { HttpRequest, HttpResponse } from '../gateway/client-listener.ts'
import type { GatewayContext } from '../gateway/gateway-context.ts'
import type { HttpMetrics } from '../metrics/http-metrics.ts'
import { auditedAnswer, isAudited } from './audited-answer.ts'
import { corsPreflight, isForPages, readableFrom } from './cross-origin.ts'
import { openApi } from './openapi.ts'
import { roleGuard } from './role-guard.ts'
import type { HttpCall, Route } from './route.ts'

export interface HttpApiOptions {
  readonly routes: readonly Route[]
  /** Of the product, for the description. */
  readonly version: string
  readonly logger: Logger
  readonly metrics: HttpMetrics
  /** @default nothing is recorded */
  readonly audit?: AuditTrail
  /** Calls under way at one time; one more is answered `OVERLOADED`. @default 1,000 */
  readonly maxCalls?: number
}

/** Answers the HTTP calls of a node. Never rejects: a failure inside is a 500. */
export class HttpApi {
  readonly #logger: Logger
  readonly #maxCalls: number
  /** By their paths, `GET /openapi.json` among them. */
  readonly #routes: ReadonlyMap<string, readonly Route[]>
  readonly #patterns: readonly { readonly path: string; readonly parts: readonly string[] }[]
  readonly #metrics: HttpMetrics
  readonly #audit: AuditTrail | null
  #calls = 0

  constructor(options: HttpApiOptions) {
    this.#logger = options.logger
    this.#metrics = options.metrics
    this.#audit = options.audit ?? null
    this.#maxCalls = options.maxCalls ?? 1_000
    const routes = new Map<string, Route[]>()
    for (const route of [...options.routes, openApi(options.routes, options.version)]) {
      const same = routes.get(route.path) ?? []
      same.push(route)
      routes.set(route.path, same)
    }
    this.#routes = routes
    this.#patterns = [...routes.keys()].map((path) => ({ path, parts: path.split('/') }))
  }

  async handle(request: HttpRequest, context: GatewayContext): Promise<HttpResponse> {
    const { clock } = context
    const sinceMs = clock.monotonicMs()
    this.#metrics.began()
    const response = await this.#handle(request, context)
    this.#metrics.ended(response.status, (clock.monotonicMs() - sinceMs) / 1_000)
    return response
  }

  async #handle(request: HttpRequest, context: GatewayContext): Promise<HttpResponse> {
    const found = this.#find(request.path)
    if (found === null) {
      return problem(404, 'UNSUPPORTED', `There is nothing at ${request.path}; see /openapi.json.`)
    }
    const routes = this.#routes.get(found.path) ?? []
    const { origin } = request
    const isForPage = origin !== null && isForPages(routes)
    if (isForPage && request.method === 'OPTIONS') return corsPreflight(origin, routes)
    const answer = await this.#answer(routes, { request, parameters: found.parameters, context })
    return isForPage ? readableFrom(origin, answer) : answer
  }

  async #answer(routes: readonly Route[], call: HttpCall): Promise<HttpResponse> {
    const { request } = call
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = routes.find((one) => one.method === method)
    if (route === undefined) {
      const methods = routes.map((one) => (one.method === 'GET' ? 'GET, HEAD' : one.method))
      const allow = methods.join(', ')
      return problem(405, 'UNSUPPORTED', `${request.path} answers ${allow} only.`, { allow })
    }
    if (this.#calls >= this.#maxCalls) {
      const busy = `More than ${this.#maxCalls} calls are under way; come back later.`
      return problem(503, 'OVERLOADED', busy, { 'retry-after': '1' })
    }
    this.#calls += 1
    try {
      const answer = (one: HttpCall) => this.#guarded(route, one)
      if (this.#audit !== null && isAudited(route))
        return await auditedAnswer(route, call, this.#audit, answer)
      return (await answer(call)).response
    } finally {
      this.#calls -= 1
    }
  }

  async #guarded(
    route: Route,
    call: HttpCall,
  ): Promise<{ response: HttpResponse; identity: Identity | null }> {
    let identity: Identity | null = null
    try {
      const guard = await roleGuard(call, route.doc.role)
      if ('refusal' in guard) return { response: problemOf(guard.refusal), identity }
      identity = guard.identity
      return { response: await route.answer(call), identity }
    } catch (error) {
      this.#logger.error('http.failed', { path: call.request.path, error })
      const response = problem(500, 'INTERNAL', 'The node failed to answer. See its log.')
      return { response, identity }
    }
  }

  /** Literal paths stand before patterns that fit as well, as they come first in the list. */
  #find(path: string): { path: string; parameters: Readonly<Record<string, string>> } | null {
    const given = path.split('/')
    for (const pattern of this.#patterns) {
      const parameters = matched(pattern.parts, given)
      if (parameters !== null) return { path: pattern.path, parameters }
    }
    return null
  }
}

function matched(pattern: readonly string[], given: readonly string[]) {
  if (pattern.length !== given.length) return null
  const parameters: Record<string, string> = {}
  for (const [at, part] of pattern.entries()) {
    const value = given[at] as string
    if (!part.startsWith('{')) {
      if (part !== value) return null
      continue
    }
    const decoded = decodedSegment(value)
    if (decoded === null || decoded === '') return null
    parameters[part.slice(1, -1)] = decoded
  }
  return parameters
}

/** `null`: the percent-encoding is broken, so it names nothing. */
function decodedSegment(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}
