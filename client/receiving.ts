import type { ChatEvent } from './chat-event.ts'
import type { ClientCore } from './core.ts'
import { Emitter } from './emitter.ts'
import { decodeBody } from './protocol/body-codec.ts'
import { findMissing } from './find-missing.ts'
import type { InboxEvent, InboxOwner } from './inbox-sync.ts'
import type { ResolvedOptions } from './options.ts'
import type {
  BareNotice,
  Gap,
  MessageNotice,
  PullAnswer,
  SyncAnswer,
  WireEvent,
} from './protocol/frames.ts'
import type { StoredPlace } from './store/client-store.ts'
import { SyncView, type SyncEvents } from './sync-view.ts'

/** What receiving needs besides the core. */
export interface ReceivingOwner {
  /** Messages of others behind a seq. */
  countAfter(conversation: string, seq: number): Promise<number>
  /** A page of a conversation, complete or an error. */
  pull(conversation: string, after: number): Promise<PullAnswer>
  /** To whoever follows conversations. */
  readonly streams: () => {
    event(conversation: string, event: WireEvent, inbox?: number): void
    greeted(inboxHead: number | null): void
    notice(notice: MessageNotice | BareNotice): void
    heads(rows: SyncAnswer['conversations'], isEnd: boolean): void
    look(): void
  }
  onReceipt(conversation: string, kind: 'delivered' | 'read', upTo: number, by: string): void
  /** An event that may be one's own. */
  onEcho(notice: MessageNotice): void
}

/**
 * The way of an event from the wire to those who want it: written down, acknowledged, told. An event
 * counts as delivered when the store has it; without such a store, when the application has handled
 * it (rule B5).
 */
export class Receiving implements Omit<InboxOwner, 'ports' | 'sync'> {
  readonly view: SyncView
  readonly #core: ClientCore
  readonly #owner: ReceivingOwner
  readonly #emitter: Emitter<SyncEvents>
  /** Highest seq told as delivered, by conversation; the least recent are forgotten. */
  readonly #delivered = new Map<string, number>()
  #isSearching = false

  constructor(options: ResolvedOptions, core: ClientCore, owner: ReceivingOwner) {
    this.#core = core
    this.#owner = owner
    this.#emitter = new Emitter(options.ports.clock)
    this.view = new SyncView(this.#emitter, (conv, seq) => owner.countAfter(conv, seq))
  }

  notice(notice: MessageNotice | BareNotice): void {
    const { inbox } = this.#core
    const hasNumber = inbox.isNumbered && typeof notice.inbox === 'number'
    if (hasNumber && inbox.receive(notice, notice.inbox!)) return
    if (notice.kind !== undefined) {
      this.#owner.onEcho(notice)
      this.#owner.streams().event(notice.conv, notice)
    } else if (!hasNumber) this.onNotify(notice.conv, notice.seq)
  }

  onInbox(events: readonly InboxEvent[]): void {
    const { journal, acks, inbox, user } = this.#core
    const position = inbox.position!
    journal.receive(events, () => {
      acks.inbox(position, events.length > 0)
      if (!journal.keepsEvents) return
      for (const { conv, event } of events) {
        if (event.from !== user) this.#acknowledge(conv, event.seq)
      }
    })
    for (const { conv, event, inbox: number } of events) {
      this.#owner.onEcho({ ...event, t: 'msg:N', conv })
      this.#owner.streams().event(conv, event, number)
    }
  }

  onGreeted(inboxHead: number | null): void {
    this.#owner.streams().greeted(inboxHead)
  }

  onNotify(conv: string, seq: number): void {
    this.view.head(conv, seq)
    this.#owner.streams().notice({ t: 'msg:N', conv, seq })
  }

  onHeads(rows: SyncAnswer['conversations'], isEnd: boolean): void {
    if (!isEnd) this.view.rows(rows)
    this.#owner.streams().heads(rows, isEnd)
  }

  onStatuses(statuses: SyncAnswer['statuses']): void {
    for (const { conv, user, kind, upTo } of statuses) this.#owner.onReceipt(conv, kind, upTo, user)
  }

  onHole(gap: Gap | null): void {
    if (gap !== null) this.#emitter.emit('gap', gap)
    this.#owner.streams().look()
  }

  onProgress(done: number, total: number): void {
    this.#emitter.emit('progress', { done, total })
  }

  onEvent(conv: string, event: WireEvent): void {
    const { user, options, journal } = this.#core
    const isOwn = event.from === user
    if (isEnd(event, user)) this.view.left(conv)
    else this.view.event(conv, event, isOwn)
    const isFromHere = isOwn && event.device === options.device && event.kind === 'message'
    if (isFromHere) journal.acknowledged(conv, event.seq, event.msgId)
  }

  /** The cluster came back from a backup: what was acknowledged before is looked for (rule K8). */
  onRestored(epoch: string, places: readonly StoredPlace[]): void {
    if (places.length === 0 || this.#isSearching) return
    this.#isSearching = true
    void findMissing(places, (conv, after) => this.#owner.pull(conv, after)).then(
      ({ missing, looked }) => {
        this.#isSearching = false
        // Who closes meanwhile is told the next time.
        if (this.#core.connection.isClosed) return
        const messages = missing.map(({ conv, seq, msgId }) => ({ conversation: conv, seq, msgId }))
        // Until somebody has heard it, and wherever nobody could tell, every session looks again.
        const isTold = messages.length === 0 || this.#emitter.emit('missing', { epoch, messages })
        if (isTold && looked.length > 0) this.#core.journal.forgetAcknowledged(looked)
      },
    )
  }

  onHandled({ conversation, seq, from }: ChatEvent): void {
    if (from !== this.#core.user) this.#acknowledge(conversation, seq)
  }

  /** Positions in a history that is no more (rule K8). */
  forget(): void {
    this.#delivered.clear()
    this.view.forget()
  }

  #acknowledge(conv: string, seq: number): void {
    if (seq <= (this.#delivered.get(conv) ?? 0)) return
    this.#delivered.delete(conv)
    this.#delivered.set(conv, seq)
    if (this.#delivered.size > MAX_DELIVERED) {
      this.#delivered.delete(this.#delivered.keys().next().value!)
    }
    this.#core.acks.delivered(conv, seq)
  }
}

/** Whether this user is no member any more by that event. */
function isEnd({ kind, from, body }: WireEvent, user: string | null): boolean {
  if (kind !== 'member' || body === undefined) return false
  const change = decodeBody(body) as { readonly op?: string; readonly user?: string } | null
  return change?.op === 'leave' ? from === user : change?.op === 'remove' && change.user === user
}

const MAX_DELIVERED = 10_000
