import type { HttpResponse } from '../gateway/client-listener.ts'
import type { GatewayContext } from '../gateway/gateway-context.ts'
import { problemOf } from '../gateway/problem.ts'
import type { HttpCall, Route } from '../http/route.ts'
import { LAG_KINDS, MOST_ROWS } from '../lag/survey.ts'
import { type LagRow, LagSurveys } from '../lag/surveys.ts'
import {
  ADMIN_PROBLEMS,
  invalid,
  jsonAnswer,
  POSITION_PARAMETERS,
  positionRefusal,
  queryInteger,
} from './operator-call.ts'

const PRESET_ROWS = 20
/** For so long a call has a survey go on. */
const WAIT_MS = 5_000

/** Who is how far behind, as this node has applied it: the same on every node. */
export function lagRoutes(): Route[] {
  let surveys: LagSurveys | null = null
  const surveysOf = ({ clock, backend }: GatewayContext): LagSurveys =>
    (surveys ??= new LagSurveys(clock, backend.state))
  return [
    {
      method: 'GET',
      path: '/v1/cluster/lag',
      doc: {
        operationId: 'listLag',
        summary: 'The users, devices or conversations that are furthest behind',
        description:
          'Looks at all there are, a bit at a time, for five seconds at most: then it answers ' +
          'with what it knows, and `isWhole: false` if it has not seen all. The same call goes on there.',
        parameters: [
          {
            name: 'by',
            in: 'query',
            description: 'device, if it is not given.',
            schema: { enum: LAG_KINDS },
          },
          {
            name: 'top',
            in: 'query',
            description: `At most so many rows; ${PRESET_ROWS} if it is not given.`,
            schema: { type: 'integer', minimum: 1, maximum: MOST_ROWS },
          },
          {
            name: 'seenWithinMs',
            in: 'query',
            description:
              'Of devices and users only those that were heard of in so many ms of the log’s time.',
            schema: { type: 'integer', minimum: 1 },
          },
          ...POSITION_PARAMETERS,
        ],
        role: 'admin',
        answers: {
          200: {
            description: 'The furthest behind first.',
            schema: {
              type: 'object',
              required: ['by', 'rows', 'looked', 'total', 'isWhole', 'begunMs', 'node', 'applied'],
              properties: {
                rows: {
                  type: 'array',
                  items: { type: 'object', required: ['behind', 'oldestAt'] },
                },
                looked: { type: 'integer', description: 'Users or conversations looked at.' },
                total: { type: 'integer', description: 'Those that there are.' },
                isWhole: { type: 'boolean' },
                begunMs: { type: 'integer', description: 'So long ago the first was looked at.' },
                endedMs: { type: 'integer', description: 'So long ago the last was.' },
              },
            },
          },
        },
        problems: {
          400: 'A parameter is wrong: `detail` says which.',
          ...ADMIN_PROBLEMS,
          503: 'This node has not come as far as the mark, or serves nobody.',
        },
      },
      answer: (call) => lag(call, surveysOf(call.context)),
    },
  ]
}

async function lag(call: HttpCall, surveys: LagSurveys): Promise<HttpResponse> {
  const { request, context } = call
  const given = request.query.get('by') ?? 'device'
  const by = LAG_KINDS.find((kind) => kind === given)
  if (by === undefined) return invalid(`by must be one of ${LAG_KINDS.join(', ')}`)
  const top = queryInteger(call, 'top', { preset: PRESET_ROWS, least: 1, most: MOST_ROWS })
  if (top === null) return invalid(`top must be an integer from 1 to ${MOST_ROWS}`)
  const most = Number.MAX_SAFE_INTEGER
  const within = queryInteger(call, 'seenWithinMs', { preset: 0, least: 1, most })
  if (within === null) return invalid('seenWithinMs must be a time in ms, from 1 on')
  if (within > 0 && by === 'conversation') {
    return invalid('seenWithinMs is of devices and users; leave it out')
  }
  const refusal = await positionRefusal(call)
  if (refusal !== null) return problemOf(refusal)
  const { state, self } = context.backend
  const wanted = { by, top, seenWithinMs: within === 0 ? null : within }
  const report = await surveys.report(wanted, WAIT_MS)
  const { logTime, appliedIndex } = state
  const rows = report.rows.map((row) => shown(row, logTime))
  return jsonAnswer({ ...report, rows, node: self.id, applied: appliedIndex }, context)
}

/** Log times say nothing outside of the cluster. */
function shown(row: LagRow, logTime: number): object {
  if (!('seen' in row)) return row
  const { seen, ...rest } = row
  return { ...rest, seenAgoMs: seen === null ? null : Math.max(0, Math.round(logTime - seen)) }
}
