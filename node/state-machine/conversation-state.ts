import { assert } from '#cluster'
import type { RetentionPolicy } from './commands.ts'
import { Members, isPresent } from './members.ts'
import type { AppliedConversation, ConversationView, MemberView } from './types.ts'

const NOTHING: readonly number[] = []

/** Of a large conversation a view shows the members of so many positions in its list. */
export const VIEW_POSITIONS = 512

/** Head fields as they were when the generation being written was frozen (rule K3). */
export interface FrozenHead {
  readonly head: number
  readonly ord: number
  readonly lastAt: number
  readonly lastLogTime: number
  readonly unlisted: number
  readonly large: boolean
  /** Present members, and those listed: whoever was one ever. */
  readonly present: number
  readonly listed: number
  readonly name: string | null
  readonly meta: Uint8Array | null
  readonly firstSeq: number
  readonly retention: RetentionPolicy | null
  readonly history: boolean
  readonly amended: readonly number[]
}

/**
 * One conversation in memory. Only apply changes what the log decides; only the checkpointer changes
 * what says where it is stored; events themselves stand in the hot tail.
 */
export class Conversation implements AppliedConversation, FrozenHead {
  readonly id: string
  readonly kind: 'direct' | 'group'
  readonly createdAt: number
  /** Names it in inboxes. */
  readonly number: number
  members: Members
  /** The newest seq, 0 before the first event. */
  head = 0
  /** Messages among the events up to `head`. */
  ord = 0
  /** Display time of the newest event: the next one is never before it (rule A8). */
  lastAt = 0
  lastLogTime = 0
  /** The newest seq that took no inbox entries, 0 if each did (rule B3). */
  unlisted = 0
  /** Events take no inbox entries: it has, or had of late, many members (rule B3). */
  large = false
  name: string | null = null
  meta: Uint8Array | null = null
  /** Retention took away what is below; above `head` if it took everything. */
  firstSeq = 1
  /** `null`: everything is kept. */
  retention: RetentionPolicy | null = null
  /** Who joins sees what was there before (rule B7). */
  history = false
  /** Runs of blocks that say what became of events (`amendments.ts`): first, last, first, last, … */
  amended: readonly number[] = NOTHING

  /** Prefix of every key hash of this conversation. */
  readonly hashHigh: number
  readonly hashLow: number

  /** Number in the hot tail of the event after `coldHead`, if there is one: most have no more. */
  #firstHot = -1
  /** Numbers of the events after that one, from `tailStart` on. */
  #tail = NOTHING as number[]
  #tailStart = 0
  /** Events up to this seq are in the store only. */
  coldHead = 0
  /** Log time of the event at `coldHead`: none before it is newer. */
  coldLogTime = 0

  /** Events up to this seq are in chunks already written or being written. */
  writtenHead = 0
  /** Newest extents, three numbers each (`extents.ts`); older ones fill pages in the store. */
  extents: readonly number[] = NOTHING
  /** How many of the oldest `extents` stand in a page of the newest cut too. */
  pagedExtents = 0
  /** Generation in which it last changed; 0: as in the store. */
  dirtyGeneration = 0
  /** Generation that it was last encoded for. */
  encodedGeneration = 0
  /** Generation in which the members last changed. */
  membersGeneration = 0
  /** The members have records of their own, as they are too many for the head. */
  membersApart = false
  frozen: FrozenHead | null = null
  /** Shards of members as they were when `frozen` was, of those that changed since. */
  frozenShards: Map<number, { readonly bytes: Uint8Array; readonly changed: boolean }> | null = null
  /** Looked at since the evicting hand last passed. */
  used = true

  constructor(options: {
    id: string
    kind: 'direct' | 'group'
    createdAt: number
    number: number
    hashHigh: number
    hashLow: number
    members?: Members
  }) {
    this.id = options.id
    this.kind = options.kind
    this.createdAt = options.createdAt
    this.number = options.number
    this.hashHigh = options.hashHigh
    this.hashLow = options.hashLow
    this.members = options.members ?? new Members()
  }

  get memberCount(): number {
    return this.members.present
  }

  get present(): number {
    return this.members.present
  }

  get listed(): number {
    return this.members.listed
  }

  isMember(user: string): boolean {
    return this.members.isPresent(user)
  }

  forEachMember(visit: (user: string, inbox: number | null) => void): void {
    const { large } = this
    for (const member of this.members.list) {
      if (!isPresent(member)) continue
      const { user, inbox } = member
      // An event is told before another one is applied: the newest number is the one that it got.
      visit(user, large || inbox === null ? null : inbox.number)
    }
  }

  /** The next event's number in the hot tail. */
  pushHot(eventNumber: number): void {
    if (this.#firstHot < 0) this.#firstHot = eventNumber
    // `push` makes room for seventeen, and most tails hold a few; `concat` for what there is.
    else if (this.#tail.length < 4) this.#tail = this.#tail.concat([eventNumber])
    else this.#tail.push(eventNumber)
    assert(
      this.coldHead + 1 + this.#tail.length - this.#tailStart === this.head,
      `the hot tail of ${this.id} has a hole`,
    )
  }

  /** Hot-tail number of the event, -1 if it is in the store only. */
  hotNumber(seq: number): number {
    if (seq <= this.coldHead || seq > this.head) return -1
    const at = seq - this.coldHead - 1
    return at === 0 ? this.#firstHot : this.#tail[this.#tailStart + at - 1]!
  }

  /** The oldest hot event left memory. */
  popHot(seq: number, logTime: number): void {
    assert(seq === this.coldHead + 1 && seq <= this.writtenHead, 'an unwritten event is evicted')
    this.coldHead = seq
    this.coldLogTime = logTime
    if (this.#tailStart === this.#tail.length) {
      this.#firstHot = -1
      return
    }
    this.#firstHot = this.#tail[this.#tailStart]!
    this.#tailStart += 1
    if (this.#tailStart === this.#tail.length) {
      this.#tail = NOTHING as number[]
      this.#tailStart = 0
    } else if (this.#tailStart >= 64 && this.#tailStart * 2 >= this.#tail.length) {
      this.#tail = this.#tail.slice(this.#tailStart)
      this.#tailStart = 0
    }
  }

  view(membersFrom = 0): ConversationView {
    const { id, kind, name, meta, head, ord, createdAt, large, memberCount, listed } = this
    const { firstSeq, retention, history } = this
    const members: MemberView[] = []
    for (const member of this.members.list) {
      if (large && member.position < membersFrom) continue
      if (large && member.position >= membersFrom + VIEW_POSITIONS) break
      const { user, role, blocks } = member
      if (isPresent(member)) members.push({ user, role, blocks })
    }
    const settings = { name, meta, retention, history }
    const end = membersFrom + VIEW_POSITIONS
    const size = { large, memberCount, nextMembers: large && end < listed ? end : null }
    return { id, kind, ...settings, members, head, ord, createdAt, firstSeq, ...size }
  }
}
