import type { Message } from '../../../cluster/raft/messages.ts'
import { demand, type ObservedReplica, type RaftChecker, violate } from './raft-checker.ts'

/**
 * R4: nothing leaves a process that its disk could forget: no vote, no term, no acknowledgement of
 * an entry before the sync of what it says (Raft §5.1, figure 2).
 */
export class PersistBeforeSend implements RaftChecker {
  onMessage(replica: ObservedReplica, message: Message): void {
    const { name, disk } = replica
    const { type, term } = message
    // A pre-vote speaks of a term that may never begin.
    if (type === 'preVote' || type === 'preVoteResponse') return
    if (disk.term < term) {
      violate('R4', `${name} says ${type} in term ${term}, its disk knows of ${disk.term}`)
    }
    if (type === 'vote') this.#voted(replica, message, message.from)
    if (type === 'voteResponse' && !message.rejected) this.#voted(replica, message, message.to)
    if (type !== 'appendResponse' || message.rejected) return
    const { index } = message
    if (disk.lastIndex < index) {
      const held = `its disk holds ${disk.lastIndex}`
      violate('R4', `${name} acknowledges index ${index} in term ${term}, ${held}`)
    }
  }

  /** The vote itself was synced, even if the disk knows of a later term by now. */
  #voted({ name, disk }: ObservedReplica, { from, term }: Message, candidate: string): void {
    const synced = disk.voteOf(from, term)
    demand(
      synced === candidate,
      'R4',
      () => `${name} votes for ${candidate} in term ${term}, its disk says ${synced ?? 'nobody'}`,
    )
  }
}
