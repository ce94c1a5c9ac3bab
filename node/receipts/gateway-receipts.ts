import {
  type AckNotice,
  encodeFrame,
  type EncodedFrame,
  LIMITS,
  type MessageAnswer,
  type SyncAnswer,
  type WireError,
  wireError,
} from '#protocol'
import type { GatewayContext } from '../gateway/gateway-context.ts'
import { reachNewest } from '../gateway/handlers/read-position.ts'
import { parseMark } from '../gateway/mark.ts'
import { FrameState } from '../gateway/send-queue.ts'
import type { Session } from '../gateway/session.ts'
import type {
  AppliedConversation,
  AppliedReceipt,
  AppliedRemoval,
  ConversationEvent,
} from '../state-machine/types.ts'
import { type Ack, type AckingDevice, ReceiptCollector } from './receipt-collector.ts'
import { ExpiredNotices } from './expired-notices.ts'
import { type CountNotice, ReceiptCounts } from './receipt-counts.ts'
import { Redrive } from './redrive.ts'
import { StoredNotices } from './stored-notices.ts'

/** What of a gateway receipts need. */
type ReceiptsContext = Pick<GatewayContext, 'backend' | 'clock' | 'logger' | 'options' | 'registry'>

/** Receipts told by one `sync:A`, the newest changes first. */
const MAX_STATUSES = 1_000

/**
 * Receipts as the sessions of one node see them (rule B5): takes what clients acknowledge, and tells
 * senders what became of their messages. Everything called during apply queues and never waits.
 */
export class GatewayReceipts {
  readonly #context: ReceiptsContext
  readonly #collector: ReceiptCollector
  readonly #stored: StoredNotices<Session>
  readonly #counts: ReceiptCounts
  readonly #redrive: Redrive
  readonly #expired: ExpiredNotices
  /** Of sessions whose inbox is being acknowledged in the background, how far. */
  readonly #noted = new Map<AckingDevice, number>()

