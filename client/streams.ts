import type { ChatEvent } from './chat-event.ts'
import { Delivery } from './delivery.ts'
import { ChatError } from './errors.ts'
import { EventQueue } from './event-queue.ts'
import { eventStream } from './event-stream.ts'
import type { Journal } from './journal.ts'
import { Subscription, type SubscriptionOwner } from './subscription.ts'
import type {
  BareNotice,
  MessageNotice,
  SyncAnswer,
  WireConversation,
  WireEvent,
} from './protocol/frames.ts'
import { LIMITS } from './protocol/limits.ts'

/** What streams need from the client around them. */
export interface StreamsOwner extends SubscriptionOwner {
  /** The conversations of this user, newest change first. */
  list(): Promise<ListedConversations>
  /** The newest seq of a conversation. */
  head(conversation: string): Promise<number>
  /** An event was pushed, synced or answered for; it may have been told before. */
  onEvent(conversation: string, event: WireEvent): void
  /** The highest inbox number known to exist; `null` while none is known, or there are none. */
  inboxHead(): number | null
  /** The newest seqs that this device has heard of. `isAll`: another conversation is new. */
  known(): { readonly heads: ReadonlyMap<string, number>; readonly isAll: boolean }
  /** Resolves when all was told that the inbox has by now: with whether the history is the same. */
  caughtUp(): Promise<boolean>
  /** The application has handled it. */
  onHandled(event: ChatEvent): void
}

/** All conversations of the user. */
export interface ListedConversations {
  readonly conversations: readonly WireConversation[]
  /** Else one that changed between two pages may lack. */
  readonly isOnePage: boolean
}

/** A reader of one conversation, or of all. */
interface Stream {
  readonly queue: EventQueue<ChatEvent>
  readonly subscriptions: Map<string, Subscription>
  /** Told of before it was known where to begin: the first and highest seq by conversation. */
  readonly early: Map<string, { first: number; highest: number }>
  /** Events up to this inbox number were there before the stream; `null` if that is not known yet. */
  inboxHead: number | null
  hasBegun: boolean
  /** It began with several pages of conversations: what changed between two of them may lack. */
  isPartial: boolean
  readonly isAll: boolean
  /** Keeps the cursors of a stream that goes on after them. */
  readonly delivery: Delivery | null
}

/**
 * Where a stream begins: after a seq; where this device's cursor is; or now, which is with what this
 * device has not heard of. If it has heard nothing of the conversation, that is what came after the
 * first contact with a node.
 */
export type Start = number | 'now' | 'cursor'

/** Brings events to every running `messages()` and `events()`. */
export class Streams {
  readonly #owner: StreamsOwner
  readonly #journal: Journal
  readonly #bufferedEvents: number
  readonly #streams = new Set<Stream>()
  /** Counts histories. */
  #epochs = 0

  constructor(owner: StreamsOwner, journal: Journal, bufferedEvents: number) {
    this.#owner = owner
    this.#journal = journal
    this.#bufferedEvents = bufferedEvents
  }

