import type { Route } from '../http/route.ts'
import { callAnswer } from './call-answer.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import { ADMIN_PROBLEMS, NODE_PARAMETER } from './operator-call.ts'

const NAMES = { type: 'array', items: { type: 'string' } } as const

/** Has a node read its configuration again; any node takes the call. */
export function reloadRoutes(calls: ClusterCalls): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/cluster/nodes/{id}/reload',
      doc: {
        operationId: 'reload',
        summary: 'The node reads its configuration and its files of keys again, as with SIGHUP',
        role: 'admin',
        parameters: [NODE_PARAMETER],
        answers: {
          200: {
            description: 'What may change without a restart is in force.',
            schema: {
              type: 'object',
              required: ['changed', 'needRestart'],
              properties: {
                changed: { ...NAMES, description: 'Options with other values than before.' },
                needRestart: { ...NAMES, description: 'Options that wait for the next start.' },
              },
            },
          },
        },
        problems: {
          ...ADMIN_PROBLEMS,
          404: 'No member has that name.',
          409: 'Something is wrong with what is written, and nothing was changed: `detail` says what.',
          503: 'That node does not answer.',
        },
      },
      answer: (call) =>
        callAnswer(calls, call, { operation: 'node.reload', node: call.parameters['id']! }),
    },
  ]
}
