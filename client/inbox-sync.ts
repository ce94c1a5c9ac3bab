import type { ClientPorts, Timer } from './ports.ts'
import type {
  BareNotice,
  Gap,
  MessageNotice,
  PingAnswer,
  SyncAnswer,
  WireEvent,
} from './protocol/frames.ts'
import type { WithoutId } from './requests.ts'

/** An event of the inbox, and the conversation it is of. */
export interface InboxEvent {
  readonly conv: string
  readonly event: WireEvent
  readonly inbox: number
}

/** What the inbox needs from the client around it. */
export interface InboxOwner {
  readonly ports: ClientPorts
  /** Asks until there is an answer or a final refusal. */
  sync(frame: () => WithoutId): Promise<SyncAnswer>
  /** The next ones, in order: everything before them was told. */
  onInbox(events: readonly InboxEvent[]): void
  /** There is something up to `seq` in a conversation that takes no numbers. */
  onNotify(conv: string, seq: number): void
  /** How far members have come, who acknowledged while this device was away. */
  onStatuses(statuses: SyncAnswer['statuses']): void
  /** Something may have been missed that the inbox will not tell: look at the heads. */
  onHole(gap: Gap | null): void
  /**
   * Conversations that changed, newest change first: at the beginning of a catch-up, and again, as
   * `isEnd`, when the events up to these heads were told.
   */
  onHeads(rows: SyncAnswer['conversations'], isEnd: boolean): void
  onProgress(done: number, total: number): void
}

/**
 * This device's position in the user's inbox (rules B3, B4). Pushed events that follow on it move it
 * on; at the first that does not, and after every hello, it is brought on page by page. Users whose
 * numbers ran out have no position: their conversations go by their heads.
 */
export class InboxSync {
  readonly #owner: InboxOwner
  readonly #pageEvents: number
  /** Up to here everything was told; `null` before the first session and after a new epoch. */
  #position: number | null = null
  /** The highest number known to exist. */
  #known = 0
  #isNumbered = false
  /** As of the last session. */
  #hasNumbers = false
  #isSyncing = false
  #mustLook = false
  /** The next page is to name all conversations, not only those that changed since. */
  #wantsAll = true
  #namedAll = false
  /** Those who want all that the inbox had at some time; `upTo` is where that is, once it is known. */
  #waiters: { upTo: number | null; isAsked: boolean; resolve: (isSame: boolean) => void }[] = []
  #rows: SyncAnswer['conversations'] = []
  /** Where the catch-up under way began. */
  #from = 0
  /** Counts epochs, so that an answer of an earlier one is recognised. */
  #epochs = 0
  #timer: Timer | null = null

  constructor(owner: InboxOwner, pageEvents: number) {
    this.#owner = owner
    this.#pageEvents = pageEvents
  }

  get position(): number | null {
    return this.#position
  }

  /** The highest number known to exist, of this session or the last; `null` without numbers. */
  get head(): number | null {
    return this.#hasNumbers ? this.#known : null
  }

  /** A node has named the conversations that there are: one it did not name is new. */
  get namedAll(): boolean {
    return this.#namedAll
  }

  /** Whether this session numbers the inbox. */
  get isNumbered(): boolean {
    return this.#isNumbered
  }

  /** Where an earlier client of this device was. */
  resumeFrom(position: number | null): void {
    this.#position = position
  }

