import { encodeFrame, type EncodedFrame, type Subprotocol, wireError } from '#protocol'
import type { InboxEvent } from '../state-machine/types.ts'
import type { GatewayContext } from './gateway-context.ts'
import { wireEvent } from './handlers/wire-event.ts'
import { PendingNotifies } from './pending-notifies.ts'
import { FrameState } from './send-queue.ts'
import type { Session } from './session.ts'
import { UnackedWindow } from './unacked-window.ts'

/** An event while it is told to sessions, in the forms they may want, each encoded when first asked. */
export interface ToldEvent {
  readonly conv: string
  readonly seq: number
  /** Events of a large conversation take no inbox numbers. */
  readonly large: boolean
  full(subprotocol: Subprotocol): EncodedFrame
  bare(subprotocol: Subprotocol): EncodedFrame
}

/**
 * - `inline`: everything up to the inbox's head was written to the session; events go out whole.
 * - `replaying`: the events after the position are read from the inbox and go out whole.
 * - `behind`: notifies go out; the client has to sync.
 */
type Phase = 'inline' | 'replaying' | 'behind'

/**
 * What one session is pushed of its user's inbox, and how (rule B4). Called during apply: queues,
 * never waits. What is read from the inbox is written before any later event of it.
 */
export class SessionPush {
  /** The client does not take what it is sent: notifies are kept back until it does. */
  slow = false
  readonly #session: Session
  readonly #context: GatewayContext
  readonly #window: UnackedWindow
  readonly #pending = new PendingNotifies()
  #phase: Phase = 'behind'
  /** The last inbox number written to the session, in an event or an answer. */
  #pos = 0
  /** The newest inbox number known here. */
  #head = 0
  /** Set once the user's numbers ran out: there are no more to push on from. */
  #exhausted = false
  /** `caughtup:N` is owed when the position reaches this. */
  #greetedHead: number | null = null
  /** A notify went out a moment ago; the next ones are merged. */
  #notified = false
  /** Counts replays: one that is not the newest ends. */
  #replay = 0

  constructor(session: Session, context: GatewayContext) {
    this.#session = session
    this.#context = context
    const { maxUnackedEvents, maxUnackedBytes } = context.options
    this.#window = new UnackedWindow(maxUnackedEvents, maxUnackedBytes)
  }