  /** Events of one conversation. */
  one<Event extends ChatEvent>(
    conversation: Promise<string>,
    start: Start,
    wanted: (event: ChatEvent) => event is Event,
  ): AsyncIterableIterator<Event> {
    const stream = this.#open(false, start)
    // Whatever the network does from here on, what comes later is behind these.
    const known = start === 'now' ? this.#owner.known() : null
    const epochs = this.#epochs
    const begin = async (): Promise<void> => {
      const id = await conversation
      const isSame = epochs === this.#epochs
      let head = isSame ? known?.heads.get(id) : undefined
      if (start === 'now') head ??= await this.#atContact(() => this.#owner.head(id))
      if (!this.#streams.has(stream)) return
      this.#checkAlone(stream, id)
      const from = typeof start === 'number' ? start : this.#beginning(stream, id, head ?? 0)
      const subscription = this.#subscribe(stream, id, from)
      stream.hasBegun = true
      stream.early.clear()
      subscription.look()
    }
    begin().catch((error: unknown) => this.#failed(stream, error))
    return this.#iterate(stream, wanted)
  }

  /** Events of all conversations, in order within each. */
  all<Event extends ChatEvent>(
    start: 'now' | 'cursor',
    wanted: (event: ChatEvent) => event is Event,
  ): AsyncIterableIterator<Event> {
    const stream = this.#open(true, start)
    const begin = async (): Promise<void> => {
      this.#checkAlone(stream, null)
      const known = start === 'now' ? this.#owner.known() : null
      if (known?.isAll === true && known.heads.size < LIMITS.pageEvents) {
        for (const [id, head] of known.heads) this.#subscribe(stream, id, head)
        stream.hasBegun = true
        return
      }
      const list = () => this.#owner.list()
      const { conversations, isOnePage } = await (start === 'now' ? this.#atContact(list) : list())
      if (!this.#streams.has(stream)) return
      for (const { id, head } of conversations) {
        const subscription = this.#subscribe(stream, id, this.#beginning(stream, id, head))
        subscription.notify(head)
      }
      stream.hasBegun = true
      stream.isPartial = !isOnePage
      for (const [id, { highest }] of stream.early) this.#notify(stream, id, highest)
      stream.early.clear()
    }
    begin().catch((error: unknown) => this.#failed(stream, error))
    return this.#iterate(stream, wanted)
  }

  /** A pushed event or a bare notify. */
  notice(notice: MessageNotice | BareNotice): void {
    if (notice.kind === undefined) {
      for (const stream of this.#streams) this.#notify(stream, notice.conv, notice.seq)
    } else this.event(notice.conv, notice)
  }

  /** @param inbox its number, if it came with one. */
  event(conversation: string, event: WireEvent, inbox: number | null = null): void {
    this.#owner.onEvent(conversation, event)
    for (const stream of this.#streams) {
      // Missed while away: it does not belong to a stream from now on that has yet to begin.
      const isOld = inbox !== null && inbox <= (stream.inboxHead ?? 0)
      if (isOld && !stream.hasBegun) continue
      const subscription = this.#subscriptionFor(stream, conversation, event.seq)
      subscription?.receive(event)
    }
  }

  /** A session stands, and the inbox has come this far. */
  greeted(inboxHead: number | null): void {
    for (const stream of this.#streams) stream.inboxHead ??= inboxHead
  }

  /** Looks for what came while nobody pushed: after every hello, and at every heartbeat. */
  look(): void {
    let wantsAll = false
    for (const stream of this.#streams) {
      if (!stream.hasBegun) continue
      if (stream.isAll) wantsAll = true
      else for (const subscription of stream.subscriptions.values()) subscription.look()
    }
    if (wantsAll) this.#lookAtAll()
  }

  /**
   * What a catch-up says of the conversations that changed. Single ones are fetched at once, so that
   * who looks at one need not wait for all; the events of the others come in the order of the inbox.
   */
  heads(rows: SyncAnswer['conversations'], isEnd: boolean): void {
    for (const stream of this.#streams) {
      // One that has yet to begin asks for the heads itself.
      if (!stream.hasBegun || (stream.isAll && !isEnd)) continue
      for (const { conv, head } of rows) if (head > 0) this.#notify(stream, conv, head)
    }
  }

  /** The history is another one now: every running stream goes on from its present end. */
  newEpoch(): void {
    this.#epochs++
    for (const stream of this.#streams) {
      if (!stream.hasBegun) {
        stream.early.clear()
        stream.inboxHead = null
      }
      if (stream.delivery !== null) {
        stream.delivery.forget()
        stream.queue.clear()
      }
      for (const [id, subscription] of stream.subscriptions) {
        this.#owner.head(id).then(
          (head) => subscription.restart(head),
          // It is gone with the old history; there will be nothing to read.
          () => stream.subscriptions.delete(id),
        )
      }
    }
  }

  /** Ends every stream; what it received is still given out, unless that had to be recorded. */
  close(error: Error | null): void {
    for (const stream of [...this.#streams]) {
      if (stream.delivery !== null) {
        stream.delivery.close()
        stream.queue.clear()
      }
      stream.queue.end(error)
      this.#drop(stream)
    }
  }

  #lookAtAll(): void {
    this.#owner.list().then(
      ({ conversations }) => {
        for (const { id, head } of conversations) {
          if (head === 0) continue
          for (const stream of this.#streams) if (stream.isAll) this.#notify(stream, id, head)
        }
      },
      () => {
        // Only when the client was closed, or a node refuses for good: the next look asks again.
      },
    )
  }

  #open(isAll: boolean, start: Start): Stream {
    const stream: Stream = {
      queue: new EventQueue<ChatEvent>(this.#bufferedEvents, () => {
        for (const subscription of stream.subscriptions.values()) subscription.fill()
      }),
      subscriptions: new Map(),
      early: new Map(),
      inboxHead: this.#owner.inboxHead(),
      hasBegun: false,
      isPartial: false,
      isAll,
      delivery: start === 'cursor' ? new Delivery(this.#journal) : null,
    }
    this.#streams.add(stream)
    return stream
  }

  #iterate<Event extends ChatEvent>(
    stream: Stream,
    wanted: (event: ChatEvent) => event is Event,
  ): AsyncIterableIterator<Event> {
    const handled = (event: ChatEvent): void => this.#owner.onHandled(event)
    return eventStream(stream.queue, wanted, stream.delivery, handled, () => {
      stream.queue.end()
      this.#drop(stream)
    })
  }

  #notify(stream: Stream, conversation: string, seq: number): void {
    this.#subscriptionFor(stream, conversation, seq)?.notify(seq)
  }

  #subscriptionFor(stream: Stream, conversation: string, seq: number): Subscription | null {
    const subscription = stream.subscriptions.get(conversation)
    if (subscription !== undefined) return subscription
    if (!stream.hasBegun) {
      // It names no more than exist, so it is bounded by what the user is a member of.
      const early = stream.early.get(conversation)
      stream.early.set(conversation, {
        first: Math.min(seq, early?.first ?? seq),
        highest: Math.max(seq, early?.highest ?? seq),
      })
      return null
    }
    if (!stream.isAll) return null
    // Unknown until now, so this user came to it after the stream began: all of it is new, unless it
    // is one that changed while they were listed.
    const from = stream.isPartial ? seq - 1 : 0
    return this.#subscribe(stream, conversation, stream.delivery?.begin(conversation) ?? from)
  }

  /**
   * What a node says now, when all is here that came before it said so: of what came since the stream
   * was asked for the first is known then.
   */
  async #atContact<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      const answer = await ask()
      if (await this.#owner.caughtUp()) return answer
    }
  }

  /** The head may be told late: what was told since the stream was asked for belongs to it. */
  #beginning({ delivery, early }: Stream, conversation: string, head: number): number {
    if (delivery !== null) return delivery.begin(conversation)
    const first = early.get(conversation)?.first
    return first === undefined ? head : Math.min(head, first - 1)
  }

