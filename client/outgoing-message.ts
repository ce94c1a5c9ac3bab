import { AckType, type Acknowledgement } from './ack-type.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './errors.ts'
import type { Clock } from './ports.ts'
import { ERROR_CODES } from './protocol/error-codes.ts'
import type { Receipt } from './receipts.ts'

/**
 * `pending`: no verdict yet; the SDK sees to it. `sent`: a majority of the nodes has it on disk.
 * `delivered`: a device of another member has it. `read`: another member has read it. `failed`:
 * refused for good, or given up with an unknown outcome (see `error.outcome`). In a group the first
 * member counts; `Conversation.receipts` tells of each.
 */
export type MessageStatus = 'pending' | 'sent' | 'delivered' | 'read' | 'failed'

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

/** What a message tells its listeners. */
export interface MessageEvents {
  /** Every change of `status`. It never goes back, but for `retry()`. */
  readonly status: MessageStatus
  /** The first acknowledgement of each type, in the papers' form. */
  readonly ack: Acknowledgement
  readonly [name: string]: unknown
}

/** What a message asks of its client. */
export interface MessageOwner {
  retry(message: OutgoingMessage): void
  cancel(message: OutgoingMessage): Promise<boolean>
  amend(conversation: string, amendment: Amendment): OutgoingMessage
  /** Its status is another one, or what holds it up. */
  changed(message: OutgoingMessage): void
}

/** What is done to an event that stands in the conversation at `seq`. */
export type Amendment =
  | { readonly kind: 'edit'; readonly seq: number; readonly body: unknown }
  | { readonly kind: 'recall'; readonly seq: number }
  | {
      readonly kind: 'reaction'
      readonly seq: number
      readonly reaction: string
      readonly on: boolean
    }

/** A message of one's own from `send` on; an edit, a recall or a reaction is one, too. */
export class OutgoingMessage {
  readonly msgId: string
  readonly kind: 'message' | Amendment['kind']
  /** `null` for a recall or a reaction. */
  readonly body: unknown
  readonly replyTo: number | null
  /** Seq that an edit, recall or reaction is about, else `null`. */
  readonly target: number | null
  readonly #clock: Clock
  readonly #owner: MessageOwner
  readonly #emitter: Emitter<MessageEvents>
  readonly #milestones = new Map<Milestone, Deferred>()
  #status: MessageStatus = 'pending'
  #isKept = false
  #isExpired = false
  #error: ChatError | null = null
  #heldUpBy: ChatError | null = null
  #result: SendResult | null = null

  /** @internal Made by `Conversation.send`. */
  constructor(
    draft: Pick<OutgoingMessage, 'msgId' | 'kind' | 'body' | 'replyTo' | 'target'>,
    clock: Clock,
    owner: MessageOwner,
  ) {
    this.msgId = draft.msgId
    this.kind = draft.kind
    this.body = draft.body
    this.replyTo = draft.replyTo
    this.target = draft.target
    this.#clock = clock
    this.#owner = owner
    this.#emitter = new Emitter(clock)
  }

  get status(): MessageStatus {
    return this.#status
  }

  /** Why it is `failed`, else `null`. */
  get error(): ChatError | null {
    return this.#error
  }

  /**
   * Why the cluster did not take it when it was last asked, while it is `pending`: `DISK_FULL`, say.
   * Nothing is lost, and the SDK goes on asking. `null`: nobody refused it.
   */
  get heldUpBy(): ChatError | null {
    return this.#heldUpBy
  }

  /** Its place once it is `sent`, else `null`. */
  get result(): SendResult | null {
    return this.#result
  }

  /**
   * Resolves when the store has the message: from then on it is sent even if this process ends, as
   * far as the store outlives it. Rejects if the client ends before that. May be left unwatched.
   */
  get queued(): Promise<void> {
    return this.#promise('queued') as Promise<void>
  }

  /**
   * Resolves when the message is `sent`: stored on a majority of the nodes, synced to disk. Rejects
   * with a `ChatError` when it is `failed`; a lost connection alone never makes it reject. It may
   * be left unwatched. After `retry()` it is a new promise.
   */
  get sent(): Promise<SendResult> {
    return this.#promise('sent') as Promise<SendResult>
  }

  /** Resolves when a device of another member has it. Rejects as `sent` does. */
  get delivered(): Promise<SendResult> {
    return this.#promise('delivered') as Promise<SendResult>
  }

  /** Resolves when another member has read it. Rejects as `sent` does. */
  get read(): Promise<SendResult> {
    return this.#promise('read') as Promise<SendResult>
  }

