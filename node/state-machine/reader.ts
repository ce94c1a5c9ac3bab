import { assert } from '#cluster'
import { isGone } from './amendments.ts'
import { CommandKind } from './commands.ts'
import type { ApplicationState } from './application-state.ts'
import {
  conversationIdsOf,
  conversationsFor,
  listConversations,
  listHeads,
} from './conversation-list.ts'
import {
  loadConversations,
  loadForRead,
  loadForSurvey,
  loadForView,
  proveAbsent,
} from './conversation-loader.ts'
import type { Conversation } from './conversation-state.ts'
import { readEvents, readPage } from './event-page.ts'
import { readFeed } from './feed-page.ts'
import type { Settings } from './settings.ts'
import { StoreDamagedError } from '../store/store.ts'
import { readInbox, readInboxReach, userInbox } from './inbox-page.ts'
import { readInboxPositions, readInboxPositionsOf } from './inbox-positions.ts'
import { largeHeads } from './large-heads.ts'
import { readProgress } from './member-progress.ts'
import { receiptsChanged } from './receipt-changes.ts'
import { countReceipts, readCursors, readReceipts } from './receipt-reads.ts'
import type {
  FeedPage,
  ConversationHead,
  ConversationList,
  ConversationProgress,
  ConversationView,
  DevicePosition,
  EventPage,
  InboxPage,
  InboxPosition,
  ListPosition,
  MemberReceipt,
  PushSubscription,
  ReceiptChange,
  ReceiptCounts,
  StateReader,
} from './types.ts'

type Read<T> = (state: ApplicationState, conversation: Conversation) => Promise<T>

const AUTHORS_PER_READ = 1_000

/**
 * Reads of the applied state (rule K4): each takes what is in memory first, synchronously, then the
 * rest from the store, where nothing that a read needs is ever overwritten. A read under way while a
 * snapshot takes over finishes on the old state.
 */
export class Reader implements StateReader {
  readonly #current: () => ApplicationState
  readonly #onDamage: (error: StoreDamagedError) => void

  constructor(
    current: () => ApplicationState,
    onDamage: (error: StoreDamagedError) => void = () => {},
  ) {
    this.#current = current
    this.#onDamage = onDamage
  }

  get appliedIndex(): number {
    return this.#current().appliedIndex
  }

  get logTime(): number {
    return this.#current().logTime
  }

  get stateHash(): string {
    return this.#current().hash.toString()
  }

  conversation(id: string, membersFrom = 0): Promise<ConversationView | null> {
    const view: Read<ConversationView> = async (_, found) => found.view(membersFrom)
    return this.#load(id, null, view, (state) => loadForView(state, id, membersFrom))
  }

  get level(): number {
    return this.#current().level
  }

  get settings(): Settings {
    return this.#current().settings
  }

  revokedBefore(user: string, device: string | null): Promise<number> {
    return this.#pinned((state) => state.revocations.before(user, device))
  }

  async isMember(id: string, user: string): Promise<boolean> {
    const read = this.#read(id, user, async (_, { members }) => members.isPresent(user))
    return (await read) === true
  }

  async wasMember(id: string, user: string): Promise<boolean> {
    const read = this.#read(id, user, async (_, { members }) => members.find(user) !== undefined)
    return (await read) === true
  }

  conversationsOf(
    user: string,
    limit: number,
    after: ListPosition | null = null,
  ): Promise<ConversationList> {
    assert(Number.isInteger(limit) && limit > 0, `a limit of ${limit}`)
    return this.#pinned((state) => listConversations(state, user, limit, after))
  }

  headsOf(user: string, limit: number): Promise<ConversationHead[]> {
    assert(Number.isInteger(limit) && limit >= 0, `a limit of ${limit}`)
    return this.#pinned((state) => listHeads(state, user, limit))
  }

