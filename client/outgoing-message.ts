import { Emitter } from './emitter.ts'
import type { ChatError } from './errors.ts'
import type { Clock } from './ports.ts'

/**
 * `pending`: no verdict yet; the SDK sees to it. `sent`: a majority of the nodes has it on disk.
 * `failed`: refused for good, or given up with an unknown outcome (see `error.outcome`).
 */
export type MessageStatus = 'pending' | 'sent' | 'failed'

/** Where a message stands in its conversation. */
export interface SendResult {
  readonly msgId: string
  readonly conversation: string
  readonly seq: number
  /** Wall time in ms, for display. */
  readonly at: number
  /** An earlier copy had been stored already: this is its place. */
  readonly duplicate: boolean
}

/** A message of one's own, from `send` on. */
export class OutgoingMessage {
  readonly msgId: string
  readonly body: unknown
  readonly replyTo: number | null
  /**
   * Resolves when the message is `sent`: stored on a majority of the nodes, synced to disk. Rejects
   * with a `ChatError` when it is `failed`; a lost connection alone never makes it reject. It may
   * be left unwatched.
   */
  readonly sent: Promise<SendResult>
  /**
   * Resolves when the store has the message: from then on it is sent even if this process ends, as
   * far as the store outlives it. Rejects if the client ends before that.
   */
  readonly queued: Promise<void>
  readonly #emitter: Emitter<{ status: MessageStatus }>
  readonly #again: (message: OutgoingMessage) => void
  #resolve: (result: SendResult) => void = () => {}
  #reject: (error: ChatError) => void = () => {}
  #keep: () => void = () => {}
  #forsake: (error: ChatError) => void = () => {}
  #status: MessageStatus = 'pending'
  #error: ChatError | null = null
  #result: SendResult | null = null

  /** @internal Made by `Conversation.send`. */
  constructor(
    msgId: string,
    body: unknown,
    replyTo: number | null,
    clock: Clock,
    again: (message: OutgoingMessage) => void,
  ) {
    this.msgId = msgId
    this.body = body
    this.replyTo = replyTo
    this.#again = again
    this.#emitter = new Emitter(clock)
    this.sent = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.queued = new Promise((resolve, reject) => {
      this.#keep = resolve
      this.#forsake = reject
    })
    // Whoever only looks at `status` must not get an unhandled rejection.
    this.sent.catch(() => {})
    this.queued.catch(() => {})
  }

  get status(): MessageStatus {
    return this.#status
  }

  /** Why it is `failed`, else `null`. */
  get error(): ChatError | null {
    return this.#error
  }

  /** Its place once it is `sent`, else `null`. */
  get result(): SendResult | null {
    return this.#result
  }

  /** Calls `listener` at every change of `status`. Returns what takes it off again. */
  on(event: 'status', listener: (status: MessageStatus) => void): () => void {
    return this.#emitter.on(event, listener)
  }

  /**
   * Takes up a message that failed with an unknown outcome, under the same msgId: it is stored once
   * whatever became of it before, though no longer in order with what was sent after it. `sent`
   * stays rejected; watch `status`.
   * @throws ChatError with its verdict if it was refused for good; OUTBOX_FULL; CLOSED.
   */
  retry(): void {
    if (this.#status !== 'failed') return
    const error = this.#error!
    if (error.outcome !== 'unknown') throw error
    this.#again(this)
    this.#error = null
    this.#change('pending')
  }

  /** @internal The store has it. */
  keep(): void {
    this.#keep()
  }

  /** @internal */
  settle(result: SendResult): void {
    if (this.#status === 'sent') return
    this.#error = null
    this.#result = result
    this.#resolve(result)
    this.#change('sent')
  }

  /** @internal */
  fail(error: ChatError): void {
    if (this.#status !== 'pending') return
    this.#error = error
    this.#reject(error)
    this.#forsake(error)
    this.#change('failed')
  }

  #change(status: MessageStatus): void {
    this.#status = status
    this.#emitter.emit('status', status)
  }
}
