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

  onStarted({ disk }: ObservedReplica, status: RaftStatus): void {
    const { id, term } = status
    // What it starts with was begun in an earlier life, of this replica or of its leader; or it stands
    // already, as a lone voter does at once and without a word to anybody.
    if (disk.term === term || campaigns(status)) this.#begun.add(term)
    this.#terms.set(id, term)
  }

  onMessage(_replica: ObservedReplica, { type, term }: Message): void {
    if (type === 'vote') this.#begun.add(term)
  }

  onStatus({ name }: ObservedReplica, status: RaftStatus): void {
    const { id, term } = status
    if (this.#terms.get(id) === term) return
    this.#terms.set(id, term)
    if (campaigns(status)) this.#begun.add(term)
    demand(
      this.#begun.has(term),
      'R16',
      () => `${name} is in term ${term}, for which nobody ever stood`,
    )
  }
}

const campaigns = ({ id, role, vote }: RaftStatus): boolean =>
  vote === id && (role === 'candidate' || role === 'leader')
