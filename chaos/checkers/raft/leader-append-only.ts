import type { RaftStatus } from '#cluster'
import type { SyncedBatch } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

/** R12: a leader never removes or replaces an entry of its own log (Raft §5.3). */
export class LeaderAppendOnly implements RaftChecker {
  readonly #leading = new Map<string, { term: number; lastIndex: number }>()

  onStatus({ name }: ObservedReplica, { role, term, id, lastIndex }: RaftStatus): void {
    if (role !== 'leader') {
      this.#leading.delete(id)
      return
    }
    const before = this.#leading.get(id)
    if (before === undefined || before.term !== term) {
      this.#leading.set(id, { term, lastIndex })
      return
    }
    demand(
      lastIndex >= before.lastIndex,
      'R12',
      () =>
        `${name}, leader of term ${term}, shortens its log from ${before.lastIndex} to ${lastIndex}`,
    )
    before.lastIndex = lastIndex
  }

  onBatch({ name, disk }: ObservedReplica, { removed }: SyncedBatch): void {
    const [first] = removed
    const leading = first === undefined ? undefined : this.#leading.get(disk.raftId)
    // With a later term on its disk it follows another leader by now.
    if (leading === undefined || leading.term !== disk.term) return
    demand(
      false,
      'R12',
      () =>
        `${name}, leader of term ${leading.term}, removes entry ${first!.index} of term ${first!.term}`,
    )
  }
}
