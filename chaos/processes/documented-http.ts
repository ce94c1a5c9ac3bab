import { ok } from 'node:assert/strict'
import type { ProcessCluster } from './process-cluster.ts'
import { bearer } from './token-of.ts'

/** More than any call may bring. */
export const TOO_LARGE = JSON.stringify({ body: 'x'.repeat(2 * 1024 * 1024) })

interface Documented {
  readonly content?: Record<string, { schema: { required?: string[]; $ref?: string } }>
}
type Operations = Record<string, { responses: Record<string, Documented> }>
type Schemas = Record<string, { required: string[] }>

/** Tried on a cluster of their own: they change who belongs to it, and who leads. */
export const isAboutMembers = (route: string): boolean =>
  /^\/v1\/cluster\/(members|preflight|leadership-transfers)\b/.test(route)

export interface HttpCall {
  readonly id?: string
  readonly query?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
  /** Which one is asked. */
  readonly node?: number
}

/** Calls of real nodes by their own description, which every answer is held to. */
export class DocumentedHttp {
  readonly documented: Record<string, Operations>
  /** `POST /v1/…` → the statuses that came. */
  readonly seen = new Map<string, Set<number>>()
  readonly #cluster: ProcessCluster
  readonly #schemas: Schemas

  private constructor(
    cluster: ProcessCluster,
    description: { paths: Record<string, Operations>; components: { schemas: Schemas } },
  ) {
    this.#cluster = cluster
    this.documented = description.paths
    this.#schemas = description.components.schemas
  }

  static async of(cluster: ProcessCluster): Promise<DocumentedHttp> {
    const response = await fetch(`${cluster.nodes[0]!.url}/openapi.json`)
    const description = (await response.json()) as {
      openapi: string
      paths: Record<string, Operations>
      components: { schemas: Schemas }
    }
    if (description.openapi !== '3.1.0') throw new Error(`OpenAPI ${description.openapi}`)
    return new DocumentedHttp(cluster, description)
  }

  /** Documented answers of these routes that never came, as `POST /v1/… 200`. */
  unseen(isMeant: (route: string) => boolean): string[] {
    return Object.entries(this.documented)
      .filter(([route]) => isMeant(route))
      .flatMap(([route, operations]) =>
        Object.entries(operations).flatMap(([method, { responses }]) => {
          const name = `${method.toUpperCase()} ${route}`
          const statuses = Object.keys(responses).filter((status) => status !== 'default')
          const missing = statuses.filter((status) => !this.seen.get(name)?.has(Number(status)))
          return missing.map((status) => `${name} ${status}`)
        }),
      )
  }

  /**
   * Posts what is wrong wherever an operator may post JSON, by the route: without a good token, without
   * the role, too much, and as something else. What came, and what should have.
   */
  async wrongPosts(isMeant: (route: string) => boolean) {
    const admin = bearer({ sub: 'op', role: 'admin' })
    const answers: { route: string; came: number; expected: number }[] = []
    for (const [route, operations] of Object.entries(this.documented)) {
      const responses = operations['post']?.responses
      if (!isMeant(route) || responses?.['415'] === undefined) continue
      for (const [expected, more] of [
        [401, { body: {}, headers: { authorization: 'Bearer nonsense' } }],
        [403, { body: {}, headers: bearer({ sub: 'eve' }) }],
        [413, { body: TOO_LARGE, headers: admin }],
        [415, { body: '{}', headers: { ...admin, 'content-type': 'text/plain' } }],
      ] as const) {
        const { status } = await this.call('POST', route, { id: 'n1', ...more })
        answers.push({ route, came: status, expected })
      }
    }
    return answers
  }

  /** Calls a documented route; what comes must be among what it documents, with what that requires. */
  async call(method: string, route: string, more: HttpCall = {}) {
    const { id = '', query = '', headers = {}, body, node = 0 } = more
    const path = route.replace(/\{id\}|\{user\}/, encodeURIComponent(id))
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${this.#cluster.nodes[node]!.url}${path}${query}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        // A connection that a busy machine let idle may be closed just as it is used again.
        connection: 'close',
        ...headers,
      },
      ...(body === undefined ? {} : { body: text }),
    })
    const { status } = response
    const name = `${method} ${route}`
    this.seen.set(name, (this.seen.get(name) ?? new Set()).add(status))
    const answer = this.documented[route]?.[method.toLowerCase()]?.responses[String(status)]
    const said = await response.text()
    ok(answer !== undefined, `not documented: ${name} ${status}: ${said}`)
    const contentType = (response.headers.get('content-type') ?? '').split(';')[0]!
    const content = answer.content?.[contentType]
    ok(content !== undefined, `not documented: ${name} ${status} as ${contentType}`)
    // Of lines the last one says where to go on.
    const lines = said.trimEnd().split('\n')
    const document = contentType === 'application/x-ndjson' ? lines.at(-1)! : said
    const json = contentType.endsWith('json')
      ? (JSON.parse(document) as Record<string, unknown>)
      : {}
    const { required, $ref } = content.schema
    const wanted =
      required ?? ($ref === undefined ? [] : this.#schemas[$ref.split('/').at(-1)!]!.required)
    const lacks = wanted.filter((field) => !Object.hasOwn(json, field))
    ok(lacks.length === 0, `${name} ${status} lacks ${lacks.join(', ')}: ${said}`)
    if (status === 503 && contentType === 'application/problem+json') {
      ok(/^\d+$/.test(response.headers.get('retry-after') ?? ''), `${name} has no Retry-After`)
    }
    return { status, json, lines, headers: response.headers }
  }
}
