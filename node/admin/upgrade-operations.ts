import { type Clock, object } from '#cluster'
import type { FeatureLevels } from '../feature-levels.ts'
import { adminProblem } from './admin-problem.ts'
import type { Operation, OperationResult, RunningCall } from './operation.ts'
import { readParameters } from './read-parameters.ts'

const LOOK_MS = 20

export interface UpgradeParts {
  readonly clock: Clock
  readonly levels: FeatureLevels
}

const PARAMETERS = object<{ dryRun: boolean }>({ dryRun: (value) => value === true })

/** Raises the feature level, and says what stands against it: the leader knows. */
export function upgradeOperations(parts: UpgradeParts): readonly Operation[] {
  return [
    {
      name: 'upgrade.show',
      at: 'leader',
      isRepeatable: true,
      run: () => ({ result: parts.levels.view() }),
    },
    {
      name: 'upgrade.finalize',
      at: 'leader',
      isRepeatable: true,
      run: (given, call) => {
        const read = readParameters(given, PARAMETERS)
        return 'problem' in read ? read : finalize(parts, read.parameters.dryRun, call)
      },
    },
  ]
}

async function finalize(
  { clock, levels }: UpgradeParts,
  isDryRun: boolean,
  { deadlineMs }: RunningCall,
): Promise<OperationResult> {
  for (;;) {
    const { waitingFor, level, most } = levels.view()
    if (level >= most) return { result: levels.view() }
    if (waitingFor.length > 0) {
      return { problem: adminProblem('UNSAFE', `not yet: ${waitingFor.join('; ')}`) }
    }
    if (isDryRun) return { result: levels.view() }
    if (!levels.leads) return 'notLeader'
    levels.raise()
    if (clock.monotonicMs() >= deadlineMs) {
      const message = 'the level is on its way and not there yet: see parley upgrade'
      return { problem: adminProblem('OUTCOME_UNKNOWN', message) }
    }
    await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve))
  }
}
