import type {
  Command,
  ConversationOperation,
  CursorsCommand,
  KeyedCommand,
  Removal,
} from './commands.ts'
import { CommandKind } from './commands.ts'
import { directConversationId, groupConversationId } from './conversation-id.ts'
import { ModelPush } from './model-push.ts'
import { ModelInboxes } from './model-inboxes.ts'
import { settingsFault } from './settings.ts'

/**
 * The rules written down a second time, as plainly as they can be: lists, walks and copies, no
 * memory to save. What the tests compare the state machine with.
 */
export interface ModelEvent {
  readonly seq: number
  readonly ord: number
  readonly at: number
  readonly kind: 'message' | 'edit' | 'other'
  readonly from: string
  readonly msgId: string
  /** What it says now, in hexadecimal; only of messages and edits. */
  body: string | null
  readonly target: number | null
  edited: number | null
  recalled: boolean
  expired: boolean
}

export type ModelAnswer =
  | {
      readonly conv: string
      readonly seq: number
      readonly at: number
      readonly duplicate: boolean
    }
  | { readonly code: string }

interface ModelMember {
  role: string
  intervals: [number, number][]
  blocks: boolean
}

interface ModelConversation {
  readonly kind: 'direct' | 'group'
  readonly createdAt: number
  readonly events: ModelEvent[]
  readonly members: Map<string, ModelMember>
  readonly cursors: Map<string, ModelCursors>
  history: boolean
  firstSeq: number
}

interface ModelCursors {
  readonly delivered: number
  readonly read: number
}

interface ModelResult {
  readonly scope: string
  readonly user: string
  readonly msgId: string
  readonly time: number
  /** `null` agrees with everything. */
  readonly content: string | null
  readonly answer: { conv: string; seq: number; at: number } | { code: string }
  readonly creates: boolean
}

export class Model {
  readonly conversations = new Map<string, ModelConversation>()
  readonly #results: ModelResult[] = []
  /** By user and device; '' for all devices. */
  readonly revoked = new Map<string, number>()
  readonly inboxes: ModelInboxes
  readonly push = new ModelPush()
  #windowMs: number
  #groupMembers: number
  #now = 0
  /** Never falls, and stands still within an entry. */
  #start = 0

  constructor(settings: {
    readonly windowMs: number
    readonly groupMembers: number
    readonly largeAbove: number
    readonly smallBelow: number
  }) {
    this.#windowMs = settings.windowMs
    this.#groupMembers = settings.groupMembers
    this.inboxes = new ModelInboxes(settings.largeAbove, settings.smallBelow)
  }

  /** Call before the commands of each entry. */
  entry(logTime: number): void {
    this.#now = Math.max(this.#now, logTime)
    this.#start = Math.max(this.#start, this.#now - this.#windowMs)
  }

  apply(command: Command, wall: number): ModelAnswer {
    if (command.kind === CommandKind.settings) {
      if (settingsFault(command.changes) !== null) return { code: 'INVALID_MESSAGE' }
      this.#windowMs = command.changes.windowMs ?? this.#windowMs
      this.#groupMembers = command.changes.groupMembers ?? this.#groupMembers
      return DONE
    }
    if (command.kind === CommandKind.level) return DONE
    if (command.kind === CommandKind.account) {
      if (command.operation.op !== 'revoke') {
        if (command.operation.op === 'erase') this.push.forget(command.operation.account, null)
        return DONE
      }
      const { account, ofDevice, before } = command.operation
      this.push.forget(account, ofDevice)
      const key = `${account} ${ofDevice ?? ''}`
      this.revoked.set(key, Math.max(this.revoked.get(key) ?? 0, before))
      return DONE
    }
    if (command.kind === CommandKind.push) {
      const head = this.inboxes.entries(command.operation.account).length
      return { ...DONE, seq: this.push.apply(command, head) }
    }
    if (command.kind === CommandKind.cursors) return this.#cursors(command)
    if (command.kind === CommandKind.retention) return this.#remove(command.removal)
    return this.#keyed(command, wall)
  }

