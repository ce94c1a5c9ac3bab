import type { RaftStatus } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

/** R1: at most one leader in a term, over all of history (Raft §5.2). */
export class ElectionSafety implements RaftChecker {
  readonly #leaders = new Map<number, string>()

  /** Terms that had a leader. */
  get elections(): number {
    return this.#leaders.size
  }

  onStatus(_replica: ObservedReplica, { role, term, id }: RaftStatus): void {
    if (role === 'leader') this.#leads(term, id)
  }

  onMessage(_replica: ObservedReplica, { type, term, from }: Message): void {
    if (type === 'append' || type === 'heartbeat' || type === 'commit') this.#leads(term, from)
  }

  #leads(term: number, id: string): void {
    const other = this.#leaders.get(term)
    if (other === undefined) this.#leaders.set(term, id)
    else demand(other === id, 'R1', () => `term ${term} has two leaders, ${other} and ${id}`)
  }
}
