import type { ApplicationState } from './application-state.ts'
import type { Removal } from './commands.ts'
import type { Conversation } from './conversation-state.ts'

/**
 * Takes away what a leader's retention named (rule A9): at once for every reader, the same on every
 * node. What was taken away already stays so, so that a copy of the command changes nothing.
 */
export class RetentionApply {
  readonly #state: ApplicationState

  constructor(state: ApplicationState) {
    this.#state = state
  }

  apply(conversation: Conversation, removal: Removal): void {
    if (removal.op === 'truncate') this.#truncate(conversation, removal.upTo)
    else this.#expire(conversation, removal.seqs)
  }

  #truncate(conversation: Conversation, upTo: number): void {
    const first = Math.min(upTo, conversation.head) + 1
    if (first <= conversation.firstSeq) return
    const { dirty, removals, logTime } = this.#state
    const { id: conv, firstSeq: from } = conversation
    removals.add({ conv, logTime, seqs: null, from, upTo: first - 1 })
    dirty.touch(conversation)
    conversation.firstSeq = first
  }

  #expire(conversation: Conversation, seqs: readonly number[]): void {
    const { amendments, dirty, removals, logTime } = this.#state
    const expired: number[] = []
    for (const seq of seqs) {
      if (seq < conversation.firstSeq || seq > conversation.head) continue
      if (amendments.find(conversation, seq)?.expired === true) continue
      dirty.touch(conversation)
      amendments.amend(conversation, seq, { expired: true })
      expired.push(seq)
    }
    if (expired.length === 0) return
    removals.add({ conv: conversation.id, logTime, seqs: expired, from: 0, upTo: 0 })
  }
}
