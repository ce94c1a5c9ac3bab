import type { ClientCore } from './core.ts'
import type { OutgoingMessage } from './outgoing-message.ts'
import type { Sender } from './sender.ts'

/** `chat.outbox`: what this device has written and the cluster has not confirmed. */
export class OutboxView {
  readonly #core: ClientCore
  readonly #sender: Sender

  /** @internal Made by `ChatClient`. */
  constructor(core: ClientCore, sender: Sender) {
    this.#core = core
    this.#sender = sender
  }

  /** Messages that are `pending`, or `failed` with an unknown outcome; oldest first. */
  pending(): readonly OutgoingMessage[] {
    return this.#sender.list.all().map(({ message }) => message)
  }

  /** Messages that are stored, and wait for somebody to acknowledge them. */
  get unacknowledged(): number {
    return this.#core.waiting.size
  }

  /** `retry()` for every message that failed with an unknown outcome. Returns how many. */
  retryAll(): number {
    const failed = this.pending().filter(({ status }) => status === 'failed')
    for (const message of failed) message.retry()
    return failed.length
  }

  /**
   * Drops a message that failed, or that was certainly never sent. It says nothing to the cluster:
   * what failed with an unknown outcome may be stored all the same.
   * @returns false if there is no such message, or it may be on its way: then `cancel()` it.
   */
  discard(msgId: string): boolean {
    return this.#sender.discard(msgId)
  }

  /** Calls `listener` when a message comes, goes, fails or is held up. Returns what takes it off again. */
  on(_event: 'change', listener: (message: OutgoingMessage) => void): () => void {
    return this.#sender.list.on(listener)
  }
}
