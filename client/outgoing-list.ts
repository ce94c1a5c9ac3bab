import { Emitter } from './emitter.ts'
import type { OutgoingMessage } from './outgoing-message.ts'
import type { Clock } from './ports.ts'
import type { EventDraft, Write } from './write.ts'

/** A message of one's own that the log has not spoken on, as far as this client knows. */
export interface Outgoing {
  readonly draft: EventDraft
  readonly message: OutgoingMessage
  /** The newest attempt; what failed as unknown is taken up again with its `since`. */
  write: Write
}

/**
 * What `chat.outbox` and `Conversation.outgoing` show: pending messages, which the outbox bounds,
 * and the newest 1,000 that were given up as unknown.
 */
export class OutgoingList {
  readonly #entries = new Map<string, Outgoing>()
  readonly #emitter: Emitter<{ change: OutgoingMessage }>

  constructor(clock: Clock) {
    this.#emitter = new Emitter(clock)
  }

  get(msgId: string): Outgoing | undefined {
    return this.#entries.get(msgId)
  }

  all(): Outgoing[] {
    return [...this.#entries.values()]
  }

  set(entry: Outgoing): void {
    this.#entries.set(entry.draft.msgId, entry)
    this.changed(entry.message)
  }

  /** What was given up stays, for an echo may still tell, and `retry()` may ask. */
  boundFailed(): void {
    const failed = this.all().filter(({ message }) => message.status === 'failed')
    if (failed.length > MAX_FAILED) this.delete(failed[0]!.draft.msgId)
  }

  delete(msgId: string): void {
    this.#entries.delete(msgId)
  }

  /** It came, it went, its status is another one, or what holds it up. */
  changed(message: OutgoingMessage): void {
    this.#emitter.emit('change', message)
  }

  on(listener: (message: OutgoingMessage) => void): () => void {
    return this.#emitter.on('change', listener)
  }
}

const MAX_FAILED = 1000
