import type { ChatEvent } from './chat-event.ts'
import type { Journal } from './journal.ts'
import type { StoredCursor } from './store/client-store.ts'

/**
 * Hands events to the application so that a crash loses none and repeats only the one in its hands
 * (rule B6): that it is handed over is recorded before, that it is done with when the next one is
 * asked for, together with that one.
 */
export class Delivery {
  readonly #journal: Journal
  /** Not yet recorded, by conversation. */
  readonly #moves = new Map<string, StoredCursor>()
  /** Handed over by an earlier client and not acknowledged to it. */
  readonly #unsure = new Map<string, number>()
  #inHand: ChatEvent | null = null
  #isClosed = false

  constructor(journal: Journal) {
    this.#journal = journal
  }

  /** Seq to go on after. */
  begin(conv: string): number {
    const cursor = this.#journal.cursorOf(conv)
    if (cursor === null) return 0
    if (cursor.inHand !== null) this.#unsure.set(conv, cursor.inHand)
    return cursor.delivered
  }

  /**
   * `null`: the client is closed, and the event is the next one's.
   * @throws ChatError STORE_FULL, STORE_FAILED.
   */
  async hand<Event extends ChatEvent>(event: Event): Promise<Event | null> {
    if (this.#isClosed) return null
    const { conversation: conv, seq } = event
    this.#moves.set(conv, { conv, delivered: seq - 1, inHand: seq })
    this.#inHand = event
    await this.flush()
    this.#journal.hit('cursor.written')
    const redelivered = this.#unsure.get(conv) === seq
    this.#unsure.delete(conv)
    return redelivered ? { ...event, redelivered } : event
  }

  /** The application asks for the next one. */
  acknowledge(): void {
    if (this.#inHand === null) return
    this.#journal.hit('cursor.acknowledged')
    this.pass(this.#inHand)
    this.#inHand = null
  }

  /** It is not for the application. */
  pass({ conversation: conv, seq }: ChatEvent): void {
    this.#moves.set(conv, { conv, delivered: seq, inHand: null })
  }

  /** What was acknowledged is recorded; nothing more is handed over. */
  close(): void {
    this.flush().catch(() => {})
    this.#isClosed = true
  }

  async flush(): Promise<void> {
    if (this.#moves.size === 0 || this.#isClosed) return
    const moves = [...this.#moves.values()]
    this.#moves.clear()
    await this.#journal.moveCursors(moves)
  }

  /** Places in the history that was mean nothing in the one that is (rule K8). */
  forget(): void {
    this.#moves.clear()
    this.#unsure.clear()
    this.#inHand = null
  }
}
