import { object, type RaftId, type Replica } from '#cluster'
import type { DrainView, NodeDrain } from '../node-drain.ts'
import { adminProblem } from './admin-problem.ts'
import type { Operation, OperationResult } from './operation.ts'
import { readParameters } from './read-parameters.ts'

/** How long clients get to leave on their own. */
const DRAIN_MS = 20_000

export interface DrainParts {
  readonly drain: NodeDrain
  replica(): Replica | null
  /** How well a peer would do with clients; 0 not at all. */
  fitness(id: RaftId): number
}

/** What a drain of a node looks at before it begins, and how far it is. */
export interface DrainAnswer extends DrainView {
  /** Voters that take over what the node has. */
  readonly refuges: readonly string[]
}

const PARAMETERS = object<{ dryRun: boolean }>({ dryRun: (value) => value === true })

/** Sends what a node has to the others, takes it back, and says how far that is. Each on the node itself. */
export function drainOperations(parts: DrainParts): readonly Operation[] {
  const operation = (name: string, run: (given: unknown) => OperationResult): Operation => ({
    name,
    at: 'node',
    isRepeatable: true,
    run,
  })
  return [
    operation('node.drain', (given) => {
      const read = readParameters(given, PARAMETERS)
      return 'problem' in read ? read : begin(parts, read.parameters.dryRun)
    }),
    operation('node.undrain', () => {
      parts.drain.undo()
      return { result: answerOf(parts) }
    }),
    operation('node.showDrain', () => ({ result: answerOf(parts) })),
  ]
}

function begin(parts: DrainParts, isDryRun: boolean): OperationResult {
  const answer = answerOf(parts)
  if (answer.phase === 'serving' && answer.refuges.length === 0) {
    const message =
      'no other voter is up, caught up and not drained: nobody would take its clients. Bring one back first (parley status, parley undrain)'
    return { problem: adminProblem('UNSAFE', message) }
  }
  if (isDryRun) return { result: answer }
  void parts.drain.begin(DRAIN_MS)
  return { result: answerOf(parts) }
}

function answerOf(parts: DrainParts): DrainAnswer {
  const { raftId, configuration } = parts.replica() ?? {}
  const others = (configuration?.voters ?? []).filter(({ id }) => id !== raftId)
  const refuges = others.filter(({ id }) => parts.fitness(id) === 2).map(({ name }) => name)
  return { ...parts.drain.view(), refuges }
}
