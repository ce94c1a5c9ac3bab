import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'
import { Recent } from './recent.ts'

/** R7: after the same index every node has the same state (Raft §5.4.3, rule K5), restarted ones too. */
export class StateAgreement implements RaftChecker {
  /** A node that is further behind gets a snapshot, or replays what was compared. */
  readonly #hashes = new Recent<{ readonly hash: string; readonly node: string }>()
  compared = 0

  onApplied({ name: node }: ObservedReplica, index: number, hash: string): void {
    const known = this.#hashes.get(index)
    if (known === undefined) {
      this.#hashes.set(index, { hash, node })
      return
    }
    this.compared += 1
    demand(
      known.hash === hash,
      'R7',
      () => `after index ${index} ${node} has state ${hash}, ${known.node} had ${known.hash}`,
    )
  }
}
