import type { JsonSchema, ParameterDoc, Route } from '../http/route.ts'
import { callAnswer } from './call-answer.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import { ADMIN_PROBLEMS, invalid } from './operator-call.ts'
import { PREFLIGHT_ACTIONS } from './preflight.ts'

const PREFLIGHT: JsonSchema = {
  type: 'object',
  required: ['action', 'node', 'verdict', 'reasons', 'next'],
  properties: {
    action: { enum: PREFLIGHT_ACTIONS },
    verdict: { enum: ['ok', 'warn', 'refuse'] },
    reasons: {
      type: 'array',
      items: { type: 'object', required: ['level', 'code', 'text'] },
    },
    next: { type: 'array', items: { type: 'string' }, description: 'What to do, in order.' },
  },
}

const text = (name: string, description: string): ParameterDoc => ({
  ...{ name, in: 'query', description },
  schema: { type: 'string' },
})

/** May I stop this node? Any node takes the question, and its leader answers it. */
export function preflightRoute(calls: ClusterCalls): Route {
  return {
    method: 'GET',
    path: '/v1/cluster/preflight',
    doc: {
      operationId: 'preflight',
      summary: 'Whether something may be done to a node now, why not, and what to do instead',
      parameters: [
        { ...text('action', 'What is to be done.'), schema: { enum: PREFLIGHT_ACTIONS } },
        text('node', 'To which node; of a transfer to nobody in particular, none.'),
        text('peer', 'Of a node to add: where its peers will reach it.'),
        text('url', 'Of a node to add: where clients will reach it.'),
        text('instead', 'Of one to add: in whose place; of one to replace: by whom.'),
      ],
      role: 'admin',
      answers: { 200: { description: 'What speaks for and against it.', schema: PREFLIGHT } },
      problems: { ...ADMIN_PROBLEMS, 400: 'A parameter is wrong.', 503: 'Nobody leads.' },
    },
    answer: (call) => {
      const { query } = call.request
      const [action, node] = [query.get('action'), query.get('node')]
      if (!(PREFLIGHT_ACTIONS as readonly (string | null)[]).includes(action)) {
        return invalid(`action must be one of ${PREFLIGHT_ACTIONS.join(', ')}`)
      }
      if (node === null && action !== 'transfer') return invalid('node must name a node')
      const more = {
        peer: query.get('peer'),
        url: query.get('url'),
        instead: query.get('instead'),
      }
      const parameters = { action, node, ...more }
      return callAnswer(calls, call, { operation: 'members.preflight', parameters })
    },
  }
}