  eventsAfter(id: string, user: string, after: number, limit: number): Promise<EventPage | null> {
    return this.#read(id, user, (state, conversation) =>
      readPage(state, conversation, user, { after, limit }),
    )
  }

  eventsBefore(id: string, user: string, before: number, limit: number): Promise<EventPage | null> {
    return this.#read(id, user, (state, conversation) =>
      readPage(state, conversation, user, { before, limit }),
    )
  }

  allEventsAfter(id: string, after: number, limit: number): Promise<EventPage | null> {
    return this.#read(id, null, (state, conversation) =>
      readPage(state, conversation, null, { after, limit }),
    )
  }

  async authorsBetween(
    id: string,
    from: number,
    upTo: number,
  ): Promise<{ seq: number; author: string }[]> {
    const first = Math.max(from, upTo - AUTHORS_PER_READ + 1)
    const events = await this.#read(id, null, (state, conversation) =>
      readEvents(state, conversation, first, Math.min(upTo, conversation.head), true),
    )
    return (events ?? [])
      .filter(({ view }) => view.kind === CommandKind.message)
      .map(({ seq, view }) => ({ seq, author: view.user }))
  }

  bodiesAfter(
    id: string,
    user: string,
    after: number,
    limit: number,
  ): Promise<{ seqs: number[]; next: number | null } | null> {
    return this.#read(id, null, async (state, conversation) => {
      const { head, firstSeq } = conversation
      const from = Math.max(after + 1, firstSeq)
      const to = Math.min(head, from + limit - 1)
      const events = from > to ? [] : await readEvents(state, conversation, from, to, false)
      const seqs: number[] = []
      for (const { seq, view } of events) {
        const says = view.kind === CommandKind.message || view.kind === CommandKind.edit
        if (!says || view.user !== user) continue
        if (!isGone(await state.amendments.read(conversation, seq))) seqs.push(seq)
      }
      const next = events.at(-1)?.seq ?? head
      return { seqs, next: next < head ? next : null }
    })
  }

  retainedConversations(after: string, limit: number): Promise<string[]> {
    assert(Number.isInteger(limit) && limit > 0, `a limit of ${limit}`)
    return this.#pinned((state) => state.retained.after(after, limit))
  }

  erasingUsers(after: string, limit: number): Promise<string[]> {
    assert(Number.isInteger(limit) && limit > 0, `a limit of ${limit}`)
    return this.#pinned((state) => state.erasing.after(after, limit))
  }

  isErasing(user: string): Promise<boolean> {
    return this.#pinned((state) => state.erasing.has(user))
  }

  conversationIdsOf(user: string): Promise<string[]> {
    return this.#pinned((state) => conversationIdsOf(state, user))
  }

  inboxHead(user: string): Promise<number | null> {
    return this.#pinned(async (state) => {
      const inbox = await userInbox(state, user)
      return inbox.isExhausted ? null : inbox.head
    })
  }

  inboxAfter(user: string, after: number, limit: number): Promise<InboxPage> {
    return this.#pinned((state) => readInbox(state, user, after, limit))
  }

  largeHeads(user: string): Promise<{ conv: string; seq: number }[]> {
    return this.#pinned((state) => largeHeads(state, user))
  }

  devicesOf(user: string): Promise<readonly DevicePosition[]> {
    return this.#pinned(async (state) => (await userInbox(state, user)).devices)
  }

  get hasPushSubscriptions(): boolean {
    return !this.#current().push.isEmpty
  }

  pushSubscriptions(user: string): Promise<readonly PushSubscription[]> {
    return this.#pinned((state) => state.push.of(user))
  }

  pushUsers(from: number): Promise<{ users: readonly string[]; next: number } | null> {
    return this.#pinned((state) => state.push.users(from))
  }

  receiptsChanged(user: string, after: number, limit: number): Promise<ReceiptChange[]> {
    return this.#pinned((state) => receiptsChanged(state, user, after, limit))
  }

  inboxReach(user: string, device: string, upTo: number): Promise<{ conv: string; seq: number }[]> {
    return this.#pinned((state) => readInboxReach(state, user, device, upTo))
  }

  get feedHead(): number {
    return this.#current().feed.head
  }

  feedAfter(after: number, limit: number): Promise<FeedPage> {
    return this.#pinned((state) => readFeed(state, after, limit))
  }

  receiptsOf(id: string): Promise<MemberReceipt[] | null> {
    return this.#readWhole(id, readReceipts)
  }

  receiptCounts(id: string, upTos: readonly number[]): Promise<ReceiptCounts | null> {
    return this.#readWhole(id, (state, found) => countReceipts(state, found, upTos))
  }

  async cursorsOf(id: string, user: string): Promise<{ delivered: number; read: number }> {
    const read = this.#read(id, user, (state, found) => readCursors(state, found, user))
    return (await read) ?? { delivered: 0, read: 0 }
  }

  progressOf(id: string, membersFrom: number): Promise<ConversationProgress | null> {
    assert(Number.isInteger(membersFrom) && membersFrom >= 0, `members from ${membersFrom} on`)
    return this.#load(
      id,
      null,
      (state, found) => readProgress(state, found, membersFrom),
      (state) => loadForView(state, id, membersFrom),
    )
  }

  get conversationCount(): number {
    return this.#current().numbers.count
  }

  progressAfter(after: number, limit: number): Promise<readonly ConversationProgress[]> {
    return this.#pinned(async (state) => {
      const count = Math.max(0, Math.min(limit, state.numbers.count - after))
      const ids = await state.numbers.ids(Array.from({ length: count }, (_, i) => after + i + 1))
      const found = await conversationsFor(state, ids, null, loadForSurvey)
      return Promise.all(found.map((conversation) => readProgress(state, conversation, 0)))
    })
  }

  get userCount(): number {
    return this.#current().users.count
  }

  newcomers(): Iterable<string> {
    return this.#current().users.newcomers()
  }

  inboxPositions(after: string | null, limit: number) {
    assert(Number.isInteger(limit) && limit > 0, `a limit of ${limit}`)
    return this.#pinned((state) => readInboxPositions(state, after, limit))
  }

  inboxPositionsOf(users: readonly string[]): Promise<readonly InboxPosition[]> {
    return this.#pinned((state) => readInboxPositionsOf(state, users))
  }

  /**
   * `null` if there is no such conversation, as far as what the store says of `user` can tell. `read`
   * begins before anything else can change it.
   */
  #read<T>(id: string, user: string | null, read: Read<T>): Promise<T | null> {
    return this.#load(id, user, read, (state) =>
      user === null ? loadForView(state, id, 0) : loadForRead(state, [id], user),
    )
  }

  /** With every member of a large conversation too. */
  #readWhole<T>(id: string, read: Read<T>): Promise<T | null> {
    return this.#load(id, null, read, (state) => loadConversations(state, [id]))
  }

  #load<T>(
    id: string,
    user: string | null,
    read: Read<T>,
    load: (state: ApplicationState) => Promise<(Conversation | null)[]>,
  ): Promise<T | null> {
    return this.#pinned(async (state) => {
      const hot = state.conversations.get(id)
      if (hot !== undefined) return read(state, hot)
      if (state.allInMemory) return null
      const [loaded] = await load(state)
      // It may have come into memory meanwhile, and have changed there.
      const conversation = state.conversations.get(id) ?? loaded ?? null
      if (conversation !== null) return read(state, conversation)
      if (user !== null) await proveAbsent(state, user, id)
      return null
    })
  }

  async #pinned<T>(read: (state: ApplicationState) => Promise<T>): Promise<T> {
    const state = this.#current()
    state.readers.enter()
    try {
      return await read(state)
    } catch (error) {
      if (!(error instanceof StoreDamagedError)) throw error
      return await this.#again(state, read)
    } finally {
      state.readers.leave()
    }
  }

  /** What is let go of under a slow read is no damage: a second look does not ask for it. What is, is told. */
  async #again<T>(
    state: ApplicationState,
    read: (state: ApplicationState) => Promise<T>,
  ): Promise<T> {
    try {
      return await read(state)
    } catch (error) {
      if (error instanceof StoreDamagedError && state === this.#current()) this.#onDamage(error)
      throw error
    }
  }
}
