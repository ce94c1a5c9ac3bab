import { jsonOf } from '../http/json-call.ts'
import type { Route } from '../http/route.ts'
import { callAnswer } from './call-answer.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import { BODY_PROBLEMS, invalid } from './operator-call.ts'

/** Moves leadership; any node takes it. */
export function leadershipRoutes(calls: ClusterCalls): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/cluster/leadership-transfers',
      doc: {
        operationId: 'transferLeadership',
        summary: 'Has another voter lead; answers once it does',
        description: 'Writes wait for `gapMs`. Any node takes the call.',
        role: 'admin',
        body: {
          description: 'Who is to lead.',
          jsonOnly: true,
          schema: {
            type: 'object',
            properties: {
              to: {
                type: 'string',
                description: 'Its name. Default: the voter that is nearest to having everything.',
              },
            },
          },
        },
        answers: {
          200: {
            description: 'Who led and who leads.',
            schema: {
              type: 'object',
              required: ['from', 'to', 'term', 'gapMs'],
              properties: {
                from: { type: 'string' },
                to: { type: 'string' },
                term: { type: 'integer' },
                gapMs: { type: 'integer', description: '0: it led already.' },
              },
            },
          },
        },
        problems: {
          ...BODY_PROBLEMS,
          404: 'No voter has that name.',
          409: 'No other voter answers, or leadership is on its way to another one.',
          503: 'It did not take over in time, nobody leads, or it is unknown who does.',
        },
      },
      answer: async (call) => {
        const fields = await jsonOf(call)
        if ('refusal' in fields) return fields.refusal
        const { to = null } = fields.json
        if (to !== null && typeof to !== 'string') return invalid('to must be the name of a voter')
        return callAnswer(calls, call, { operation: 'leadership.transfer', parameters: { to } })
      },
    },
  ]
}
