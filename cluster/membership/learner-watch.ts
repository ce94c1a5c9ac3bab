import type { RaftId } from '../raft/types.ts'

interface Mark {
  readonly taken: number
  readonly sinceMs: number
}

/** How long learners have taken in nothing new, as their leader sees it: what is stuck needs an operator. */
export class LearnerWatch {
  readonly #marks = new Map<RaftId, Mark>()

  /** `taken`: entries acknowledged and bytes of a snapshot, by learner; it only has to change. */
  look(nowMs: number, taken: ReadonlyMap<RaftId, number>): void {
    for (const id of this.#marks.keys()) if (!taken.has(id)) this.#marks.delete(id)
    for (const [id, count] of taken) {
      if (this.#marks.get(id)?.taken !== count)
        this.#marks.set(id, { taken: count, sinceMs: nowMs })
    }
  }

  /** 0 for one that was not seen yet. */
  stuckMs(id: RaftId, nowMs: number): number {
    return nowMs - (this.#marks.get(id)?.sinceMs ?? nowMs)
  }

  /** Of the one that is stuck longest; 0 if there is none. */
  longestMs(nowMs: number): number {
    return Math.max(0, ...[...this.#marks.keys()].map((id) => this.stuckMs(id, nowMs)))
  }
}
