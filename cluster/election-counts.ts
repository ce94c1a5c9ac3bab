import type { ClusterMetrics } from './cluster-metrics.ts'
import { NO_ONE, type RaftId } from './raft/types.ts'

type Counted = Pick<ClusterMetrics, 'leaderChanges' | 'electionsStood' | 'electionsWon'>

/** Counts the elections of one replica from what it sees whenever leader or term changed. */
export class ElectionCounts {
  readonly #metrics: Counted
  readonly #self: RaftId
  /** The newest term that was looked at. */
  #term: number

  /** `term` is what the disk held: whoever stood in it did so in an earlier life. */
  constructor(metrics: Counted, self: RaftId, term: number) {
    this.#metrics = metrics
    this.#self = self
    this.#term = term
  }

  noticed(now: { readonly leader: RaftId; readonly term: number; readonly vote: RaftId }): void {
    const { leaderChanges, electionsStood, electionsWon } = this.#metrics
    if (now.term > this.#term && now.vote === this.#self) electionsStood.add()
    this.#term = now.term
    if (now.leader === NO_ONE) return
    leaderChanges.add()
    if (now.leader === this.#self) electionsWon.add()
  }
}