  #keyed(command: KeyedCommand, wall: number): ModelAnswer {
    const now = this.#now
    const start = this.#start
    const { user, msgId, prev } = command
    const scope = scopeOf(command)
    const since = command.since === null ? null : Math.min(command.since, now)
    const bound = Math.max(start, since ?? 0)
    const mine = this.#results.filter((each) => each.scope === scope && each.user === user)
    const creating =
      command.kind === CommandKind.refuse || operationOf(command)?.op === 'create'
        ? (each: ModelResult) => each.creates
        : () => false
    const known =
      mine.find((each) => each.msgId === msgId && each.time >= bound) ??
      mine.find((each) => each.msgId === msgId && creating(each))
    if (known !== undefined) {
      const content = contentOf(command)
      if (content !== null && known.content !== null && content !== known.content) {
        return { code: 'PAYLOAD_MISMATCH' }
      }
      return 'code' in known.answer ? known.answer : { ...known.answer, duplicate: true }
    }
    if (since !== null && since < start) return { code: 'WINDOW_EXPIRED' }
    if (prev !== null && !mine.some((each) => each.msgId === prev && each.time >= start)) {
      return { code: 'OUT_OF_ORDER' }
    }
    const answer = this.#decide(command, wall)
    const creates = operationOf(command)?.op === 'create' && !('code' in answer)
    const content = contentOf(command)
    this.#results.push({ scope, user, msgId, time: now, content, answer, creates })
    return 'code' in answer ? answer : { ...answer, duplicate: false }
  }

  /** What the user may see, in order. */
  visible(id: string, user: string): ModelEvent[] {
    const firstSeq = this.conversations.get(id)?.firstSeq ?? 1
    return this.#everVisible(id, user).filter(({ seq }) => seq >= firstSeq)
  }

  #everVisible(id: string, user: string): ModelEvent[] {
    const conversation = this.conversations.get(id)
    const intervals = conversation?.members.get(user)?.intervals ?? []
    const sees = (seq: number) => intervals.some(([from, to]) => seq >= from && seq <= to)
    return (conversation?.events ?? []).filter(({ seq }) => sees(seq))
  }

  /** The user's cursors in the conversation. */
  cursors(id: string, user: string): ModelCursors {
    return this.conversations.get(id)?.cursors.get(user) ?? { delivered: 0, read: 0 }
  }

  #cursors({ conversations, inboxes }: CursorsCommand): ModelAnswer {
    for (const { conv, acks } of conversations) {
      for (const { user, kind, upTo } of acks) {
        const seen = this.#everVisible(conv, user).filter(({ seq }) => seq <= upTo)
        const reached = seen.at(-1)?.seq
        if (reached === undefined) continue
        const { delivered, read } = this.cursors(conv, user)
        this.conversations.get(conv)!.cursors.set(user, {
          delivered: Math.max(delivered, reached),
          read: kind === 'read' ? Math.max(read, reached) : read,
        })
      }
    }
    for (const ack of inboxes) this.push.acked(ack)
    return DONE
  }

  /** Seen by nobody: what an edit of a message says that is no more. */
  #hide(conversation: ModelConversation, gone: ModelEvent): void {
    for (const event of conversation.events) {
      if (event !== gone && (event.target !== gone.seq || event.kind !== 'edit')) continue
      event.body = null
      event.edited = null
      event.recalled ||= gone.recalled
      event.expired = !event.recalled
    }
  }

  #remove(removal: Removal): ModelAnswer {
    const conv = removal.from
    const conversation = this.conversations.get(conv)
    if (conversation === undefined) return { code: 'GROUP_NOT_FOUND' }
    const { events } = conversation
    if (removal.op === 'truncate') {
      const first = Math.min(removal.upTo, events.length) + 1
      conversation.firstSeq = Math.max(conversation.firstSeq, first)
      for (const event of events) {
        if (event.seq < conversation.firstSeq) this.#hide(conversation, event)
      }
    } else {
      for (const seq of removal.seqs) {
        const event = events[seq - 1]
        if (event?.kind === 'other' || event === undefined) continue
        if (seq >= conversation.firstSeq) this.#hide(conversation, event)
      }
    }
    return { conv, seq: conversation.firstSeq, at: 0, duplicate: false }
  }

  #onTarget(
    command: Extract<KeyedCommand, { target: number }>,
    wall: number,
  ): ModelResult['answer'] {
    const { conv, user, target } = command
    const conversation = this.conversations.get(conv)
    if (conversation === undefined) return { code: 'GROUP_NOT_FOUND' }
    if (!this.#isPresent(conv, user)) return { code: 'NOT_MEMBER' }
    const { kind } = command
    if (kind !== CommandKind.recall && this.#isBlocked(conversation, user)) {
      return { code: 'USER_BLOCKED' }
    }
    const event = this.visible(conv, user).find(({ seq }) => seq === target)
    if (event?.kind !== 'message' || event.body === null) return { code: 'FORBIDDEN' }
    const isAuthor = event.from === user
    const isHigh = conversation.members.get(user)!.role !== 'member'
    if (kind === CommandKind.edit && !isAuthor) return { code: 'FORBIDDEN' }
    if (kind === CommandKind.recall && !isAuthor && !isHigh) return { code: 'FORBIDDEN' }
    const answer = this.#append(conv, command, wall)
    if (kind === CommandKind.edit) {
      event.edited = answer.seq
      event.body = Buffer.from(command.body).toString('hex')
    } else if (kind === CommandKind.recall) {
      event.recalled = true
      this.#hide(conversation, event)
    }
    return answer
  }

  #isBlocked({ kind, members }: ModelConversation, user: string): boolean {
    return kind === 'direct' && [...members].some(([name, { blocks }]) => name !== user && blocks)
  }

  #decide(command: KeyedCommand, wall: number): ModelResult['answer'] {
    if (command.kind === CommandKind.refuse) return { code: command.code }
    if (command.kind === CommandKind.message) return this.#message(command, wall)
    if (command.kind !== CommandKind.conversation) return this.#onTarget(command, wall)
    const { user, operation } = command
    if (operation.op === 'block' || operation.op === 'unblock') {
      if (operation.member === user) return { code: 'FORBIDDEN' }
      const conv = directConversationId(user, operation.member)
      const { createdAt, members } = this.#direct(conv, user, operation.member, wall)
      members.get(user)!.blocks = operation.op === 'block'
      return { conv, seq: 0, at: createdAt }
    }
    if (operation.op === 'direct') {
      const conv = directConversationId(user, operation.with)
      const { createdAt } = this.#direct(conv, user, operation.with, wall)
      return { conv, seq: 0, at: createdAt }
    }
    if (operation.op === 'create') {
      const everybody = [...new Set([user, ...operation.members])]
      if (everybody.length > this.#groupMembers) return { code: 'GROUP_FULL' }
      const conv = groupConversationId(user, command.msgId)
      const members = everybody.map((name): [string, ModelMember] => {
        return [
          name,
          { role: name === user ? 'owner' : 'member', intervals: [[1, Infinity]], blocks: false },
        ]
      })
      const group = {
        kind: 'group' as const,
        createdAt: wall,
        events: [],
        members: new Map(members),
        cursors: new Map(),
        history: false,
        firstSeq: 1,
      }
      this.conversations.set(conv, group)
      return this.#append(conv, command, wall)
    }
    return this.#operation(command.conv, command, operation, wall)
  }

  #message(command: KeyedCommand & { kind: 1 }, wall: number): ModelResult['answer'] {
    const { user, to, replyTo } = command
    const id = command.conv ?? directConversationId(user, to!)
    const conversation = this.conversations.get(id)
    if (conversation === undefined && to === null) return { code: 'GROUP_NOT_FOUND' }
    if (conversation !== undefined && !this.#isPresent(id, user)) return { code: 'NOT_MEMBER' }
    if (conversation !== undefined && this.#isBlocked(conversation, user)) {
      return { code: 'USER_BLOCKED' }
    }
    if (replyTo !== null && !this.#everVisible(id, user).some(({ seq }) => seq === replyTo)) {
      return { code: 'UNKNOWN_REPLY' }
    }
    if (conversation === undefined) this.#direct(id, user, to!, wall)
    return this.#append(id, command, wall)
  }

  #operation(
    id: string,
    command: KeyedCommand,
    operation: ConversationOperation,
    wall: number,
  ): ModelResult['answer'] {
    const conversation = this.conversations.get(id)
    if (conversation === undefined) return { code: 'GROUP_NOT_FOUND' }
    if (!this.#isPresent(id, command.user)) return { code: 'NOT_MEMBER' }
    const { members } = conversation
    const me = members.get(command.user)!
    const present = [...members.keys()].filter((name) => this.#isPresent(id, name))
    const owners = present.filter((name) => members.get(name)!.role === 'owner')
    const forbidden = { code: 'FORBIDDEN' }
    const next = conversation.events.length + 1
    if (this.#isBlocked(conversation, command.user)) return { code: 'USER_BLOCKED' }
    if (conversation.kind === 'direct') {
      const { op, ...changes } = operation
      const isAllowed = op === 'set' && Object.keys(changes).join('') === 'retention'
      return isAllowed ? this.#append(id, command, wall) : forbidden
    }
    if (operation.op === 'leave') {
      if (me.role === 'owner' && owners.length === 1 && present.length > 1) return forbidden
      me.intervals.at(-1)![1] = next
      me.role = 'member'
      return this.#append(id, command, wall)
    }
    if (me.role === 'member') return forbidden
    if (operation.op === 'set') {
      conversation.history = operation.history ?? conversation.history
      return this.#append(id, command, wall)
    }
    if (!('member' in operation) || operation.op === 'block' || operation.op === 'unblock') {
      throw new Error('not of a group')
    }
    const target = members.get(operation.member)
    const there = present.includes(operation.member)
    if (operation.op === 'add') {
      if (operation.role === 'admin' && me.role !== 'owner') return forbidden
      if (there) return forbidden
      if (present.length >= this.#groupMembers) return { code: 'GROUP_FULL' }
      const member = target ?? { role: '', intervals: [], blocks: false }
      member.role = operation.role
      if (conversation.history) member.intervals = [[1, Infinity]]
      else member.intervals.push([next, Infinity])
      members.set(operation.member, member)
    } else if (operation.op === 'remove') {
      if (!there || operation.member === command.user) return forbidden
      if (target!.role !== 'member' && me.role !== 'owner') return forbidden
      target!.intervals.at(-1)![1] = next
      target!.role = 'member'
    } else {
      if (me.role !== 'owner' || !there) return forbidden
      const onlyMe = operation.member === command.user && owners.length === 1
      if (onlyMe && operation.role !== 'owner') return forbidden
      target!.role = operation.role
    }
    return this.#append(id, command, wall)
  }

  #direct(id: string, one: string, other: string, wall: number): ModelConversation {
    const existing = this.conversations.get(id)
    if (existing !== undefined) return existing
    const members = [...new Set([one, other])].map((name): [string, ModelMember] => {
      return [name, { role: 'member', intervals: [[1, Infinity]], blocks: false }]
    })
    const direct = {
      kind: 'direct' as const,
      createdAt: wall,
      events: [],
      members: new Map(members),
      cursors: new Map(),
      history: false,
      firstSeq: 1,
    }
    this.conversations.set(id, direct)
    return direct
  }

  #isPresent(id: string, user: string): boolean {
    return this.conversations.get(id)?.members.get(user)?.intervals.at(-1)?.[1] === Infinity
  }

  #append(
    conv: string,
    command: KeyedCommand,
    wall: number,
  ): { conv: string; seq: number; at: number } {
    const { events, members } = this.conversations.get(conv)!
    const last = events.at(-1)
    const seq = events.length + 1
    const at = Math.max(last?.at ?? 0, wall)
    const kind = KINDS[command.kind]
    const ord = (last?.ord ?? 0) + (kind === 'message' ? 1 : 0)
    const { user: from, msgId } = command
    const body = 'body' in command ? Buffer.from(command.body).toString('hex') : null
    const target = 'target' in command ? command.target : null
    const fresh = { edited: null, recalled: false, expired: false }
    events.push({ seq, ord, at, kind, from, msgId, body, target, ...fresh })
    this.inboxes.event(conv, seq, new Map([...members].map(([name, of]) => [name, of.intervals])))
    return { conv, seq, at }
  }
}