  /** Calls `listener` at every such event. Returns what takes it off again. */
  on<Name extends 'status' | 'ack'>(
    event: Name,
    listener: (event: MessageEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(event, listener)
  }

  /**
   * Takes up a message that failed with an unknown outcome, under the same msgId: it is stored once
   * whatever became of it before, though no longer in order with what was sent after it.
   * @throws ChatError with its verdict if it was refused for good; OUTBOX_FULL; CLOSED.
   */
  retry(): void {
    if (this.#status !== 'failed') return
    const error = this.#error!
    if (error.outcome !== 'unknown') throw error
    this.#owner.retry(this)
    this.#recover()
    this.#change('pending')
  }

  /**
   * Takes a pending message back. Resolves with true when it will certainly never be stored: it is
   * `failed` with `CANCELLED` then; with false if it was stored first. While it may be on its way
   * the log decides, so this waits for a session.
   * @throws ChatError INVALID_MESSAGE for one that failed with an unknown outcome: `retry()` first.
   */
  cancel(): Promise<boolean> {
    return this.#owner.cancel(this)
  }

  /** Gives it another body. As `Conversation.edit`. @throws ChatError INVALID_MESSAGE before `sent`. */
  edit(body: unknown): OutgoingMessage {
    return this.#amend({ kind: 'edit', seq: 0, body })
  }

  /** Takes its body away from everyone. @throws ChatError INVALID_MESSAGE before it is `sent`. */
  recall(): OutgoingMessage {
    return this.#amend({ kind: 'recall', seq: 0 })
  }

  /** As `Conversation.react`. @throws ChatError INVALID_MESSAGE before it is `sent`. */
  react(reaction: string, on = true): OutgoingMessage {
    return this.#amend({ kind: 'reaction', seq: 0, reaction, on })
  }

  /** @internal The store has it. */
  keep(): void {
    this.#isKept = true
    this.#settleMilestones()
  }

  /** @internal */
  settle(result: SendResult): void {
    // A refusal is final: what the log refused it did not store.
    if (this.#result !== null || this.#error?.outcome === 'notApplied') return
    if (this.#status === 'failed') this.#recover()
    this.#result = result
    this.#isKept = true
    this.#change('sent')
    this.#acknowledged(AckType.ACCEPTED, result.at, null)
  }

  /** @internal Told once for each reason: to ask again is nothing new. */
  holdUp(error: ChatError): void {
    if (this.#status !== 'pending') return
    const isNew = this.#heldUpBy?.code !== error.code
    this.#heldUpBy = error
    if (isNew) this.#owner.changed(this)
  }

  /** @internal Somebody else has it. */
  acknowledge({ kind, at, by }: Receipt): void {
    if (kind === 'read') {
      if (RANK[this.#status] >= RANK.read) return
      this.#change('read')
      this.#acknowledged(AckType.SEEN, at, by)
    } else if (this.#status === 'sent' && kind === 'delivered') {
      this.#change('delivered')
      this.#acknowledged(AckType.DELIVERED, at, by)
    } else if (this.#status === 'sent' && kind === 'expired' && !this.#isExpired) {
      this.#isExpired = true
      this.#acknowledged(AckType.FAILED, at, null)
    }
  }

  /** @internal */
  fail(error: ChatError): void {
    if (this.#status !== 'pending') return
    this.#error = error
    this.#change('failed')
    const { code, outcome } = error
    if (outcome === 'unknown') this.#acknowledged(AckType.UNKNOWN, this.#clock.wallMs(), null, code)
    else if (code in ERROR_CODES) {
      this.#acknowledged(AckType.REJECTED, this.#clock.wallMs(), null, code)
    }
  }

  #amend(amendment: Amendment): OutgoingMessage {
    if (this.#result === null) {
      throw new ChatError('INVALID_MESSAGE', `${this.msgId} is not sent yet: cancel() it`)
    }
    const { conversation, seq } = this.#result
    return this.#owner.amend(conversation, { ...amendment, seq })
  }

  /** What failed as unknown is under way, or stored, after all. */
  #recover(): void {
    this.#error = null
    for (const [milestone, { isRejected }] of this.#milestones) {
      if (isRejected) this.#milestones.delete(milestone)
    }
  }

  #change(status: MessageStatus): void {
    this.#status = status
    this.#heldUpBy = null
    this.#settleMilestones()
    this.#emitter.emit('status', status)
    this.#owner.changed(this)
  }

  #acknowledged(
    type: AckType,
    timestamp: number,
    by: string | null,
    code: string | null = null,
  ): void {
    const { msgId } = this
    this.#emitter.emit('ack', {
      ...{ message_id: msgId, type, timestamp, sender_id: by, error_code: code },
    })
  }

  /** Made only for who asks: most messages are watched by nobody, or by one promise. */
  #promise(milestone: Milestone): Promise<SendResult | void> {
    let deferred = this.#milestones.get(milestone)
    if (deferred === undefined) {
      deferred = new Deferred()
      this.#milestones.set(milestone, deferred)
      this.#settleMilestones()
    }
    return deferred.promise
  }

  #settleMilestones(): void {
    for (const [milestone, deferred] of this.#milestones) {
      const isReached =
        milestone === 'queued' ? this.#isKept : RANK[this.#status] >= RANK[milestone]
      if (isReached) deferred.resolve(this.#result ?? undefined)
      else if (this.#error !== null) deferred.reject(this.#error)
    }
  }
}

type Milestone = 'queued' | 'sent' | 'delivered' | 'read'

const RANK: Readonly<Record<MessageStatus, number>> = {
  failed: -1,
  pending: 0,
  sent: 1,
  delivered: 2,
  read: 3,
}

class Deferred {
  readonly promise: Promise<SendResult | void>
  isRejected = false
  resolve: (result: SendResult | undefined) => void = () => {}
  #reject: (error: ChatError) => void = () => {}

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.#reject = reject
    })
    // Whoever only looks at `status` must not get an unhandled rejection.
    this.promise.catch(() => {})
  }

  reject(error: ChatError): void {
    this.isRejected = true
    this.#reject(error)
  }
}
