import type { Failpoints } from './failpoints.ts'
import type { Configuration } from './raft/configuration.ts'
import type { StorageAppend } from './raft/ready.ts'
import { EntryType } from './raft/types.ts'

/** The places of a replica that are told apart by what is at hand. */
export class ReplicaFailpoints {
  readonly #failpoints: Failpoints

  constructor(failpoints: Failpoints) {
    this.#failpoints = failpoints
  }

  /** A batch is durable, and its answers did not leave. */
  persisted({ entries, responses }: StorageAppend): void {
    for (const { type } of entries) {
      if (type === EntryType.configuration) {
        this.#failpoints.hit('membership.configurationAppended')
      }
    }
    if (responses.length === 0) return
    this.#failpoints.hit('replica.persistedUnsent')
    for (const message of responses) {
      if (message.type === 'vote') this.#failpoints.hit('replica.candidacyPersisted')
      if (message.type === 'voteResponse' && !message.rejected) {
        this.#failpoints.hit('replica.votePersisted')
      }
    }
  }

  /** A configuration came in force. */
  reconfigured(before: Configuration, now: Configuration): void {
    const isVoter = ({ id }: { id: string }) => now.voters.some((voter) => voter.id === id)
    if (before.learners.some(isVoter)) this.#failpoints.hit('membership.learnerPromoted')
    if (!before.voters.every(isVoter)) this.#failpoints.hit('membership.memberRemoved')
  }
}
