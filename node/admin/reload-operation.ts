import type { NodeReloads } from '../reload.ts'
import { adminProblem } from './admin-problem.ts'
import type { Operation } from './operation.ts'

export interface ReloadParts {
  /** `null`: there is nothing to read again. */
  readonly reloads: NodeReloads | null
}

/** Has a node read its configuration again. Twice is as good as once. */
export function reloadOperation({ reloads }: ReloadParts): Operation {
  return {
    name: 'node.reload',
    at: 'node',
    isRepeatable: true,
    run: async () => {
      if (reloads === null) {
        return { problem: adminProblem('UNSUPPORTED', 'this node has no configuration to read') }
      }
      const { isApplied, changed, needRestart, faults } = await reloads.reload()
      if (isApplied) return { result: { changed, needRestart } }
      const message = `nothing was changed; mend this and reload again: ${faults.join('; ')}`
      return { problem: adminProblem('UNSAFE', message) }
    },
  }
}
