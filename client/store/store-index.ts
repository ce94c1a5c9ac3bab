import { ChatError } from '../errors.ts'
import type { StoreChange, StoredMessage } from './client-store.ts'

export interface StoreLimits {
  /** Unsettled messages. @default 10000 */
  readonly maxMessages: number
  /** Bytes of unsettled messages: their bodies, and 512 for the rest of each. @default 67108864 */
  readonly maxBytes: number
  /** Conversations with a cursor. @default 100000 */
  readonly maxCursors: number
}

export const DEFAULT_LIMITS: StoreLimits = {
  maxMessages: 10_000,
  maxBytes: 64 * 1024 * 1024,
  maxCursors: 100_000,
}

/** What a store holds, without the bodies: enough to refuse what would be too much. */
export class StoreIndex {
  readonly #limits: StoreLimits
  /** Number and bytes by msgId. Numbers rise with the order of the first `put`. */
  readonly #messages = new Map<string, { readonly number: number; readonly bytes: number }>()
  readonly #cursors = new Set<string>()
  #bytes = 0
  #next = 1

  constructor(limits: StoreLimits) {
    this.#limits = limits
  }

  /** @throws ChatError OUTBOX_FULL or STORE_FULL; then nothing changed. */
  admit(change: StoreChange): void {
    const { maxMessages, maxBytes, maxCursors } = this.#limits
    let count = this.#messages.size
    let bytes = this.#bytes
    for (const msgId of change.remove ?? []) {
      const old = this.#messages.get(msgId)
      if (old === undefined) continue
      count--
      bytes -= old.bytes
    }
    const [countBefore, bytesBefore] = [count, bytes]
    for (const message of change.put ?? []) {
      const old = this.#messages.get(message.msgId)
      if (old === undefined) count++
      bytes += sizeOf(message) - (old?.bytes ?? 0)
    }
    // What is there may be changed even if the limits were lowered since it came.
    if (count > maxMessages && count > countBefore) {
      throw new ChatError('OUTBOX_FULL', `the store holds ${maxMessages} messages at most`)
    }
    if (bytes > maxBytes && bytes > bytesBefore && count > countBefore) {
      throw new ChatError('OUTBOX_FULL', `the store holds ${maxBytes} bytes of messages at most`)
    }
    const fresh = (change.cursors ?? []).filter(({ conv }) => !this.#cursors.has(conv)).length
    const kept = change.forgetCursors === true ? 0 : this.#cursors.size
    if (fresh > 0 && kept + fresh > maxCursors) {
      throw new ChatError('STORE_FULL', `the store holds ${maxCursors} cursors at most`)
    }
  }

  /** The place of a message that is put: its old one, or a new one behind all others. */
  put(message: StoredMessage): number {
    const old = this.#messages.get(message.msgId)
    const number = old?.number ?? this.#next++
    this.place(message, number)
    return number
  }

  /** A message found at this place. */
  place(message: StoredMessage, number: number): void {
    const bytes = sizeOf(message)
    this.#bytes += bytes - (this.#messages.get(message.msgId)?.bytes ?? 0)
    this.#messages.set(message.msgId, { number, bytes })
    this.#next = Math.max(this.#next, number + 1)
  }

  /** Its place, `null` if it is not there. */
  remove(msgId: string): number | null {
    const old = this.#messages.get(msgId)
    if (old === undefined) return null
    this.#messages.delete(msgId)
    this.#bytes -= old.bytes
    return old.number
  }

  setCursor(conv: string): void {
    this.#cursors.add(conv)
  }

  /** The conversations that had one. */
  forgetCursors(): readonly string[] {
    const forgotten = [...this.#cursors]
    this.#cursors.clear()
    return forgotten
  }
}

const sizeOf = ({ body }: StoredMessage): number => body.length + 512
