import { integer, object } from '#cluster'
import { MAX_ANSWER_LENGTH } from './call-frame.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Operation, OperationResult } from './operation.ts'
import { readParameters } from './read-parameters.ts'
import { MOST_LINES, selfReport, type SelfSources } from './self-routes.ts'

export interface ReportParts {
  readonly self: SelfSources
  view(): ClusterView
  /** In the Prometheus text format. */
  metrics(): Promise<string>
}

const LOG_PARAMETERS = object<{ limit: number }>({ limit: integer(1, MOST_LINES) })

/** What a node tells of itself, told to who asks another one: not every machine reaches every node. */
export function reportOperations(parts: ReportParts): readonly Operation[] {
  const operation = (
    name: string,
    run: (given: unknown) => OperationResult | Promise<OperationResult>,
  ): Operation => ({ name, at: 'node', isRepeatable: true, run })
  return [
    operation('node.view', () => ({ result: parts.view() })),
    operation('node.self', () => ({ result: selfReport(parts.self) })),
    operation('node.metrics', async () => ({ result: { text: await parts.metrics() } })),
    operation('node.log', (given) => {
      const read = readParameters(given, LOG_PARAMETERS)
      if ('problem' in read) return read
      return { result: { lines: fitting(parts.self.recentLines(read.parameters.limit)) } }
    }),
  ]
}

/** The newest of them that an answer between nodes holds, oldest first. */
function fitting(lines: readonly string[]): readonly string[] {
  let room = MAX_ANSWER_LENGTH - JSON.stringify({ lines: [] }).length
  let first = lines.length
  while (first > 0) {
    room -= JSON.stringify(lines[first - 1]).length + 1
    if (room < 0) break
    first -= 1
  }
  return lines.slice(first)
}