  /**
   * A session stands; `start` follows.
   * @param head `null`: the user's numbers ran out.
   * @param isKnownDevice it was connected before, so what it has not got is to be brought.
   */
  greeted(head: number | null, isKnownDevice: boolean): void {
    this.#isNumbered = this.#hasNumbers = head !== null
    for (const waiter of this.#waiters) waiter.upTo ??= head
    if (head === null) return this.#wake(true)
    // A new device begins at the end: what was before is there to be looked up.
    this.#position ??= isKnownDevice ? 0 : head
    this.#known = Math.max(head, this.#position)
    this.#from = this.#position
    this.#mustLook = true
  }

  /**
   * Resolves when everything was told that the inbox had when this was called, without numbers at
   * once: with whether the history is still the same.
   */
  caughtUp(): Promise<boolean> {
    if (!this.#hasNumbers) return Promise.resolve(true)
    return new Promise((resolve) => {
      this.#waiters.push({ upTo: null, isAsked: false, resolve })
      this.#mustLook = true
      this.#fill()
    })
  }

  start(): void {
    this.#fill()
  }

  offline(): void {
    this.#isNumbered = false
    this.#timer?.cancel()
    this.#timer = null
  }

  /** The history is another one now (rule K8): it goes on from its end. */
  forget(): void {
    this.#position = null
    this.#wantsAll = true
    this.#namedAll = false
    this.#rows = []
    this.#epochs++
    this.#wake(false)
  }

  /** A pushed event or a notify that has a number. Whether it was told as the next one. */
  receive(notice: MessageNotice | BareNotice, inbox: number): boolean {
    const isNext = notice.kind !== undefined && this.#isNext(inbox)
    if (isNext) this.#moveTo(inbox, [{ conv: notice.conv, event: notice, inbox }])
    else this.#want(inbox)
    return isNext
  }

  /** An own message was answered; the node pushes no event of it. */
  own(inbox: number): void {
    if (this.#isNext(inbox)) this.#moveTo(inbox, [])
    else this.#want(inbox)
  }

  pong({ inbox, heads }: PingAnswer): void {
    if (typeof inbox === 'number') this.#want(inbox)
    for (const { conv, seq } of heads ?? []) this.#owner.onNotify(conv, seq)
  }

  #isNext(inbox: number): boolean {
    return this.#isNumbered && inbox === this.#position! + 1
  }

  #moveTo(position: number, events: readonly InboxEvent[]): void {
    this.#position = position
    this.#owner.onInbox(events)
    if (this.#waiters.length > 0) this.#wake(true, position)
  }

  /** Those who want no more than is here now. */
  #wake(isSame: boolean, position = Infinity): void {
    this.#waiters = this.#waiters.filter(({ upTo, resolve }) => {
      const isHere = position === Infinity || (upTo !== null && upTo <= position)
      if (isHere) resolve(isSame)
      return !isHere
    })
  }

  #want(inbox: number): void {
    this.#known = Math.max(this.#known, inbox)
    this.#fill()
  }

  #fill(): void {
    if (this.#isSyncing || !this.#isNumbered || this.#timer !== null) return
    if (!this.#mustLook && this.#position! >= this.#known) return
    this.#isSyncing = true
    this.#mustLook = false
    const epochs = this.#epochs
    for (const waiter of this.#waiters) waiter.isAsked = true
    const frame = (): WithoutId => ({
      t: 'sync:R',
      after: this.#position ?? 0,
      limit: this.#pageEvents,
      positions: this.#wantsAll ? [] : undefined,
    })
    this.#owner.sync(frame).then(
      (page) => {
        this.#isSyncing = false
        if (epochs === this.#epochs && this.#position !== null) this.#take(page, this.#position)
        else this.#mustLook = true
        this.#fill()
      },
      () => {
        // The client was closed, or the nodes know no inbox: the heads are what is left.
        this.#isSyncing = false
        this.#isNumbered = this.#hasNumbers = false
        this.#wake(true)
        this.#owner.onHole(null)
      },
    )
  }

  #take(page: SyncAnswer, before: number): void {
    const { conversations } = page
    if (conversations.length > 0) {
      this.#rows = conversations
      this.#owner.onHeads(conversations, false)
    }
    if (this.#wantsAll) this.#namedAll = true
    this.#wantsAll = false
    const fresh = page.events.filter(({ inbox }) => inbox > before)
    let expected = before
    const isWhole = fresh.every(({ inbox }) => inbox === ++expected) && expected >= page.next
    const gap = page.gap ?? null
    const position = Math.max(before, page.next)
    this.#known = Math.max(this.#known, page.upTo)
    for (const waiter of this.#waiters) if (waiter.isAsked) waiter.upTo ??= page.upTo
    this.#moveTo(
      position,
      fresh.map((event) => ({ conv: event.conv, event, inbox: event.inbox })),
    )
    if (page.statuses.length > 0) this.#owner.onStatuses(page.statuses)
    if (gap !== null || !isWhole) this.#owner.onHole(gap)
    const total = this.#known - this.#from
    if (total > 0) this.#owner.onProgress(position - this.#from, total)
    const isEnd = !page.hasMore && position >= this.#known
    if (isEnd) {
      this.#from = position
      if (this.#rows.length > 0) this.#owner.onHeads(this.#rows, true)
      this.#rows = []
    } else if (position > before) this.#mustLook = true
    else {
      // Announced, but this node does not have it yet.
      this.#timer = this.#owner.ports.clock.after(LATE_MS, () => {
        this.#timer = null
        this.#mustLook = true
        this.#fill()
      })
    }
  }
}

const LATE_MS = 500