  /** Two readers of one cursor would each acknowledge for the other. */
  #checkAlone(stream: Stream, conversation: string | null): void {
    if (stream.delivery === null) return
    for (const other of this.#streams) {
      if (other === stream || other.delivery === null) continue
      const meets = stream.isAll || other.isAll || other.subscriptions.has(conversation!)
      if (meets) throw new ChatError('INVALID_MESSAGE', 'another stream moves this cursor already')
    }
  }

  #subscribe(stream: Stream, conversation: string, after: number): Subscription {
    const subscription = new Subscription(
      conversation,
      after,
      // What this device holds for the cursor's reader need not be fetched.
      stream.delivery === null ? this.#owner : { ...this.#owner, received: this.#received },
      stream.queue,
      (error) => {
        stream.subscriptions.delete(conversation)
        // One conversation that is lost to this user must not end the stream of all others.
        if (!stream.isAll) this.#failed(stream, error)
      },
    )
    stream.subscriptions.set(conversation, subscription)
    return subscription
  }

  readonly #received = (conversation: string, after: number, limit: number) =>
    this.#journal.receivedAfter(conversation, after, limit)

  #failed(stream: Stream, error: unknown): void {
    stream.queue.end(error instanceof Error ? error : new Error(String(error)))
    this.#drop(stream)
  }

  #drop(stream: Stream): void {
    this.#streams.delete(stream)
    for (const subscription of stream.subscriptions.values()) subscription.close()
    stream.subscriptions.clear()
  }
}
