import type { RaftStatus } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

/**
 * R16: only a candidate that votes for itself begins a term. To ask whether one could win (thesis
 * §9.6), and to answer, changes nobody's term and nobody's vote.
 */
export class PreVotePure implements RaftChecker {
  readonly #begun = new Set<number>([0])
  readonly #terms = new Map<string, number>()

  onStarted({ disk }: ObservedReplica, { id, term }: RaftStatus): void {
    // What it starts with was begun in an earlier life, of this replica or of its leader.
    if (disk.term === term) this.#begun.add(term)
    this.#terms.set(id, term)
  }

  onMessage(_replica: ObservedReplica, { type, term }: Message): void {
    if (type === 'vote') this.#begun.add(term)
  }

  onStatus({ name }: ObservedReplica, { id, term, role, vote }: RaftStatus): void {
    if (this.#terms.get(id) === term) return
    this.#terms.set(id, term)
    const campaigns = vote === id && (role === 'candidate' || role === 'leader')
    if (campaigns) this.#begun.add(term)
    demand(
      this.#begun.has(term),
      'R16',
      () => `${name} is in term ${term}, for which nobody ever stood`,
    )
  }
}
