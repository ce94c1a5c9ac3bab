import { DRAIN_PHASES } from '../node-drain.ts'
import { jsonOf } from '../http/json-call.ts'
import type { HttpCall, JsonSchema, Route } from '../http/route.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { callAnswer } from './call-answer.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import { ADMIN_PROBLEMS, BODY_PROBLEMS, invalid, NODE_PARAMETER } from './operator-call.ts'

const PATH = '/v1/cluster/nodes/{id}/drain'
const SCHEMA: JsonSchema = {
  type: 'object',
  required: ['phase', 'leads', 'clients', 'writes', 'refuges'],
  properties: {
    phase: { enum: DRAIN_PHASES },
    leads: { type: 'boolean' },
    clients: { type: 'integer', description: 'Connections that it still has.' },
    writes: { type: 'integer', description: 'Writes that wait for their result there.' },
    refuges: {
      type: 'array',
      items: { type: 'string' },
      description: 'Voters that take over what it has.',
    },
  },
}
const PROBLEMS = {
  404: 'No member has that name.',
  503: 'That node does not answer.',
}
const answers = (description: string) => ({ 200: { description, schema: SCHEMA } })

/** Takes a node out of service and back, for work on its machine; it stays a voter. */
export function drainRoutes(calls: ClusterCalls): readonly Route[] {
  const ask = (call: HttpCall, operation: string, parameters: object = {}) =>
    callAnswer(calls, call, { operation, node: call.parameters['id']!, parameters })
  return [
    {
      method: 'GET',
      path: PATH,
      doc: {
        operationId: 'showDrain',
        summary: 'How far a drain of the node is',
        role: 'admin',
        parameters: [NODE_PARAMETER],
        answers: answers('As the node itself says.'),
        problems: { ...ADMIN_PROBLEMS, ...PROBLEMS },
      },
      answer: (call) => ask(call, 'node.showDrain'),
    },
    {
      method: 'POST',
      path: PATH,
      doc: {
        operationId: 'drain',
        summary: 'Begins to send away leadership and clients of the node, which stays a voter',
        description: 'Until it is undone or starts again. Begun already, it goes on as it is.',
        role: 'admin',
        parameters: [NODE_PARAMETER],
        body: {
          description: 'Whether to look only.',
          jsonOnly: true,
          schema: { type: 'object', properties: { dryRun: { type: 'boolean' } } },
        },
        answers: answers('How far it is.'),
        problems: { ...BODY_PROBLEMS, ...PROBLEMS, 409: 'No other voter could take its clients.' },
      },
      answer: async (call): Promise<HttpResponse> => {
        const fields = await jsonOf(call)
        if ('refusal' in fields) return fields.refusal
        const { dryRun = false } = fields.json
        if (typeof dryRun !== 'boolean') return invalid('dryRun must be true or false')
        return ask(call, 'node.drain', { dryRun })
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      doc: {
        operationId: 'undrain',
        summary: 'The node takes clients and leadership again',
        role: 'admin',
        parameters: [NODE_PARAMETER],
        answers: answers('It serves.'),
        problems: { ...ADMIN_PROBLEMS, ...PROBLEMS },
      },
      answer: (call) => ask(call, 'node.undrain'),
    },
  ]
}
