import { CliError, ExitCode } from '../exit-codes.ts'
import type { ClusterStatus } from './cluster-status.ts'
import type { Answers } from './collect-views.ts'

/** @throws CliError if there is no view at all, since the nodes do not show theirs to just anybody */
export function refuseIfRefused(status: ClusterStatus, answers: Answers): void {
  if (status.view !== null) return
  for (const [url, answer] of answers) {
    if (answer.view !== null || answer.failure !== 'refused') continue
    throw new CliError(
      ExitCode.refused,
      `${url}: ${answer.detail} (an operator’s token: parley token --role admin)`,
    )
  }
}