  /**
   * Right after `hello:A`. `isNewest`: nothing was applied since `head` was read, so that no event
   * passed by before the session was registered. `head` null: the user's numbers ran out.
   */
  begin(from: number, head: number | null, isNewest: boolean): void {
    this.#pos = from
    if (head === null) {
      this.#ranOut()
      this.#session.send({ t: 'caughtup:N', inbox: null }, FrameState.shown)
      return
    }
    this.#head = Math.max(this.#head, head)
    this.#greetedHead = head
    if (isNewest && from === this.#head && this.#mayPush) this.#phase = 'inline'
    else if (this.#mayPush && this.#head - from <= this.#context.options.maxPushAhead) {
      this.#startReplay()
    } else this.#tellNewest()
    this.#tellCaughtUp()
  }

  /** `own`: the session learns of the event by `msg:A`, which carries the number (rule B4). */
  event(told: ToldEvent, inbox: number | null, own: boolean): void {
    if (inbox === null) {
      if (!told.large) this.#ranOut()
      if (own) return
      if (this.#phase !== 'inline' || !this.#write(told, 0)) this.#notify(told, 0)
      return
    }
    this.#head = inbox
    const isNext = inbox === this.#pos + 1
    if (isNext && own) this.#moveTo(inbox)
    else if (isNext && this.#phase === 'inline' && this.#write(told, inbox)) this.#moveTo(inbox)
    else if (this.#phase === 'inline') {
      // Numbers passed by without a word: what stands under them is read.
      if (!isNext) this.#startReplay()
      else {
        this.#phase = 'behind'
        this.#notify(told, inbox)
      }
    } else if (this.#phase === 'behind' && !own) this.#notify(told, inbox)
  }

  /** The message may never have reached the user: a notify among the others (rule NR6). */
  sentAgain(conv: string, seq: number): void {
    const bare = () => encodeFrame({ t: 'msg:N', conv, seq }, this.#subprotocol)
    this.#notify({ conv, seq, bare }, 0)
  }

  /** A `sync:A` was written that ends at `next`. */
  synced(next: number, upTo: number, hasMore: boolean): void {
    this.#head = Math.max(this.#head, upTo)
    this.#replay++
    this.#phase = 'behind'
    // What came in while a complete page was read may have been pushed behind it.
    this.#moveTo(hasMore ? next : Math.max(next, this.#pos))
    if (hasMore || !this.#mayPush || !this.#window.hasRoom) return
    if (this.#pos === this.#head) this.#phase = 'inline'
    else this.#startReplay()
  }

  /** The client has everything up to this inbox number. */
  acknowledged(inbox: number): void {
    this.#window.acknowledge(inbox)
    if (!this.slow && this.#pending.size === 0) this.#recover()
  }

  /** The client takes what it is sent again: the merged notifies go out. */
  resume(): void {
    this.slow = false
    this.#drain()
    this.#recover()
  }

  /** Sends what was merged since the last notify. Whether there was nothing. */
  cooled(): boolean {
    if (this.slow || this.#pending.size === 0) {
      this.#notified = false
      if (!this.slow) this.#recover()
      return true
    }
    this.#drain()
    return false
  }

  clear(): void {
    this.#replay++
    this.#phase = 'behind'
    this.#pending.clear()
    this.#window.clear()
  }

  get #mayPush(): boolean {
    return this.#session.mode === 'push' && !this.#exhausted
  }

  /** Where nothing with a number was kept back no sync is needed to go on. */
  #recover(): void {
    const isWhole = this.#phase === 'behind' && this.#pos === this.#head && this.#window.hasRoom
    if (isWhole && this.#mayPush) this.#phase = 'inline'
  }

  #moveTo(inbox: number): void {
    this.#pos = inbox
    this.#tellCaughtUp()
  }

  #tellCaughtUp(): void {
    if (this.#greetedHead === null || this.#pos < this.#greetedHead) return
    this.#greetedHead = null
    this.#session.send({ t: 'caughtup:N', inbox: this.#pos }, FrameState.shown)
  }

  #ranOut(): void {
    if (this.#exhausted) return
    this.#exhausted = true
    this.#phase = 'behind'
    this.#replay++
    const message = 'The inbox numbers of this user ran out: pull each conversation by its own seq.'
    this.#session.send(
      { t: 'error:N', error: wireError('SEQ_EXHAUSTED', message) },
      FrameState.none,
    )
  }

  #write(told: ToldEvent, inbox: number): boolean {
    const { hasRoom } = this.#window
    if (!hasRoom && inbox !== 0) return false
    return this.#writeFrame(told.full(this.#subprotocol), inbox)
  }

  #writeFrame(frame: EncodedFrame, inbox: number): boolean {
    if (this.slow) return false
    if (!this.#session.fits(frame.length)) {
      this.slow = true
      this.#context.watchSlow(this.#session)
      return false
    }
    this.#context.metrics.pushed.full.add()
    if (inbox !== 0) this.#window.add(inbox, frame.length)
    this.#session.enqueuePush(frame, inbox)
    return true
  }

  #notify(told: Pick<ToldEvent, 'conv' | 'seq' | 'bare'>, inbox: number): void {
    if (this.slow || this.#notified) {
      this.#pending.add(told.conv, told.seq, inbox)
      if (this.#pending.size > this.#context.options.maxPendingNotifies) this.#session.overran()
      return
    }
    this.#sendNotify(told.bare(this.#subprotocol), inbox)
  }

  #sendNotify(frame: EncodedFrame, inbox: number): void {
    this.#context.metrics.pushed.notify.add()
    this.#session.enqueuePush(frame, inbox)
    this.#notified = true
    this.#context.mergeNotifies(this.#session)
  }

  #drain(): void {
    this.#pending.drain((conv, seq, inbox) => {
      this.#sendNotify(encodeFrame({ t: 'msg:N', conv, seq }, this.#subprotocol), inbox)
    })
  }

  get #subprotocol(): Subprotocol {
    return this.#session.connection.subprotocol
  }

  #startReplay(): void {
    this.#phase = 'replaying'
    const replay = ++this.#replay
    this.#read(replay, () => this.#replayOn(replay))
  }

  /** Whom the position is too far back for, or who wants notifies, hears that there is something. */
  #tellNewest(): void {
    this.#phase = 'behind'
    if (this.#pos >= this.#head) return
    const replay = ++this.#replay
    this.#read(replay, async () => {
      const { state } = this.#context.backend
      const page = await state.inboxAfter(this.#session.user, this.#head - 1, 1)
      const newest = page.entries.at(-1)
      if (newest !== undefined && this.#isCurrent(replay)) this.#notifyOf(newest)
    })
  }

  #notifyOf({ conv, inbox, seq }: InboxEvent): void {
    const bare = () => encodeFrame({ t: 'msg:N', conv, seq }, this.#subprotocol)
    this.#notify({ conv, seq, bare }, inbox)
  }

  #isCurrent(replay: number): boolean {
    return replay === this.#replay && this.#session.state !== 'ended'
  }

  #read(replay: number, read: () => Promise<void>): void {
    void read().catch((error: unknown) => {
      this.#context.logger.error('replay.failed', { user: this.#session.user, error })
      // The client learns from the next ping:A how far its inbox has come.
      if (this.#isCurrent(replay)) this.#phase = 'behind'
    })
  }

  async #replayOn(replay: number): Promise<void> {
    const { backend, options } = this.#context
    const { user } = this.#session
    for (;;) {
      const from = this.#pos
      const page = await backend.state.inboxAfter(user, from, options.maxPushAhead)
      if (!this.#isCurrent(replay)) return
      this.#head = Math.max(this.#head, page.upTo)
      const tooFar = this.#head - from > options.maxPushAhead || page.gap !== null
      if (tooFar || !page.entries.every((entry) => this.#replayEntry(entry))) {
        this.#tellNewest()
        return
      }
      if (this.#pos === this.#head) {
        this.#phase = 'inline'
        return
      }
      if (this.#pos === from) throw new Error(`the inbox of ${user} ends at ${from}`)
    }
  }

  /** `false`: the client has to sync, what is no more among the rest. */
  #replayEntry({ conv, inbox, event }: InboxEvent): boolean {
    // One of the user's own, which msg:A told meanwhile.
    if (inbox <= this.#pos) return true
    if (event === null || inbox !== this.#pos + 1 || !this.#window.hasRoom) return false
    const frame = encodeFrame({ t: 'msg:N', conv, ...wireEvent(event) }, this.#subprotocol)
    if (!this.#writeFrame(frame, inbox)) return false
    this.#moveTo(inbox)
    return true
  }
}
