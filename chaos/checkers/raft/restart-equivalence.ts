import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'
import { Recent } from './recent.ts'

/**
 * R17: a state that was built anew, by replay, from a checkpoint or from a snapshot, is the one that
 * the node had after the same index in an earlier life (rules K3, K6).
 */
export class RestartEquivalence implements RaftChecker {
  readonly #nodes = new Map<string, { life: number; hashes: Recent<Remembered> }>()
  /** Indices at which two lives of one node were compared. */
  compared = 0

  onStarted({ name }: ObservedReplica): void {
    const known = this.#nodes.get(name)
    if (known === undefined) this.#nodes.set(name, { life: 1, hashes: new Recent() })
    else known.life += 1
  }

  onApplied({ name }: ObservedReplica, index: number, hash: string): void {
    const known = this.#nodes.get(name)
    if (known === undefined) return
    const before = known.hashes.get(index)
    if (before === undefined) {
      known.hashes.set(index, { hash, life: known.life })
      return
    }
    if (before.life === known.life) return
    this.compared += 1
    demand(
      before.hash === hash,
      'R17',
      () =>
        `${name} in its life ${known.life} has state ${hash} after ${index}, in its life ${before.life} it had ${before.hash}`,
    )
  }
}

interface Remembered {
  readonly hash: string
  readonly life: number
}
