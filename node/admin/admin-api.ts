import type { Logger } from '#cluster'
import type { HttpResponse, RequestHead } from '../gateway/client-listener.ts'
import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import type { ClusterView } from './cluster-view.ts'
import { livez, readyz, type Readiness } from './health.ts'
import { problem } from './problem.ts'

export interface AdminApiOptions {
  readonly readiness: () => Readiness
  /** Called for each request; answers from memory. */
  readonly clusterView: () => ClusterView
  readonly metrics: MetricsRegistry
  readonly logger: Logger
}

type Route = (head: RequestHead, options: AdminApiOptions) => Promise<HttpResponse> | HttpResponse

const ROUTES: Readonly<Record<string, Route>> = {
  '/livez': () => livez(),
  '/readyz': (head, options) =>
    readyz(options.readiness(), {
      accept: head.accept,
      verbose: head.query.has('verbose'),
      warnings: options.clusterView().warnings,
    }),
  '/metrics': async (_, options) => ({
    status: 200,
    contentType: options.metrics.contentType,
    body: await options.metrics.text(),
  }),
  '/v1/cluster': (_, options) => ({
    status: 200,
    contentType: 'application/json',
    body: `${JSON.stringify(options.clusterView())}\n`,
  }),
}

/** Answers the HTTP calls of a node. Never rejects: a failure inside is a 500. */
export class AdminApi {
  readonly #options: AdminApiOptions

  constructor(options: AdminApiOptions) {
    this.#options = options
  }

  async handle(head: RequestHead): Promise<HttpResponse> {
    const route = Object.hasOwn(ROUTES, head.path) ? ROUTES[head.path] : undefined
    if (route === undefined) {
      return problem(404, 'Not found', { detail: `There is nothing at ${head.path}.` })
    }
    if (head.method !== 'GET' && head.method !== 'HEAD') {
      return problem(405, 'Method not allowed', {
        detail: `${head.path} answers GET only.`,
        headers: { allow: 'GET, HEAD' },
      })
    }
    try {
      return await route(head, this.#options)
    } catch (error) {
      this.#options.logger.error('http.failed', { path: head.path, error })
      return problem(500, 'Internal error', { detail: 'The node failed to answer. See its log.' })
    }
  }
}
