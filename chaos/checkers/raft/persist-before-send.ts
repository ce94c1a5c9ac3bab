import type { Message } from '../../../cluster/raft/messages.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

/**
 * R4: nothing leaves a process that its disk could forget: no vote, no term, no acknowledgement of
 * an entry before the sync of what it says (Raft §5.1, figure 2).
 */
export class PersistBeforeSend implements RaftChecker {
  onMessage({ name, disk }: ObservedReplica, message: Message): void {
    const { type, term } = message
    if (type === 'vote') this.#voted(name, disk.term, disk.vote, term, message.from)
    if (type === 'voteResponse' && !message.rejected) {
      this.#voted(name, disk.term, disk.vote, term, message.to)
    }
    if (type !== 'appendResponse' || message.rejected) return
    demand(
      disk.lastIndex >= message.index && disk.term >= term,
      'R4',
      () =>
        `${name} acknowledges index ${message.index} in term ${term}, its disk holds ${disk.lastIndex} in ${disk.term}`,
    )
  }

  #voted(name: string, diskTerm: number, diskVote: string, term: number, candidate: string): void {
    demand(
      diskTerm > term || (diskTerm === term && diskVote === candidate),
      'R4',
      () =>
        `${name} votes for ${candidate} in term ${term}, its disk says ${diskVote} in ${diskTerm}`,
    )
  }
}
