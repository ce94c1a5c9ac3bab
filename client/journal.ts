import { Acknowledged } from './acknowledged.ts'
import { ChatError } from './errors.ts'
import type { ClientFailpoint, ClientFailpoints } from './failpoints.ts'
import type { InboxEvent } from './inbox-sync.ts'
import type { WireEvent } from './protocol/frames.ts'
import type { Received } from './received.ts'
import {
  EMPTY_SESSION,
  type ClientStore,
  type StoreChange,
  type StoreContents,
  type StoredCursor,
  type StoredMessage,
  type StoredPlace,
  type StoredSession,
} from './store/client-store.ts'

/** What the journal needs from the client around it. */
export interface JournalOwner {
  /** As it stands: goes along with every change, so that no later life is shown an older state. */
  session(): StoredSession
  /** The store takes nothing more: nothing can be promised any longer. */
  onFailed(error: ChatError): void
}

/** Writes down what the client must not forget, each step as one change of the store. */
export class Journal {
  readonly #store: ClientStore
  readonly #owner: JournalOwner
  readonly #failpoints: ClientFailpoints | undefined
  readonly #received: Received
  readonly #acknowledged = new Acknowledged()
  readonly #cursors = new Map<string, StoredCursor>()
  #session: StoredSession = EMPTY_SESSION
  #isOpen = false
  /** Sessions whose beginning is being written. */
  #beginning = 0
  #closing: Promise<void> | null = null

  constructor(
    store: ClientStore,
    received: Received,
    owner: JournalOwner,
    failpoints: ClientFailpoints | undefined,
  ) {
    this.#store = store
    this.#received = received
    this.#owner = owner
    this.#failpoints = failpoints
  }

  async open(device: string): Promise<StoreContents> {
    const contents = await this.#store.open(device)
    this.#isOpen = true
    this.#session = contents.session
    for (const cursor of contents.cursors) this.#cursors.set(cursor.conv, cursor)
    this.#received.load(contents.events)
    this.#acknowledged.load(contents.places)
    this.hit('store.opened')
    return contents
  }

  /** The user whose store it is, if it ever had a session. */
  get user(): string | null {
    return this.#session.user
  }

  cursorOf(conv: string): StoredCursor | null {
    return this.#cursors.get(conv) ?? null
  }

  /** @throws ChatError OUTBOX_FULL: then nothing changed. */
  put(message: StoredMessage, done: () => void): void {
    this.hit('outbox.beforeWrite')
    this.#write({ put: [message] }, (error) => {
      if (error !== null) return
      this.hit('outbox.written')
      done()
    })
  }

  /** `done` in any case: what happened to the message is true whatever the store says. */
  answered(message: StoredMessage, done: () => void): void {
    this.#write({ put: [message] }, done)
  }

  /** `done` in any case: what happened to the message is true whatever the store says. */
  remove(msgId: string, done: () => void): void {
    this.#write({ remove: [msgId] }, done)
  }

  /**
   * A session begins. `done` when it is durable whose store this is, which history it belongs to,
   * and since when the cluster may have what goes out now.
   */
  begin(put: readonly StoredMessage[], isNewEpoch: boolean, done: () => void): void {
    const { user, epoch } = this.#owner.session()
    if (isNewEpoch) {
      this.#cursors.clear()
      this.#received.clear()
    }
    const isKnown = user === this.#session.user && epoch === this.#session.epoch
    if (isKnown && put.length === 0 && this.#beginning === 0) return done()
    this.#beginning++
    this.#write({ put, forgetCursors: isNewEpoch }, (error) => {
      this.#beginning--
      if (error !== null) return
      this.hit('session.recorded')
      done()
    })
  }

  /** @throws ChatError STORE_FULL, STORE_FAILED. */
  async moveCursors(cursors: readonly StoredCursor[]): Promise<void> {
    for (const cursor of cursors) this.#cursors.set(cursor.conv, cursor)
    const dropEvents = cursors.flatMap(({ conv, delivered }) =>
      this.#received.consume(conv, delivered),
    )
    await new Promise<void>((resolve, reject) => {
      this.#write({ cursors, dropEvents }, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  /** Whether what was received is kept, and counts as delivered when it is (rule B5). */
  get keepsEvents(): boolean {
    return this.#store.keepsEvents
  }

  /** Events of the inbox, and that its position has moved over them. `done` when that is durable. */
  receive(events: readonly InboxEvent[], done: () => void): void {
    const fresh = events.filter(
      ({ conv, event }) => event.seq > (this.#cursors.get(conv)?.delivered ?? 0),
    )
    this.hit('inbox.beforeWrite')
    this.#write(this.#store.keepsEvents ? this.#received.add(fresh) : {}, (error) => {
      if (error !== null) return
      this.hit('inbox.written')
      done()
    })
  }

  /** Events that were received and follow on `after` without a hole, at most `limit`. */
  receivedAfter(conv: string, after: number, limit: number): readonly WireEvent[] {
    return this.#received.after(conv, after, limit)
  }

  /** An own message has its place. */
  acknowledged(conv: string, seq: number, msgId: string): void {
    const { epoch } = this.#owner.session()
    const place = epoch === null ? null : this.#acknowledged.add({ epoch, conv, seq, msgId })
    if (place !== null) this.#write({ places: [place] }, () => {})
  }

  /** Own messages that have their places in another history than this one. */
  acknowledgedBefore(epoch: string): readonly StoredPlace[] {
    return this.#acknowledged.before(epoch)
  }

  /** The application was told what became of them. */
  forgetAcknowledged(places: readonly StoredPlace[]): void {
    this.#write({ dropPlaces: this.#acknowledged.drop(places) }, () => {})
  }

  hit(name: ClientFailpoint): void {
    this.#failpoints?.hit(name)
  }

  /** Resolves when everything is written and the store is free for another client. */
  close(): Promise<void> {
    this.#closing ??= this.#isOpen ? this.#store.close() : Promise.resolve()
    return this.#closing
  }

  /** `report` at once if the change survives already. */
  #write(change: Step, report: (error: ChatError | null) => void): void {
    // The store is another client's by now. What is not removed is sent again by that one, and
    // answered as a duplicate.
    if (this.#closing !== null) return report(closed())
    const session = this.#owner.session()
    const isSame =
      session.user === this.#session.user &&
      session.epoch === this.#session.epoch &&
      session.mark === this.#session.mark &&
      session.inbox === this.#session.inbox &&
      session.lastId === this.#session.lastId
    if (!isSame) change.session = session
    const written = this.#store.write(change)
    this.#session = session
    if (written === undefined) return report(null)
    written.then(
      () => report(null),
      (cause: unknown) => {
        const error = ChatError.is(cause)
          ? cause
          : new ChatError('STORE_FAILED', 'the store failed', { outcome: 'unknown', cause })
        report(error)
        this.#owner.onFailed(error)
      },
    )
  }
}

type Step = { -readonly [Key in keyof StoreChange]: StoreChange[Key] }

const closed = (): ChatError => new ChatError('CLOSED', 'the client is closed')
