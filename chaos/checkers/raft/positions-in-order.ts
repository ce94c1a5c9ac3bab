import type { RaftStatus } from '#cluster'
import { demand, type ObservedReplica, type RaftChecker, violate } from './raft-checker.ts'

/**
 * R13: what a replica says of its log is in order and true: applied ≤ commit ≤ last, what it takes
 * for durable is on its disk, and within one life nothing that was applied is undone.
 */
export class PositionsInOrder implements RaftChecker {
  readonly #applied = new Map<string, number>()

  onStarted({ name }: ObservedReplica, { applied }: RaftStatus): void {
    this.#applied.set(name, applied)
  }

  onStatus({ name, disk }: ObservedReplica, status: RaftStatus): void {
    const { applied, commit, lastIndex, persisted } = status
    if (applied > commit || commit > lastIndex || persisted > lastIndex) {
      const last = `persisted ${persisted}, last ${lastIndex}`
      violate('R13', `${name} says applied ${applied}, commit ${commit}, ${last}`)
    }
    if (persisted > disk.lastIndex) {
      violate('R13', `${name} takes ${persisted} for durable, its disk holds ${disk.lastIndex}`)
    }
    const before = this.#applied.get(name) ?? 0
    if (applied === before) return
    if (applied < before) violate('R13', `${name} had applied ${before}, now ${applied}`)
    this.#applied.set(name, applied)
  }

  onApplied({ name }: ObservedReplica, index: number): void {
    const replayed = this.#applied.get(name)
    // The state may be a step ahead of what the replica heard of it, never behind.
    demand(
      replayed === undefined || index >= replayed,
      'R13',
      () => `${name} has the state after ${index}, its replica says ${replayed}`,
    )
  }
}
