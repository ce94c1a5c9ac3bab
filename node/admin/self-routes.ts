import type { JsonSchema, ParameterDoc, Route } from '../http/route.ts'
import { ADMIN_PROBLEMS, invalid, queryInteger } from './operator-call.ts'
import type { NodePorts, NodeSettings } from '../node-settings.ts'
import { type SettingsView, settingsView } from './settings-view.ts'

/** What only this node knows of itself. */
export interface SelfSources {
  readonly settings: SettingsView
  /** Its machine and its process; `null` where there is none, as in a simulator. */
  readonly machine: () => Readonly<Record<string, unknown>> | null
  /** The last lines of its log, oldest first. */
  readonly recentLines: (count: number) => readonly string[]
}

export function selfSources({
  settings,
  ports,
}: {
  readonly settings: NodeSettings
  readonly ports: Pick<NodePorts, 'machine' | 'recentLines'>
}): SelfSources {
  return {
    settings: settingsView(settings),
    machine: () => ports.machine?.() ?? null,
    recentLines: (count) => ports.recentLines?.(count) ?? [],
  }
}

/** What it tells of both. */
export function selfReport({ settings, machine }: SelfSources): object {
  return { settings, machine: machine() }
}

export const MOST_LINES = 2_000
export const NO_LIMIT = `limit must be an integer from 1 to ${MOST_LINES}`
export const LIMIT_PARAMETER: ParameterDoc = {
  name: 'limit',
  in: 'query',
  description: 'Lines, the newest ones.',
  schema: { type: 'integer', minimum: 1, maximum: MOST_LINES, default: 200 },
}
export const LINES_SCHEMA: JsonSchema = {
  type: 'object',
  required: ['lines'],
  properties: { lines: { type: 'array', items: { type: 'string' } } },
}

/** What a node says of itself for whoever looks for a cause. */
export function selfRoutes(self: SelfSources): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/cluster/self',
      doc: {
        operationId: 'self',
        summary: 'What this node runs with, without secrets, and what its machine is like',
        role: 'admin',
        answers: { 200: { description: 'Both.', schema: { type: 'object' } } },
        problems: ADMIN_PROBLEMS,
      },
      answer: () => ({
        status: 200,
        contentType: 'application/json',
        body: `${JSON.stringify(selfReport(self))}\n`,
      }),
    },
    {
      method: 'GET',
      path: '/v1/cluster/log',
      doc: {
        operationId: 'recentLog',
        summary: 'The last lines of the log of this node, oldest first',
        description:
          'A line is a JSON object; the node keeps the last 2,000 in memory, 1 MiB at most. They hold no message.',
        role: 'admin',
        parameters: [LIMIT_PARAMETER],
        answers: { 200: { description: 'They.', schema: LINES_SCHEMA } },
        problems: { 400: '`limit` is wrong.', ...ADMIN_PROBLEMS },
      },
      answer: (call) => {
        const limit = queryInteger(call, 'limit', { preset: 200, least: 1, most: MOST_LINES })
        if (limit === null) return invalid(NO_LIMIT)
        return {
          status: 200,
          contentType: 'application/json',
          body: `${JSON.stringify({ lines: self.recentLines(limit) })}\n`,
        }
      },
    },
  ]
}
