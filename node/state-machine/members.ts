import { assert } from '#cluster'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { ROLE_NUMBERS } from './command-view.ts'
import type { MemberRole } from './types.ts'
import type { UserInbox } from './user-inbox.ts'

/** Shared by everybody who is there from the first event on and never left: most members. */
const FROM_THE_FIRST: readonly number[] = [1, Number.POSITIVE_INFINITY]

/** What a member takes in a record. */
const LEAST_BYTES = 4

/** Beyond this many a name is found through an index instead of a walk. */
const WALK_UP_TO = 8

/** An interval without an end: the member is present. */
export const OPEN = Number.POSITIVE_INFINITY

/** A present or past member: visible intervals are kept after leaving (rule B7). */
export interface Member {
  readonly user: string
  /** In the list of members: for good, as nobody ever leaves the list. */
  readonly position: number
  role: MemberRole
  /** Visible seqs as from, to, from, to, …, ascending, inclusive; the last `to` may be `OPEN`. */
  visible: readonly number[]
  /** What the conversation was when the member last left it; `null` before and while present. */
  left: { readonly logTime: number; readonly ord: number; readonly name: string | null } | null
  /** Of a direct conversation: takes no messages of the other side. */
  blocks: boolean
  /** Latest accepted write while in memory, so that a following `prev` needs no look-up. */
  lastMsgId: string
  lastLogTime: number
  /** His inbox if it was looked up; see `Users.inboxOf`. */
  inbox: UserInbox | null
}

/** The members of one conversation, in the order they first came. */
export class Members {
  list: Member[]
  present = 0
  #index: Map<string, Member> | null = null

  constructor(list: Member[] = []) {
    this.list = list
  }

  find(user: string): Member | undefined {
    if (this.#index !== null) return this.#index.get(user)
    for (const member of this.list) if (member.user === user) return member
    return undefined
  }

  isPresent(user: string): boolean {
    const member = this.find(user)
    return member !== undefined && isPresent(member)
  }

  owners(): number {
    let owners = 0
    for (const member of this.list) if (member.role === 'owner' && isPresent(member)) owners += 1
    return owners
  }

  /** Present from `seq` on, or, with its history, from the first event on. */
  join(
    user: string,
    role: MemberRole,
    seq: number,
    withHistory = false,
  ): { member: Member; isFirst: boolean } {
    let member = this.find(user)
    const isFirst = member === undefined
    if (member === undefined) {
      member = newMember(user, this.list.length, role, [], null)
      this.#push(member)
    }
    assert(!isPresent(member), `${user} joins twice`)
    member.role = role
    member.left = null
    const { visible } = member
    // Back with the very next event: one interval, no empty gap in between.
    if (seq === 1 || withHistory) member.visible = FROM_THE_FIRST
    else if (visible.at(-1)! + 1 === seq) member.visible = [...visible.slice(0, -1), OPEN]
    else member.visible = visible.concat([seq, OPEN])
    this.present += 1
    return { member, isFirst }
  }

  /** Sees the event at `seq` still, and nothing after it. */
  leave(user: string, seq: number, left: NonNullable<Member['left']>): void {
    const member = this.find(user)
    assert(member !== undefined && isPresent(member), `${user} leaves without being there`)
    member.visible = [...member.visible.slice(0, -1), seq]
    member.role = 'member'
    member.left = left
    this.present -= 1
  }

  encode(): Uint8Array {
    const writer = new ByteWriter(32 * this.list.length + 8).varint(this.list.length)
    for (const { user, role, visible, left, blocks } of this.list) {
      writer.string(user).u8(ROLE_NUMBERS[role]).varint(visible.length)
      for (const seq of visible) writer.varint(seq === OPEN ? 0 : seq)
      const leftFlags = (left === null ? 0 : 1) | ((left?.name ?? null) === null ? 0 : 2)
      writer.u8(leftFlags | (blocks ? 4 : 0))
      if (left !== null) writer.varint(left.logTime).varint(left.ord)
      const leftName = left?.name ?? null
      if (leftName !== null) writer.string(leftName)
    }
    return writer.toBytes()
  }

  static decode(bytes: Uint8Array): Members {
    const reader = new ByteReader(bytes)
    const count = reader.varint()
    assert(count * LEAST_BYTES <= reader.remaining, `${count} members are not there`)
    const members = new Members(new Array<Member>(count))
    for (let i = 0; i < count; i += 1) {
      const user = reader.string()
      const role = roleOf(reader.u8())
      const visible = readVisible(reader)
      const flags = reader.u8()
      const logTime = (flags & 1) === 0 ? 0 : reader.varint()
      const ord = (flags & 1) === 0 ? 0 : reader.varint()
      const name = (flags & 2) === 0 ? null : reader.string()
      const left = (flags & 1) === 0 ? null : { logTime, ord, name }
      const member = newMember(user, i, role, visible, left)
      member.blocks = (flags & 4) !== 0
      members.list[i] = member
      if (isPresent(member)) members.present += 1
    }
    reader.end('a member list')
    members.#buildIndex()
    return members
  }

  #push(member: Member): void {
    // `push` makes room for seventeen, where two are the rule; `concat` for what there is.
    if (this.list.length < 2) this.list = this.list.concat([member])
    else this.list.push(member)
    if (this.#index !== null) this.#index.set(member.user, member)
    else this.#buildIndex()
  }

  #buildIndex(): void {
    if (this.list.length <= WALK_UP_TO) return
    this.#index = new Map(this.list.map((each) => [each.user, each]))
  }
}

function newMember(
  user: string,
  position: number,
  role: MemberRole,
  visible: readonly number[],
  left: Member['left'],
): Member {
  const fresh = { blocks: false, lastMsgId: '', lastLogTime: 0, inbox: null }
  return { user, position, role, visible, left, ...fresh }
}

export function isPresent(member: Member): boolean {
  return member.visible[member.visible.length - 1] === OPEN
}

export function isVisible(member: Member, seq: number): boolean {
  const { visible } = member
  for (let i = 0; i < visible.length; i += 2) {
    if (seq >= visible[i]! && seq <= visible[i + 1]!) return true
  }
  return false
}

function readVisible(reader: ByteReader): readonly number[] {
  const seqs = reader.varint()
  if (seqs === 2) {
    const from = reader.varint()
    const to = reader.varint() || OPEN
    return from === 1 && to === OPEN ? FROM_THE_FIRST : [from, to]
  }
  const visible: number[] = []
  for (let rest = seqs; rest > 0; rest -= 1) visible.push(reader.varint() || OPEN)
  return visible.slice()
}

function roleOf(number: number): MemberRole {
  for (const role of ['owner', 'admin', 'member'] as const) {
    if (ROLE_NUMBERS[role] === number) return role
  }
  assert(false, `unknown role ${number}`)
}
