import type { RaftStatus } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import type { DurableLog } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker, violate } from './raft-checker.ts'

/**
 * R1: at most one leader in a term, over all of history, and each by the votes of a majority of its
 * voters that stand on their disks (Raft §5.2).
 */
export class ElectionSafety implements RaftChecker {
  readonly #disks: () => readonly DurableLog[]
  readonly #leaders = new Map<number, string>()
  readonly #elected = new Set<number>()

  constructor(disks: () => readonly DurableLog[]) {
    this.#disks = disks
  }

  /** Terms that had a leader. */
  get elections(): number {
    return this.#leaders.size
  }

  onStatus({ name, voters }: ObservedReplica, { role, term, id }: RaftStatus): void {
    if (role !== 'leader') return
    this.#leads(term, id)
    if (this.#elected.has(term)) return
    this.#elected.add(term)
    const disks = this.#disks()
    const votes = voters.filter((voter) => disks.some((disk) => disk.voteOf(voter, term) === id))
    demand(
      votes.length > voters.length / 2,
      'R1',
      () =>
        `${name} leads term ${term}; ${votes.length} of ${voters.length} disks hold a vote for it`,
    )
  }

  onMessage(_replica: ObservedReplica, { type, term, from }: Message): void {
    if (type === 'append' || type === 'heartbeat' || type === 'commit') this.#leads(term, from)
  }

  #leads(term: number, id: string): void {
    const other = this.#leaders.get(term)
    if (other === undefined) this.#leaders.set(term, id)
    else if (other !== id) violate('R1', `term ${term} has two leaders, ${other} and ${id}`)
  }
}
