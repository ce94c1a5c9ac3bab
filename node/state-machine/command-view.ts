import { assert } from '#cluster'
import type { ErrorCode } from '#protocol'
import { ByteReader } from './byte-reader.ts'
import { utf8 } from './utf8.ts'
import {
  type AccountOperation,
  CommandKind,
  type ConversationOperation,
  type CursorAck,
  type CursorsCommand,
  type InboxAck,
  isKeyed,
  MAX_CURSORS,
  type PushOperation,
  type PushTarget,
  type RefuseCommand,
  type Removal,
  type RetentionPolicy,
  type SettingsChange,
} from './commands.ts'
import { PUSH_KINDS } from './push-target.ts'
import { readSettings, type SettingsChanges } from './settings.ts'

export const COMMAND_VERSION = 1

/**
 * The layout of one command, version 1 of every kind. Part of the log and of the store, where events
 * are kept as the commands that made them: it can be added to under a new version, never changed.
 *
 *     u8 kind   u8 version   u32 origin   u32 request   u8 flags
 *     u16 length, user   u8 length, device   u8 length, msgId
 *     [u8 length, prev]   [u48 since]                        if flagged
 *     [u16 length, conv]  [u16 length, to]   [u48 replyTo]   if flagged
 *     message: the body, to the end
 *     conversation: u8 operation, its fields (see `readOperation`)
 *     refuse: u8 code
 *     edit: u48 target, the body, to the end
 *     recall: u48 target
 *     reaction: u48 target, u8 on, text to the end
 *     settings: varint count, then per change u8 number, varint value
 *     retention: u8 operation, its fields (see `readRemoval`)
 *     push: u8 operation, its fields (see `readPush`)
 *     account: u8 operation, its fields (see `accountOperation`)
 *     cursors: conversations and inboxes (see `readCursors`)
 *     level: varint level
 *
 * User, device, msgId and conv of cursors, settings, retention, push, account and level are empty.
 */
export const CommandFlag = {
  prev: 1,
  since: 2,
  conv: 4,
  to: 8,
  replyTo: 16,
  large: 32,
} as const
const KNOWN_FLAGS = 63

/** Numbers are part of the log format. */
export const OPERATION_NUMBERS = {
  create: 1,
  direct: 2,
  add: 3,
  remove: 4,
  role: 5,
  leave: 6,
  set: 7,
  block: 8,
  unblock: 9,
} as const satisfies Record<ConversationOperation['op'], number>

export const CURSOR_NUMBERS = { delivered: 1, read: 2 } as const
export const REMOVAL_NUMBERS = {
  truncate: 1,
  expire: 2,
} as const satisfies Record<Removal['op'], number>

/** Which fields of `set` follow. */
export const SetField = { name: 1, meta: 2, retention: 4, history: 8 } as const
/** Which bounds of a policy follow. */
export const PolicyField = { maxAgeMs: 1, maxCount: 2, maxBytes: 4 } as const

const TARGET_BYTES = 6

export const ROLE_NUMBERS = { owner: 1, admin: 2, member: 3 } as const

export const REFUSE_NUMBERS = {
  CANCELLED: 1,
  REJECTED_SPAM: 2,
  USER_BLOCKED: 3,
  FORBIDDEN: 4,
} as const satisfies Record<RefuseCommand['code'], number>

export const ACCOUNT_OPERATION_NUMBERS = {
  revoke: 1,
  erase: 2,
  erased: 3,
} as const satisfies Record<AccountOperation['op'], number>

export const PUSH_OPERATION_NUMBERS = {
  subscribe: 1,
  unsubscribe: 2,
  claim: 3,
  done: 4,
  seen: 5,
} as const satisfies Record<PushOperation['op'], number>

const KNOWN_KINDS: ReadonlySet<number> = new Set(Object.values(CommandKind))

/**
 * Bytes that are no command of this version. In the log they stop the replica (rule A9); a forwarded
 * one is refused with `code` before it gets there.
 */
export class CommandFormatError extends Error {
  override readonly name = 'CommandFormatError'
  readonly code: Extract<ErrorCode, 'INVALID_MESSAGE' | 'UNSUPPORTED'>

  constructor(message: string, code: CommandFormatError['code'] = 'INVALID_MESSAGE') {
    super(message)
    this.code = code
  }
}

/**
 * One command, decoded where it lies: what apply needs of every command is read at once, the rest
 * on demand. Throws `CommandFormatError` if kind, version or shape is unknown.
 */
