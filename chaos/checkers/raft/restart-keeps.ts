import type { RaftStatus } from '#cluster'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

/** R8: what was synced is there after the restart: term, vote and every entry (rule K2). */
export class RestartKeeps implements RaftChecker {
  onStarted({ name, disk }: ObservedReplica, { term, vote, lastIndex }: RaftStatus): void {
    demand(
      term >= disk.promisedTerm &&
        lastIndex >= disk.promisedIndex &&
        disk.lastIndex >= disk.promisedIndex,
      'R8',
      () =>
        `${name} restarts with log ${lastIndex} in term ${term}; synced were ${disk.promisedIndex} in ${disk.promisedTerm}, ${disk.lastIndex} are there`,
    )
    demand(
      term > disk.promisedTerm || disk.promisedVote === '' || vote === disk.promisedVote,
      'R8',
      () => `${name} forgot its vote for ${disk.promisedVote} in term ${disk.promisedTerm}`,
    )
    disk.started({ term, vote })
  }
}
