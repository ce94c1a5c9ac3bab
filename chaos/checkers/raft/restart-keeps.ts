import type { RaftStatus } from '#cluster'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

/** R8: what was synced is there after the restart: term, vote and every entry (rule K2). */
export class RestartKeeps implements RaftChecker {
  onStarted({ name, disk }: ObservedReplica, { term, vote, lastIndex }: RaftStatus): void {
    demand(
      term >= disk.term && lastIndex >= disk.promisedIndex && disk.lastIndex >= disk.promisedIndex,
      'R8',
      () =>
        `${name} restarts with log ${lastIndex} in term ${term}; synced were ${disk.promisedIndex} in ${disk.term}, ${disk.lastIndex} are there`,
    )
    demand(
      term > disk.term || disk.vote === '' || vote === disk.vote,
      'R8',
      () => `${name} forgot its vote for ${disk.vote} in term ${disk.term}`,
    )
  }
}