export class CommandView {
  readonly data: Buffer
  readonly start: number
  readonly end: number
  readonly kind: CommandKind
  readonly origin: number
  readonly request: number
  readonly large: boolean
  readonly user: string
  readonly msgId: string
  readonly prev: string | null
  readonly since: number | null
  readonly conv: string | null
  readonly to: string | null
  readonly replyTo: number | null
  /** Where the body, the operation or the code begins: what the digest of rule A2 covers. */
  readonly payloadStart: number
  readonly #deviceStart: number

  constructor(data: Buffer, start: number, end: number) {
    assert(start >= 0 && end <= data.length, 'a command stands outside its bytes')
    if (end - start < 15) malformed('a command is shorter than its head')
    const kind = data[start]!
    const version = data[start + 1]!
    if (!KNOWN_KINDS.has(kind) || version !== COMMAND_VERSION) {
      unknown(`command kind ${kind} version ${version}`)
    }
    const flags = data[start + 10]!
    if (flags > KNOWN_FLAGS) unknown(`flags ${flags} of a command`)
    this.data = data
    this.start = start
    this.end = end
    this.kind = kind as CommandKind
    this.origin = u32(data, start + 2)
    this.request = u32(data, start + 6)
    this.large = (flags & CommandFlag.large) !== 0

    let at = start + 11
    let length = data[at]! | (data[at + 1]! << 8)
    at += 2
    this.user = text(data, at, length, end)
    at += length
    this.#deviceStart = at
    at += 1 + data[at]!
    if (!(at < end)) malformed('a command ends inside its device')
    length = data[at]!
    at += 1
    this.msgId = text(data, at, length, end)
    at += length
    let prev: string | null = null
    let since: number | null = null
    let conv: string | null = null
    let to: string | null = null
    let replyTo: number | null = null
    if ((flags & CommandFlag.prev) !== 0) {
      length = data[at]!
      prev = text(data, at + 1, length, end)
      at += 1 + length
    }
    if ((flags & CommandFlag.since) !== 0) {
      since = u48(data, at)
      at += 6
    }
    if ((flags & CommandFlag.conv) !== 0) {
      length = data[at]! | (data[at + 1]! << 8)
      conv = text(data, at + 2, length, end)
      at += 2 + length
    }
    if ((flags & CommandFlag.to) !== 0) {
      length = data[at]! | (data[at + 1]! << 8)
      to = text(data, at + 2, length, end)
      at += 2 + length
    }
    if ((flags & CommandFlag.replyTo) !== 0) {
      replyTo = u48(data, at)
      at += 6
    }
    // Bytes past the end make lengths that are no numbers.
    if (!(at <= end)) malformed('a command ends inside its head')
    this.prev = prev
    this.since = since
    this.conv = conv
    this.to = to
    this.replyTo = replyTo
    this.payloadStart = at
    this.#checkShape()
  }

