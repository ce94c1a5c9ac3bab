import { DEFAULT_SETTINGS, type Settings } from '../../state-machine/settings.ts'
import type {
  ConversationEvent,
  ConversationHead,
  ConversationList,
  ConversationProgress,
  ConversationView,
  DevicePosition,
  EventPage,
  FeedEntry,
  FeedPage,
  InboxEvent,
  InboxPage,
  InboxPosition,
  ListPosition,
  MemberReceipt,
  PushSubscription,
  ReceiptChange,
  ReceiptCounts,
  StateReader,
} from '../../state-machine/types.ts'

/** An applied state that says what it is told. */
export class FakeState implements StateReader {
  appliedIndex = 10
  logTime = 5_000
  stateHash = 'hash'
  conversations = new Map<string, ConversationView>()
  events = new Map<string, ConversationEvent[]>()
  /** By user; the inbox number is the place in the list, counted from 1. */
  inboxes = new Map<string, Omit<InboxEvent, 'inbox'>[]>()
  /** Users without a number left. */
  readonly exhausted = new Set<string>()
  heads = new Map<string, { conv: string; seq: number }[]>()
  devices = new Map<string, DevicePosition[]>()
  receipts = new Map<string, MemberReceipt[]>()
  inboxGap: InboxPage['gap'] = null
  /** While set, reads of inboxes wait for it. */
  slowInbox: Promise<void> | null = null
  /** Set to have every read fail. */
  failure: Error | null = null
  gap: EventPage['gap'] = null
  /** Users that never were members of anything. */
  readonly strangers = new Set<string>()
  settings: Settings = DEFAULT_SETTINGS
  level = 2
  readonly subscriptions = new Map<string, PushSubscription[]>()
  /** By user, for every device. */
  readonly revoked = new Map<string, number>()

  feedHead = 0
  feed: FeedEntry[] = []
  feedGap: FeedPage['gap'] = null

  async feedAfter(after: number, limit: number): Promise<FeedPage> {
    const entries = this.feed.filter(({ number }) => number > after).slice(0, limit)
    const next = entries.at(-1)?.number ?? after
    return { entries, next, head: this.feedHead, gap: this.feedGap }
  }

  get hasPushSubscriptions(): boolean {
    return this.subscriptions.size > 0
  }

  async pushSubscriptions(user: string): Promise<readonly PushSubscription[]> {
    return this.subscriptions.get(user) ?? []
  }

  async pushUsers(from: number): Promise<{ users: string[]; next: number } | null> {
    const users = [...this.subscriptions.keys()].slice(from)
    return users.length === 0 ? null : { users, next: from + users.length }
  }

  async conversation(id: string): Promise<ConversationView | null> {
    if (this.failure !== null) throw this.failure
    return this.conversations.get(id) ?? null
  }

  /** Of what operators look at it holds nothing. */
  readonly conversationCount = 0
  readonly userCount = 0

  async progressOf(): Promise<null> {
    return null
  }

  async progressAfter(): Promise<readonly ConversationProgress[]> {
    return []
  }

  async inboxPositions() {
    return { positions: [], next: null }
  }

  newcomers(): readonly string[] {
    return []
  }

  async inboxPositionsOf(): Promise<readonly InboxPosition[]> {
    return []
  }

  async isMember(id: string, user: string): Promise<boolean> {
    return this.conversations.get(id)?.members.some((member) => member.user === user) ?? false
  }

  async wasMember(_id: string, user: string): Promise<boolean> {
    return !this.strangers.has(user)
  }

  async revokedBefore(user: string): Promise<number> {
    if (this.failure !== null) throw this.failure
    return this.revoked.get(user) ?? 0
  }

