import type { HttpResponse } from '../gateway/client-listener.ts'
import type { HttpCall, Route, RouteDoc } from '../http/route.ts'
import { adminProblem, adminProblemAnswer } from './admin-problem.ts'
import { callAnswer } from './call-answer.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import { ADMIN_PROBLEMS, invalid, NODE_PARAMETER, queryInteger } from './operator-call.ts'
import { LIMIT_PARAMETER, LINES_SCHEMA, MOST_LINES, NO_LIMIT } from './self-routes.ts'

const PATH = '/v1/cluster/nodes/{id}'
const PROBLEMS = { ...ADMIN_PROBLEMS, 404: 'No member has that name.', 503: 'It does not answer.' }
/** Whoever asks may wait less. */
const WAIT_MS = 5_000

const callOf = (operation: string, { parameters }: HttpCall, more: object = {}) => ({
  ...{ operation, node: parameters['id']!, waitMs: WAIT_MS },
  // Who looks at a cluster that is ill does not want to wait for what is down.
  isForNow: true,
  parameters: more,
})

/** What each node tells of itself, from any other that reaches it over its link. */
export function reportRoutes(
  calls: ClusterCalls,
  metrics: { readonly contentType: string },
): readonly Route[] {
  const report = (
    path: string,
    operation: string,
    doc: Pick<RouteDoc, 'operationId' | 'summary'>,
  ): Route => ({
    method: 'GET',
    path: `${PATH}${path}`,
    doc: {
      ...doc,
      role: 'admin',
      parameters: [NODE_PARAMETER],
      answers: { 200: { description: 'As that node says.', schema: { type: 'object' } } },
      problems: PROBLEMS,
    },
    answer: (http) => callAnswer(calls, http, callOf(operation, http)),
  })
  return [
    report('', 'node.view', {
      operationId: 'nodeView',
      summary: 'How that node sees its cluster, as GET /v1/cluster of its own',
    }),
    report('/self', 'node.self', {
      operationId: 'nodeSelf',
      summary: 'What that node runs with, as GET /v1/cluster/self of its own',
    }),
    {
      method: 'GET',
      path: `${PATH}/log`,
      doc: {
        operationId: 'nodeLog',
        summary: 'The last lines of the log of that node, oldest first',
        description: 'As GET /v1/cluster/log of its own, 256 KiB at most.',
        role: 'admin',
        parameters: [NODE_PARAMETER, LIMIT_PARAMETER],
        answers: { 200: { description: 'They.', schema: LINES_SCHEMA } },
        problems: { 400: '`limit` is wrong.', ...PROBLEMS },
      },
      answer: (http) => {
        const limit = queryInteger(http, 'limit', { preset: 200, least: 1, most: MOST_LINES })
        if (limit === null) return invalid(NO_LIMIT)
        return callAnswer(calls, http, callOf('node.log', http, { limit }))
      },
    },
    metricsRoute(calls, metrics.contentType),
  ]
}

function metricsRoute(calls: ClusterCalls, contentType: string): Route {
  return {
    method: 'GET',
    path: `${PATH}/metrics`,
    doc: {
      operationId: 'nodeMetrics',
      summary: 'Metrics of that node, as GET /metrics of its own',
      role: 'admin',
      parameters: [NODE_PARAMETER],
      answers: { 200: { description: 'The text format.' } },
      problems: PROBLEMS,
    },
    answer: async (http): Promise<HttpResponse> => {
      const answer = await calls.call(callOf('node.metrics', http))
      if ('problem' in answer) return adminProblemAnswer(answer.problem)
      const { text } = answer.result as { text?: unknown }
      if (typeof text !== 'string') {
        return adminProblemAnswer(adminProblem('INTERNAL', 'that node gave no metrics'))
      }
      return { status: 200, contentType, body: text }
    },
  }
}