  constructor(context: ReceiptsContext) {
    this.#context = context
    const { backend, clock, logger } = context
    const onError = (error: unknown): void => logger.error('receipts.failed', { error })
    this.#collector = new ReceiptCollector(clock, (submission, done) =>
      backend.submit(submission, done),
    )
    this.#stored = new StoredNotices(clock, (session, conv, upTo) =>
      this.#tell(session, { conv, kind: 'stored', upTo, at: clock.wallMs() }),
    )
    this.#counts = new ReceiptCounts(clock, backend.state, (notice) => this.#count(notice), onError)
    this.#expired = new ExpiredNotices(
      backend.state,
      (user) => context.registry.of(user) !== undefined,
      ({ author, ...what }) => {
        const notice = { ...what, kind: 'expired', at: clock.wallMs() } as const
        for (const session of context.registry.of(author) ?? []) this.#tell(session, notice)
      },
      onError,
    )
    this.#redrive = new Redrive(
      clock,
      backend.state,
      (user, conv, seq) => {
        for (const session of context.registry.of(user) ?? []) session.push.sentAgain(conv, seq)
      },
      onError,
    )
  }

  /**
   * Records how far the session's device has got; resolves once this node has applied it. `inbox` is
   * its position in the inbox, `null` if it says nothing of that. Of a conversation that the user
   * never was in nothing at all is recorded.
   */
  async ack(
    session: AckingDevice,
    acks: readonly Ack[],
    inbox: number | null = null,
  ): Promise<WireError | null> {
    const refusal = await this.#refusal(session.user, acks)
    if (refusal !== null) return refusal
    const { user, device } = session
    // Only what comes from an inbox is more than one frame may hold.
    const parts = [acks.slice(0, LIMITS.acks)]
    for (let from = LIMITS.acks; from < acks.length; from += LIMITS.acks) {
      parts.push(acks.slice(from, from + LIMITS.acks))
    }
    // The position goes with the last of them: it says that all before it was acknowledged.
    const done = parts.map(
      (part, i) =>
        new Promise<WireError | null>((resolve) => {
          const position = i === parts.length - 1 ? inbox : null
          this.#collector.add({ user, device }, part, position, resolve)
        }),
    )
    return (await Promise.all(done)).find((error) => error !== null) ?? null
  }

  /** As `ack`, for requests that do not wait for it. What fails is told again by the client. */
  note(session: AckingDevice, acks: readonly Ack[]): void {
    this.#background(this.ack(session, acks))
  }

  /**
   * As `ackInbox`, for the same. One at a time for each session: while one looks up what it covers, the
   * highest of those that follow is enough.
   */
  noteInbox(session: AckingDevice, inbox: number): void {
    const waiting = this.#noted.get(session)
    this.#noted.set(session, Math.max(inbox, waiting ?? 0))
    if (waiting === undefined) this.#background(this.#noteHighest(session))
  }

  /**
   * As `ack`, for a device that has everything in its inbox up to there: `delivered` in each of the
   * conversations that it came by since it last said so.
   */
  async ackInbox(session: AckingDevice, inbox: number): Promise<WireError | null> {
    const { state } = this.#context.backend
    const reached = await state.inboxReach(session.user, session.device, inbox)
    return this.ack(
      session,
      reached.map(({ conv, seq }) => ({ conv, kind: 'delivered', upTo: seq })),
      inbox,
    )
  }

  /** A `msg:R` was answered: unless somebody has the message soon, it is told to be stored. */
  answered(session: Session, { conv, seq, duplicate }: MessageAnswer): void {
    if (!duplicate) {
      this.#stored.answered(session, conv, seq)
      return
    }
    this.#background(this.#tellCurrent(session, conv, seq))
  }

  /** During apply. */
  onEvent({ large, id }: AppliedConversation, { from, seq }: ConversationEvent): void {
    if (large && this.#context.registry.of(from) !== undefined) this.#counts.wrote(from, id, seq)
  }

  /** During apply: a member's cursor rose. */
  onReceipt(receipt: AppliedReceipt): void {
    const { conversation, user, device, kind, upTo, at } = receipt
    const { id: conv, large } = conversation
    this.#stored.delivered(conv, user, upTo)
    const { registry } = this.#context
    if (registry.size === 0) return
    const encoded: Record<string, EncodedFrame> = {}
    const tell = (session: Session): void => {
      const { subprotocol } = session.connection
      const frame = { t: 'ack:N', conv, kind, upTo, at, by: user } as const
      session.sendEncoded(
        (encoded[subprotocol] ??= encodeFrame(frame, subprotocol)),
        FrameState.shown,
      )
    }
    if (kind === 'read') {
      for (const own of registry.of(user) ?? []) if (own.device !== device) tell(own)
    }
    if (large) {
      this.#counts.changed(conv)
      return
    }
    const visit = (writer: string): void => {
      if (writer !== user) registry.of(writer)?.forEach(tell)
    }
    const writers = receipt.writers()
    // Too much to look up: everybody, of whom those who wrote nothing there learn nothing new.
    if (writers === null) conversation.forEachMember(visit)
    else writers.forEach(visit)
  }

  /** During apply: the user sent the message at `seq` again. */
  onDuplicate({ id, large }: AppliedConversation, seq: number, from: string): void {
    // Who is in a large conversation learns of its head by heartbeats.
    if (!large && this.#context.registry.size > 0) this.#redrive.sentAgain(id, seq, from)
  }

  /** During apply: retention removed messages, maybe before somebody had them (rule B5). */
  onRemoved(removal: AppliedRemoval): void {
    if (this.#context.registry.size > 0) this.#expired.removed(removal)
  }

  /**
   * What `sync:A` tells of receipts: of the other members of the user's small conversations, and of
   * how far the user himself has read on other devices. Only what changed after `mark`, if there is
   * one of this epoch; the newest changes, up to a bound.
   */
  async statuses(user: string, mark: string | undefined): Promise<SyncAnswer['statuses']> {
    const { backend } = this.#context
    const position = mark === undefined ? null : parseMark(mark)
    const after = position?.epoch === backend.epoch ? position.index : 0
    return backend.state.receiptsChanged(user, after, MAX_STATUSES)
  }

  close(): void {
    this.#collector.close()
    this.#stored.close()
    this.#counts.close()
    this.#redrive.close()
    this.#expired.close()
  }

  /** What a message that was sent again is answered with besides `msg:A` (rule NR6). */
  async #tellCurrent(session: Session, conv: string, seq: number): Promise<void> {
    const { backend, clock } = this.#context
    const view = await backend.state.conversation(conv)
    if (view === null) return
    if (view.large) {
      this.#counts.wrote(session.user, conv, seq)
      this.#counts.changed(conv)
      this.#stored.answered(session, conv, seq)
      return
    }
    let isDelivered = false
    const at = clock.wallMs()
    for (const { user, delivered, read } of (await backend.state.receiptsOf(conv)) ?? []) {
      if (user === session.user || delivered < seq) continue
      isDelivered = true
      const [kind, upTo] =
        read >= seq ? (['read', read] as const) : (['delivered', delivered] as const)
      this.#tell(session, { conv, kind, upTo, at, by: user })
    }
    if (!isDelivered) this.#stored.answered(session, conv, seq)
  }

  async #noteHighest(session: AckingDevice): Promise<void> {
    let done: number
    try {
      do {
        done = this.#noted.get(session)!
        await this.ackInbox(session, done)
      } while (this.#noted.get(session)! > done)
    } finally {
      this.#noted.delete(session)
    }
  }

  #background(work: Promise<unknown>): void {
    void work.catch((error: unknown) => {
      this.#context.logger.error('receipts.failed', { error })
    })
  }

  #count({ user, conv, kind, upTo, count }: CountNotice): boolean {
    const sessions = this.#context.registry.of(user)
    const at = this.#context.clock.wallMs()
    for (const session of sessions ?? []) this.#tell(session, { conv, kind, upTo, at, count })
    return sessions !== undefined
  }

  #tell(session: Session, notice: Omit<AckNotice, 't'>): void {
    session.send({ t: 'ack:N', ...notice }, FrameState.shown)
  }

  async #refusal(user: string, acks: readonly Ack[]): Promise<WireError | null> {
    const wrong = await this.#foreign(user, acks)
    if (wrong === null) return null
    // What this node does not know it may not refuse for good: it may lag (rule A5).
    const unsure = await reachNewest(this.#context)
    if (unsure !== null) return unsure
    return this.#foreign(user, acks)
  }

  async #foreign(user: string, acks: readonly Ack[]): Promise<WireError | null> {
    const { state } = this.#context.backend
    for (const conv of new Set(acks.map((ack) => ack.conv))) {
      if (await state.wasMember(conv, user)) continue
      return (await state.conversation(conv)) === null
        ? wireError(
            'GROUP_NOT_FOUND',
            `There is no conversation ${conv}: nothing was acknowledged.`,
          )
        : wireError('NOT_MEMBER', `You never were in ${conv}: nothing was acknowledged.`)
    }
    return null
  }
}