  #viewsOf(user: string): ConversationView[] {
    return [...this.conversations.values()].filter((view) =>
      view.members.some((member) => member.user === user),
    )
  }

  /** In the order they were set, each changed at 7. */
  async conversationsOf(
    user: string,
    limit: number,
    after: ListPosition | null = null,
  ): Promise<ConversationList> {
    const all = this.#viewsOf(user)
    const rest = all.slice(all.findIndex(({ id }) => id === after?.id) + 1)
    const conversations = rest.slice(0, limit)
    const last = conversations.at(-1)
    const next = last === undefined || last === rest.at(-1) ? null : { changedAt: 7, id: last.id }
    return { conversations, next }
  }

  async headsOf(user: string, limit: number): Promise<ConversationHead[]> {
    const views = this.#viewsOf(user).slice(0, limit)
    return views.map(({ id, large, head, ord }) => ({ id, large, head, ord }))
  }

  async eventsAfter(id: string, _: string, after: number, limit: number) {
    if (this.failure !== null) throw this.failure
    const all = this.events.get(id)
    if (all === undefined) return null
    const rest = all.filter((event) => event.seq > after)
    return this.#page(rest.slice(0, limit), rest.length > limit, after)
  }

  allEventsAfter(id: string, after: number, limit: number) {
    return this.eventsAfter(id, '', after, limit)
  }

  async authorsBetween(id: string, from: number, upTo: number) {
    if (this.failure !== null) throw this.failure
    const all = this.events.get(id) ?? []
    return all
      .filter(({ seq }) => seq >= from && seq <= upTo)
      .map(({ seq, from: author }) => ({ seq, author }))
  }

  async bodiesAfter() {
    return null
  }

  async retainedConversations(after: string, limit: number): Promise<string[]> {
    const retained = [...this.conversations.values()].filter(({ retention }) => retention !== null)
    const ids = retained.map(({ id }) => id).sort()
    return ids.filter((id) => id > after).slice(0, limit)
  }

  async erasingUsers(): Promise<string[]> {
    return []
  }

  async isErasing(): Promise<boolean> {
    return false
  }

  async conversationIdsOf(user: string): Promise<string[]> {
    return this.#viewsOf(user).map(({ id }) => id)
  }

  async eventsBefore(id: string, _: string, before: number, limit: number) {
    const all = this.events.get(id)
    if (all === undefined) return null
    const rest = all.filter((event) => event.seq < before)
    const events = rest.slice(-limit)
    const hasMore = rest.length > limit
    return { events, next: events[0]?.seq ?? before, upTo: before - 1, hasMore, gap: this.gap }
  }

  /** Gives the event the user's next inbox number. */
  entered(user: string, conv: string, event: ConversationEvent): number {
    const entries = this.inboxes.get(user) ?? []
    this.inboxes.set(user, entries)
    return entries.push({ conv, seq: event.seq, event })
  }

  async inboxHead(user: string): Promise<number | null> {
    if (this.failure !== null) throw this.failure
    return this.exhausted.has(user) ? null : (this.inboxes.get(user)?.length ?? 0)
  }

  async inboxAfter(user: string, after: number, limit: number): Promise<InboxPage> {
    if (this.failure !== null) throw this.failure
    const all = (this.inboxes.get(user) ?? []).map((entry, i) => ({ ...entry, inbox: i + 1 }))
    const entries = all.slice(after, after + limit)
    await this.slowInbox
    const next = entries.at(-1)?.inbox ?? after
    return { entries, next, upTo: all.length, hasMore: next < all.length, gap: this.inboxGap }
  }

  async largeHeads(user: string): Promise<{ conv: string; seq: number }[]> {
    return this.heads.get(user) ?? []
  }

  async devicesOf(user: string): Promise<readonly DevicePosition[]> {
    return this.devices.get(user) ?? []
  }

  async receiptsChanged(user: string, after: number, limit: number): Promise<ReceiptChange[]> {
    const changes = [...this.receipts].flatMap(([conv, all]) =>
      all
        .filter((each) => each.user !== user && each.changedIndex > after)
        .map((each) => ({
          conv,
          user: each.user,
          kind: 'delivered' as const,
          upTo: each.delivered,
        })),
    )
    return changes.slice(0, limit)
  }

  async inboxReach(user: string, device: string, upTo: number) {
    const from = this.devices.get(user)?.find((each) => each.device === device)?.inbox ?? 0
    const newest = new Map<string, number>()
    const covered = (this.inboxes.get(user) ?? []).slice(from, upTo)
    for (const { conv, seq } of covered) newest.set(conv, seq)
    return Array.from(newest, ([conv, seq]) => ({ conv, seq }))
  }

  async receiptsOf(id: string): Promise<MemberReceipt[] | null> {
    return this.receipts.get(id) ?? null
  }

  async receiptCounts(id: string, upTos: readonly number[]): Promise<ReceiptCounts | null> {
    const all = this.receipts.get(id)
    if (all === undefined) return null
    const count = (of: 'delivered' | 'read') =>
      upTos.map((upTo) => all.filter((receipt) => receipt[of] >= upTo).length)
    return { members: all.length, delivered: count('delivered'), read: count('read') }
  }

  async cursorsOf(id: string, user: string): Promise<{ delivered: number; read: number }> {
    const found = this.receipts.get(id)?.find((receipt) => receipt.user === user)
    return { delivered: found?.delivered ?? 0, read: found?.read ?? 0 }
  }

  #page(events: ConversationEvent[], hasMore: boolean, after: number): EventPage {
    const next = events.at(-1)?.seq ?? after
    return { events, next, upTo: next, hasMore, gap: this.gap }
  }
}
