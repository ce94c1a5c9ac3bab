import type { ApplicationState } from './application-state.ts'
import type { Removal } from './commands.ts'
import type { Conversation } from './conversation-state.ts'
import type { AppliedRemoval } from './types.ts'

/**
 * Takes away what a leader's retention named (rule A9): at once for every reader, the same on every
 * node. What was taken away already stays so, so that a copy of the command changes nothing.
 */
export class RetentionApply {
  readonly #state: ApplicationState

  constructor(state: ApplicationState) {
    this.#state = state
  }

  /** What of it was still there, `null` if nothing. */
  apply(conversation: Conversation, removal: Removal): AppliedRemoval | null {
    return removal.op === 'truncate'
      ? this.#truncate(conversation, removal.upTo)
      : this.#expire(conversation, removal.seqs)
  }

  #truncate(conversation: Conversation, upTo: number): AppliedRemoval | null {
    const first = Math.min(upTo, conversation.head) + 1
    if (first <= conversation.firstSeq) return null
    const { dirty, removals, logTime } = this.#state
    const { id: conv, firstSeq: from } = conversation
    removals.add({ conv, logTime, seqs: null, from, upTo: first - 1 })
    dirty.touch(conversation)
    conversation.firstSeq = first
    return { conversation, from, upTo: first - 1, seqs: null }
  }

  #expire(conversation: Conversation, seqs: readonly number[]): AppliedRemoval | null {
    const { amendments, dirty, removals, logTime } = this.#state
    const expired: number[] = []
    for (const seq of seqs) {
      if (seq < conversation.firstSeq || seq > conversation.head) continue
      if (amendments.find(conversation, seq)?.expired === true) continue
      dirty.touch(conversation)
      amendments.amend(conversation, seq, { expired: true })
      expired.push(seq)
    }
    if (expired.length === 0) return null
    removals.add({ conv: conversation.id, logTime, seqs: expired, from: 0, upTo: 0 })
    return { conversation, from: expired[0]!, upTo: expired.at(-1)!, seqs: expired }
  }
}
