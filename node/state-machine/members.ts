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

/** Members of one record in the store, in the order they first came. */
const SHARD_MEMBERS = 64

/** Beyond this many a name is found through an index instead of a walk. */
const WALK_UP_TO = 8

/** An interval without an end: the member is present. */
export const OPEN = Number.POSITIVE_INFINITY

/** A present or past member: visible intervals are kept after leaving (rule B7). */
export interface Member {
  readonly user: string
  /** In the list of members: for good, as nobody ever leaves the list. */
  readonly position: number
  readonly role: MemberRole
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

/**
 * The members of one conversation, in the order they first came: nobody leaves the list, so a
 * position in it is for good, and a change concerns one shard of `SHARD_MEMBERS` of them.
 */
export class Members {
  list: Member[]
  present = 0
  owners = 0
  #index: Map<string, Member> | null = null
  /** If only some of them are here (`decodeSome`): how many the list has. */
  #listed: number | null = null
  /** Generation in which each shard last changed. */
  #firstGeneration = 0
  #generations: number[] | null = null

  constructor(list: Member[] = []) {
    this.list = list
  }

  /** Places that the list has, or will have with a newcomer. */
  positionOf(user: string): number {
    return this.find(user)?.position ?? this.list.length
  }

  /** Call before any change of the member at that position. */
  touch(position: number, generation: number): void {
    const shard = shardOf(position)
    if (shard === 0) this.#firstGeneration = generation
    else (this.#generations ??= [])[shard] = generation
  }

  /** Whoever is or was a member. */
  get listed(): number {
    return this.#listed ?? this.list.length
  }

  get isWhole(): boolean {
    return this.#listed === null
  }

  /** Generation in which the shard last changed, 0 if it is as in the store. */
  generationOf(shard: number): number {
    return (shard === 0 ? this.#firstGeneration : this.#generations?.[shard]) ?? 0
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
    this.#setRole(member, role)
    if (role === 'owner') this.owners += 1
    member.left = null
    const { visible } = member
    // Back with the very next event: one interval, no empty gap in between.
    if (seq === 1 || withHistory) member.visible = FROM_THE_FIRST
    else if (visible.at(-1)! + 1 === seq) member.visible = [...visible.slice(0, -1), OPEN]
    else member.visible = visible.concat([seq, OPEN])
    this.present += 1
    return { member, isFirst }
  }

  setRole(user: string, role: MemberRole): void {
    const member = this.find(user)
    assert(member !== undefined && isPresent(member), `${user} gets a role without being there`)
    if (member.role === 'owner') this.owners -= 1
    if (role === 'owner') this.owners += 1
    this.#setRole(member, role)
  }

  /** Sees the event at `seq` still, and nothing after it. */
  leave(user: string, seq: number, left: NonNullable<Member['left']>): void {
    const member = this.find(user)
    assert(member !== undefined && isPresent(member), `${user} leaves without being there`)
    this.setRole(user, 'member')
    member.visible = [...member.visible.slice(0, -1), seq]
    member.left = left
    this.present -= 1
  }

  /** The shard as it stands in the store, if the list has `count` members. */
  encode(shard: number, count = this.list.length): Uint8Array {
    const first = shard * SHARD_MEMBERS
    const members = this.list.slice(first, Math.min(count, first + SHARD_MEMBERS))
    const writer = new ByteWriter(32 * members.length + 8).varint(members.length)
    for (const { user, role, visible, left, blocks } of members) {
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

  /** From all shards in their order. */
  static decode(shards: readonly Uint8Array[]): Members {
    const members = new Members()
    for (const [shard, bytes] of shards.entries()) members.#read(shard, bytes)
    members.#buildIndex()
    return members
  }

  /**
   * From some shards only: finds no others, but has the counts of all. For reads of conversations
   * with very many members; apply has them all.
   */
  static decodeSome(
    shards: ReadonlyMap<number, Uint8Array>,
    present: number,
    listed: number,
  ): Members {
    const members = new Members()
    for (const [shard, bytes] of shards) members.#read(shard, bytes)
    members.#buildIndex()
    members.present = present
    members.#listed = listed
    return members
  }

  #read(shard: number, bytes: Uint8Array): void {
    const reader = new ByteReader(bytes)
    const count = reader.varint()
    assert(count * LEAST_BYTES <= reader.remaining, `${count} members are not there`)
    assert(count <= SHARD_MEMBERS, `${count} members stand in one shard`)
    for (let i = 0; i < count; i += 1) {
      const user = reader.string()
      const role = roleOf(reader.u8())
      const visible = readVisible(reader)
      const flags = reader.u8()
      const logTime = (flags & 1) === 0 ? 0 : reader.varint()
      const ord = (flags & 1) === 0 ? 0 : reader.varint()
      const name = (flags & 2) === 0 ? null : reader.string()
      const left = (flags & 1) === 0 ? null : { logTime, ord, name }
      const member = newMember(user, shard * SHARD_MEMBERS + i, role, visible, left)
      member.blocks = (flags & 4) !== 0
      this.list.push(member)
      if (!isPresent(member)) continue
      this.present += 1
      if (role === 'owner') this.owners += 1
    }
    reader.end('a member list')
  }

  #setRole(member: Member, role: MemberRole): void {
    ;(member as { role: MemberRole }).role = role
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

export function shardOf(position: number): number {
  return Math.floor(position / SHARD_MEMBERS)
}

/** How many shards a list of so many members has. */
export function shardsOf(count: number): number {
  return Math.ceil(count / SHARD_MEMBERS)
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
