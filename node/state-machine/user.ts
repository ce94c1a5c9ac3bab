import { assert } from '#cluster'
import type { ColdObjects } from './cold-objects.ts'
import type { Conversation } from './conversation-state.ts'
import type { DirtySet } from './dirty-set.ts'
import { InboxPages } from './inbox-pages.ts'
import { INBOX_PAGE } from './inbox-runs.ts'
import type { StateLimits } from './limits.ts'
import { isPresent, type Member } from './members.ts'
import { ObjectTable } from './object-table.ts'
import type { Settings } from './settings.ts'
import type { Store } from '../store/store.ts'
import { LAST_INBOX, USER_INBOX, type UserInbox } from './user-inbox.ts'

/** One first join; ascending in time. */
export interface Join {
  readonly user: string
  readonly conversation: string
  /** In its list of members. */
  readonly position: number
}

/** What an inbox weighs beside the commands that changed it, for the bound of unwritten bytes. */
const INBOX_BYTES = 64
const PAGE_BYTES = 128
/** Pages that go for one that comes, at most: a lowered setting takes its time. */
const DROPS_PER_PAGE = 8

/**
 * The `user` side of apply (rule A10): which conversations a user is or was a member of, and his
 * inbox. It is told of each first join and of each event, and reads nothing but the users concerned,
 * so that a message in a log may one day stand between the two sides.
 */
export class Users {
  readonly inboxes: ObjectTable<UserInbox>
  readonly pages = new InboxPages()
  readonly #settings: () => Settings
  readonly #dirty: DirtySet
  /** Users that have an inbox, in memory or not. */
  #count: number
  #fresh: Join[] = []
  #frozen: readonly Join[] = []

  constructor(options: {
    readonly store: Store
    readonly limits: StateLimits
    readonly dirty: DirtySet
    readonly settings: () => Settings
    readonly count: number
  }) {
    this.inboxes = new ObjectTable(USER_INBOX, options.store, options.limits.inboxes)
    this.#settings = options.settings
    this.#dirty = options.dirty
    this.#count = options.count
  }

  get count(): number {
    return this.#count
  }

  /** A user whose inbox memory does not hold has none. */
  get allInMemory(): boolean {
    return this.inboxes.size === this.#count
  }

  /** A first join. `cold` says whose inbox the store was asked for in vain. */
  joined(member: Member, conversation: string, cold: ColdObjects): void {
    const { user, position } = member
    this.#fresh.push({ user, conversation, position })
    let inbox = this.inboxes.get(user)
    if (inbox === undefined) {
      assert(this.allInMemory || cold.isAbsentUser(user), `the inbox of ${user} was not prefetched`)
      inbox = this.inboxes.create(user)
      inbox.exists = true
      this.#count += 1
      this.#touch(inbox)
    }
    member.inbox = inbox
  }

  /**
   * Gives the newest event of a small conversation the next number of each present member's inbox.
   * Returns a sum over all numbers given, for the state hash.
   */
  deliver({ number, head, members }: Conversation): number {
    let sum = 0
    const { list } = members
    for (let i = 0; i < list.length; i += 1) {
      const member = list[i]!
      if (!isPresent(member)) continue
      const inbox = this.inboxOf(member)
      if (inbox.head <= LAST_INBOX) {
        this.#touch(inbox)
        if (inbox.take(number, head)) this.#endPage(inbox)
      }
      sum = (Math.imul(sum, 31) + inbox.head) | 0
    }
    return sum
  }

  /** From its next event on the conversation is left out of inboxes: its present members are told. */
  becameLarge({ number, members }: Conversation): void {
    for (const member of members.list) if (isPresent(member)) this.joinedLarge(member, number)
  }

  /** The member is present in the large conversation with that number. */
  joinedLarge(member: Member, number: number): void {
    const inbox = this.inboxOf(member)
    if (inbox.large.includes(number)) return
    this.#touch(inbox)
    inbox.large = [...inbox.large, number]
  }

  /** For apply only: of a member that prefetch brought in. */
  inboxOf(member: Member): UserInbox {
    let { inbox } = member
    if (inbox === null || inbox.gone) {
      inbox = this.inboxes.need(member.user)
      member.inbox = inbox
    } else inbox.used = true
    return inbox
  }

  /** For prefetch: whether memory holds the member's inbox. */
  hasInbox(member: Member): boolean {
    if (member.inbox === null || member.inbox.gone) {
      member.inbox = this.inboxes.get(member.user) ?? null
      return member.inbox !== null
    }
    member.inbox.used = true
    return true
  }

  /**
   * The device has the user's inbox up to there, durably: its cursor only rises, never above the
   * head, and stays until the device was not heard of for `deviceExpiryMs`. Returns the cursor, or
   * `null` if the user is in no conversation. Prefetch must have loaded his inbox.
   */
  deviceCursor(user: string, device: string, upTo: number, logTime: number): number | null {
    const inbox = this.inboxes.get(user)
    if (inbox === undefined) return null
    this.#touch(inbox)
    const { devices, deviceExpiryMs } = this.#settings()
    const known = inbox.devices.find((each) => each.device === device)
    const cursor = Math.max(known?.inbox ?? 0, Math.min(upTo, inbox.head, LAST_INBOX))
    const others = inbox.devices.filter(
      (each) => each.device !== device && each.seen > logTime - deviceExpiryMs,
    )
    const kept = [...others, { device, inbox: cursor, seen: logTime }]
    inbox.devices = kept.slice(Math.max(0, kept.length - Math.max(1, devices)))
    return cursor
  }

  /**
   * Conversation → position of joins that the store may not show yet: a walk, as they are few and
   * listing is rare.
   */
  unwritten(user: string): Map<string, number> {
    const found = new Map<string, number>()
    for (const joins of [this.#frozen, this.#fresh]) {
      for (const join of joins) if (join.user === user) found.set(join.conversation, join.position)
    }
    return found
  }

  /** Users who came into a conversation of late, again and again if into several: no cut holds that yet. */
  *newcomers(): Generator<string> {
    for (const joins of [this.#frozen, this.#fresh]) for (const { user } of joins) yield user
  }

  freeze(): readonly Join[] {
    this.#frozen = this.#fresh
    this.#fresh = []
    return this.#frozen
  }

  completed(): void {
    this.#frozen = []
  }

  #touch(inbox: UserInbox): void {
    if (this.inboxes.touch(inbox)) this.#dirty.addBytes(INBOX_BYTES)
  }

  #endPage(inbox: UserInbox): void {
    const page = inbox.head / INBOX_PAGE - 1
    const bytes = inbox.endPage()
    this.pages.add(inbox.id, page, bytes)
    this.#dirty.addBytes(bytes.length + PAGE_BYTES)
    const kept = Math.max(1, Math.ceil(this.#settings().inboxEntries / INBOX_PAGE))
    const first = Math.min(page + 1 - kept, inbox.firstPage + DROPS_PER_PAGE)
    while (inbox.firstPage < first) {
      this.pages.drop(inbox.id, inbox.firstPage)
      inbox.firstPage += 1
    }
  }
}
