import { jsonOf } from '../http/json-call.ts'
import type { JsonSchema, Route } from '../http/route.ts'
import { callAnswer } from './call-answer.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import { ADMIN_PROBLEMS, BODY_PROBLEMS, invalid } from './operator-call.ts'

const PATH = '/v1/cluster/upgrade'
const SCHEMA: JsonSchema = {
  type: 'object',
  required: ['level', 'most', 'waitingFor', 'members', 'risesByItself'],
  properties: {
    level: { type: 'integer', description: 'In force: what may stand in the log.' },
    most: { type: 'integer', description: 'The highest that the leader can do.' },
    waitingFor: {
      type: 'array',
      items: { type: 'string' },
      description: 'What stands against raising it, a sentence each.',
    },
    members: { type: 'array', items: { type: 'object' } },
    risesByItself: {
      type: 'boolean',
      description: 'The cluster is new: it gets there without an operator.',
    },
  },
}

/** Ends an upgrade: from then on no older version can be started again. Any node takes it. */
export function upgradeRoutes(calls: ClusterCalls): readonly Route[] {
  return [
    {
      method: 'GET',
      path: PATH,
      doc: {
        operationId: 'showUpgrade',
        summary: 'The feature level of the cluster, and what every member can do',
        role: 'admin',
        answers: { 200: { description: 'As the leader sees it.', schema: SCHEMA } },
        problems: { ...ADMIN_PROBLEMS, 503: 'Nobody leads.' },
      },
      answer: (call) => callAnswer(calls, call, { operation: 'upgrade.show' }),
    },
    {
      method: 'POST',
      path: PATH,
      doc: {
        operationId: 'finalizeUpgrade',
        summary: 'Raises the feature level to what every member can do; it never falls again',
        role: 'admin',
        body: {
          description: 'Whether to look only.',
          jsonOnly: true,
          schema: { type: 'object', properties: { dryRun: { type: 'boolean' } } },
        },
        answers: { 200: { description: 'As it is now.', schema: SCHEMA } },
        problems: {
          ...BODY_PROBLEMS,
          409: 'A member is not reached, or cannot do the level.',
          503: 'Nobody leads, or it is not known yet whether it rose.',
        },
      },
      answer: async (call) => {
        const fields = await jsonOf(call)
        if ('refusal' in fields) return fields.refusal
        const { dryRun = false } = fields.json
        if (typeof dryRun !== 'boolean') return invalid('dryRun must be true or false')
        const parameters = { dryRun }
        return callAnswer(calls, call, { operation: 'upgrade.finalize', parameters })
      },
    },
  ]
}
