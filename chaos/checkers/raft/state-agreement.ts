import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

/** Nothing older is compared: a node that far behind gets a snapshot or replays what was compared. */
const KEPT = 20_000

/** R7: after the same index every node has the same state (Raft §5.4.3, rule K5), restarted ones too. */
export class StateAgreement implements RaftChecker {
  readonly #hashes = new Map<number, { hash: string; node: string }>()
  compared = 0

  onApplied({ name: node }: ObservedReplica, index: number, hash: string): void {
    const known = this.#hashes.get(index)
    if (known === undefined) {
      this.#hashes.set(index, { hash, node })
      this.#hashes.delete(index - KEPT)
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