const DONE: ModelAnswer = { conv: '', seq: 0, at: 0, duplicate: false }

const KINDS: Record<KeyedCommand['kind'], ModelEvent['kind']> = {
  1: 'message',
  2: 'other',
  3: 'other',
  4: 'edit',
  5: 'other',
  6: 'other',
}

function operationOf(command: KeyedCommand): ConversationOperation | null {
  return command.kind === CommandKind.conversation ? command.operation : null
}

function scopeOf(command: KeyedCommand): string {
  if (command.kind === CommandKind.message) {
    return command.conv ?? directConversationId(command.user, command.to!)
  }
  const operation = operationOf(command)
  if (operation?.op === 'block' || operation?.op === 'unblock') {
    return directConversationId(command.user, operation.member)
  }
  return command.conv === '' ? `user ${command.user}` : command.conv
}

function contentOf(command: KeyedCommand): string | null {
  if (command.kind === CommandKind.refuse) return null
  const { kind } = command
  if (kind === CommandKind.conversation) return JSON.stringify(command.operation)
  const body = 'body' in command ? Buffer.from(command.body).toString('hex') : ''
  const more =
    kind === CommandKind.message
      ? command.replyTo
      : kind === CommandKind.reaction
        ? [command.target, command.reaction, command.on]
        : 'target' in command && command.target
  return JSON.stringify([kind, more, body])
}
