import type { Message, MessageType } from './messages.ts'

/**
 * What is to be sent, in the two lanes that decide when. This is the only place that decides it.
 *
 * An answer that promises something about the disk waits for the disk, and so does a candidate's
 * request: no message of a term leaves before that term is on disk. Appends and heartbeats of a
 * leader leave at once, as its term was on disk before it was elected (thesis §10.2.1).
 */
export class Outbox {
  #now: Message[] = []
  #afterPersist: Message[] = []

  get hasNow(): boolean {
    return this.#now.length > 0
  }

  get hasAfterPersist(): boolean {
    return this.#afterPersist.length > 0
  }

  /** `termPersisted` says whether the sender's term is on disk. */
  send(message: Message, termPersisted: boolean): void {
    if (WAITS_FOR_DISK.has(message.type) || (!termPersisted && message.type !== 'preVote')) {
      this.#pushAfterPersist(message)
    } else {
      this.#now.push(message)
    }
  }

  /**
   * The term rose. What waits belongs to the old term and must never leave: entries that it
   * acknowledges may be overwritten before they were ever written.
   */
  forgetWaiting(): void {
    this.#afterPersist = []
  }

  takeNow(): Message[] {
    const messages = this.#now
    this.#now = []
    return messages
  }

  takeAfterPersist(): Message[] {
    const messages = this.#afterPersist
    this.#afterPersist = []
    return messages
  }

  #pushAfterPersist(message: Message): void {
    const last = this.#afterPersist[this.#afterPersist.length - 1]
    // Acknowledgements are cumulative: the newer one says all that the older one does.
    if (
      last?.type === 'appendResponse' &&
      message.type === 'appendResponse' &&
      !last.rejected &&
      !message.rejected &&
      last.to === message.to &&
      last.term === message.term &&
      last.index <= message.index
    ) {
      this.#afterPersist[this.#afterPersist.length - 1] = message
    } else {
      this.#afterPersist.push(message)
    }
  }
}

const WAITS_FOR_DISK: ReadonlySet<MessageType> = new Set<MessageType>([
  'appendResponse',
  'preVoteResponse',
  'vote',
  'voteResponse',
])