  /** The fields are those of its kind. */
  #checkShape(): void {
    const { kind, conv, to, replyTo, prev, since } = this
    if (kind === CommandKind.message) {
      if ((conv === null) === (to === null)) malformed('a message names a conversation or a user')
    } else if (conv === null || to !== null || replyTo !== null) {
      malformed('a command has fields of a message')
    } else if (!isKeyed(kind) && (prev !== null || since !== null || conv !== '')) {
      malformed('a command without a key has fields of one')
    }
    if (this.#hasTarget && this.end - this.payloadStart < TARGET_BYTES) {
      malformed('a command ends inside its target')
    }
  }

  get #hasTarget(): boolean {
    const { kind } = this
    return kind === CommandKind.edit || kind === CommandKind.recall || kind === CommandKind.reaction
  }

  /** Seq of the message that it is about: of an edit, recall or reaction. */
  get target(): number | null {
    return this.#hasTarget ? u48(this.data, this.payloadStart) : null
  }

  get device(): string {
    const length = this.data[this.#deviceStart]!
    return utf8(this.data, this.#deviceStart + 1, this.#deviceStart + 1 + length)
  }

  /** Of a message or edit: what it says. */
  body(): Uint8Array {
    const isEdit = this.kind === CommandKind.edit
    assert(isEdit || this.kind === CommandKind.message, 'the command holds no body')
    const start = this.payloadStart + (isEdit ? TARGET_BYTES : 0)
    return this.data.subarray(start, this.end)
  }

  reaction(): { reaction: string; on: boolean } {
    assert(this.kind === CommandKind.reaction, 'the command holds no reaction')
    const at = this.payloadStart + TARGET_BYTES
    if (at >= this.end) malformed('a command ends inside its reaction')
    const on = this.data[at]!
    if (on > 1) malformed(`a reaction is marked ${on}`)
    return { reaction: utf8(this.data, at + 1, this.end), on: on === 1 }
  }

  removal(): Removal {
    assert(this.kind === CommandKind.retention, 'the command removes nothing')
    const reader = new ByteReader(this.data, this.payloadStart, this.end, formatError)
    const removal = readRemoval(reader)
    reader.end('a removal')
    return removal
  }

  /** Everything after the head, as it stands there: what rule A2 compares. */
  payload(): Uint8Array {
    return this.data.subarray(this.payloadStart, this.end)
  }

  operation(): ConversationOperation {
    assert(this.kind === CommandKind.conversation, 'the command holds no operation')
    const reader = new ByteReader(this.data, this.payloadStart, this.end, formatError)
    const operation = readOperation(reader)
    reader.end('an operation')
    return operation
  }

  cursors(): Pick<CursorsCommand, 'conversations' | 'inboxes'> {
    assert(this.kind === CommandKind.cursors, 'the command holds no cursors')
    const reader = new ByteReader(this.data, this.payloadStart, this.end, formatError)
    const cursors = readCursors(reader)
    reader.end('cursors')
    return cursors
  }

  refuseCode(): RefuseCommand['code'] {
    assert(this.kind === CommandKind.refuse, 'the command holds no refusal')
    if (this.end - this.payloadStart !== 1) malformed('a refusal is more than its code')
    return nameOf(REFUSE_NUMBERS, this.data[this.payloadStart]!, 'refusal code')
  }

  settingsChanges(): SettingsChanges {
    assert(this.kind === CommandKind.settings, 'the command holds no settings')
    const reader = new ByteReader(this.data, this.payloadStart, this.end, formatError)
    const changes = readSettings(reader, (number) => unknown(`setting ${number}`))
    reader.end('settings')
    return changes
  }

  level(): number {
    assert(this.kind === CommandKind.level, 'the command raises no level')
    const reader = new ByteReader(this.data, this.payloadStart, this.end, formatError)
    const level = reader.varint()
    reader.end('a level')
    if (level < 2) malformed(`the feature level is raised to ${level}`)
    return level
  }

  pushOperation(): PushOperation {
    assert(this.kind === CommandKind.push, 'the command calls nobody')
    const reader = new ByteReader(this.data, this.payloadStart, this.end, formatError)
    const operation = readPush(reader)
    reader.end('a push operation')
    return operation
  }

  accountOperation(): AccountOperation {
    assert(this.kind === CommandKind.account, 'the command is about no account')
    const reader = new ByteReader(this.data, this.payloadStart, this.end, formatError)
    const op = nameOf(ACCOUNT_OPERATION_NUMBERS, reader.u8(), 'account operation')
    const account = reader.string()
    const operation: AccountOperation =
      op === 'revoke'
        ? { op, account, ofDevice: optional(reader, readText), before: reader.varint() }
        : { op, account }
    reader.end('an account operation')
    return operation
  }
}

function readOperation(reader: ByteReader): ConversationOperation {
  const op = nameOf(OPERATION_NUMBERS, reader.u8(), 'operation')
  switch (op) {
    case 'create': {
      const members: string[] = []
      for (let left = reader.varint(); left > 0; left -= 1) members.push(reader.string())
      return { op, members, name: optional(reader, readText), meta: optional(reader, readBytes) }
    }
    case 'direct':
      return { op, with: reader.string() }
    case 'add': {
      const member = reader.string()
      const role = nameOf(ROLE_NUMBERS, reader.u8(), 'role')
      if (role === 'owner') malformed('nobody is added as an owner')
      return { op, member, role }
    }
    case 'remove':
      return { op, member: reader.string() }
    case 'role':
      return { op, member: reader.string(), role: nameOf(ROLE_NUMBERS, reader.u8(), 'role') }
    case 'leave':
      return { op }
    case 'set':
      return { op, ...readChange(reader) }
    case 'block':
    case 'unblock':
      return { op, member: reader.string() }
  }
}

function readCursors(reader: ByteReader): ReturnType<CommandView['cursors']> {
  const counted = (): number => {
    const count = reader.varint()
    if (count > MAX_CURSORS) malformed(`${count} cursors are more than a command may hold`)
    return count
  }
  const conversations: { conv: string; acks: CursorAck[] }[] = []
  for (let left = counted(); left > 0; left -= 1) {
    const conv = reader.string()
    const acks: CursorAck[] = []
    for (let rest = counted(); rest > 0; rest -= 1) {
      const user = reader.string()
      const device = reader.string()
      const kind = nameOf(CURSOR_NUMBERS, reader.u8(), 'kind of cursor')
      acks.push({ user, device, kind, upTo: reader.varint() })
    }
    conversations.push({ conv, acks })
  }
  const inboxes: InboxAck[] = []
  for (let left = counted(); left > 0; left -= 1) {
    inboxes.push({ user: reader.string(), device: reader.string(), inbox: reader.varint() })
  }
  return { conversations, inboxes }
}

function readChange(reader: ByteReader): SettingsChange {
  const present = reader.u8()
  if (present > 15) unknown(`fields ${present} of set`)
  return {
    ...((present & SetField.name) !== 0 && { name: optional(reader, readText) }),
    ...((present & SetField.meta) !== 0 && { meta: optional(reader, readBytes) }),
    ...((present & SetField.retention) !== 0 && { retention: optional(reader, readPolicy) }),
    ...((present & SetField.history) !== 0 && { history: readBoolean(reader) }),
  }
}

export function readPolicy(reader: ByteReader): RetentionPolicy {
  const present = reader.u8()
  if (present === 0 || present > 7) unknown(`bounds ${present} of a retention policy`)
  return {
    ...((present & PolicyField.maxAgeMs) !== 0 && { maxAgeMs: reader.varint() }),
    ...((present & PolicyField.maxCount) !== 0 && { maxCount: reader.varint() }),
    ...((present & PolicyField.maxBytes) !== 0 && { maxBytes: reader.varint() }),
  }
}

function readRemoval(reader: ByteReader): Removal {
  const op = nameOf(REMOVAL_NUMBERS, reader.u8(), 'removal')
  const from = reader.string()
  if (op === 'truncate') return { op, from, upTo: reader.varint() }
  const seqs: number[] = []
  let seq = 0
  for (let left = reader.varint(); left > 0; left -= 1) {
    const step = reader.varint()
    if (step === 0) malformed('the seqs of a removal do not rise')
    seq += step
    seqs.push(seq)
  }
  return { op, from, seqs }
}

function readPush(reader: ByteReader): PushOperation {
  const op = nameOf(PUSH_OPERATION_NUMBERS, reader.u8(), 'push operation')
  const head = { account: reader.string(), ofDevice: reader.string() }
  switch (op) {
    case 'subscribe':
      return { ...head, op, target: readTarget(reader) }
    case 'unsubscribe':
      return { ...head, op, endpoint: optional(reader, readText) }
    case 'claim':
    case 'done':
      return { ...head, op, inbox: reader.varint() }
    case 'seen':
      return { ...head, op }
  }
}

function readTarget(reader: ByteReader): PushTarget {
  const number = reader.u8()
  const kind = PUSH_KINDS[number] ?? unknown(`kind ${number} of push`)
  const endpoint = reader.string()
  if (kind === 'webhook') return { kind, endpoint }
  return { kind, endpoint, p256dh: reader.string(), auth: reader.string() }
}

function readBoolean(reader: ByteReader): boolean {
  const value = reader.u8()
  if (value > 1) malformed(`a yes or no is marked ${value}`)
  return value === 1
}

const readText = (reader: ByteReader): string => reader.string()
const readBytes = (reader: ByteReader): Uint8Array => reader.bytes()

function optional<T>(reader: ByteReader, read: (reader: ByteReader) => T): T | null {
  const present = reader.u8()
  if (present > 1) malformed(`an optional field is marked ${present}`)
  return present === 1 ? read(reader) : null
}

function nameOf<T extends string>(numbers: Record<T, number>, wanted: number, what: string): T {
  for (const name in numbers) if (numbers[name] === wanted) return name
  return unknown(`${what} ${wanted}`)
}

function text(data: Buffer, start: number, length: number, end: number): string {
  if (!(start + length <= end)) malformed('a command ends inside a text')
  return utf8(data, start, start + length)
}

function u32(data: Buffer, at: number): number {
  return (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)) >>> 0
}

function u48(data: Buffer, at: number): number {
  if (!(at + 6 <= data.length)) malformed('a command ends inside an integer')
  return u32(data, at) + (data[at + 4]! | (data[at + 5]! << 8)) * 0x1_0000_0000
}

const formatError = (message: string): CommandFormatError => new CommandFormatError(message)

function malformed(message: string): never {
  throw new CommandFormatError(message)
}

function unknown(what: string): never {
  throw new CommandFormatError(`${what} is unknown: this node is too old`, 'UNSUPPORTED')
}
