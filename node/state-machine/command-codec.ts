import { asBuffer, assert, unreachable } from '#cluster'
import { ByteWriter } from './byte-writer.ts'
import {
  CommandKind,
  type Command,
  type AccountOperation,
  type ConversationOperation,
  type CursorsCommand,
  type PushOperation,
  type Removal,
  type RetentionPolicy,
  type SettingsChange,
  type Submission,
  SYSTEM_HEAD,
} from './commands.ts'
import {
  ACCOUNT_OPERATION_NUMBERS,
  COMMAND_VERSION,
  CommandFlag,
  CommandFormatError,
  CommandView,
  CURSOR_NUMBERS,
  OPERATION_NUMBERS,
  PolicyField,
  PUSH_OPERATION_NUMBERS,
  REFUSE_NUMBERS,
  REMOVAL_NUMBERS,
  ROLE_NUMBERS,
  SetField,
} from './command-view.ts'
import { PUSH_KINDS } from './push-target.ts'
import { writeSettings } from './settings.ts'

const writer = new ByteWriter(4096)

/** One command as it stands in a batch; the layout is `command-view.ts`'s. */
export function encodeCommand(command: Command): Uint8Array {
  return encodeSubmission(command, command.origin, command.request)
}

/** As `encodeCommand`, without an object made for it: each write comes through here. */
export function encodeSubmission(command: Submission, origin: number, request: number): Uint8Array {
  writer.clear()
  const conv = command.conv
  const message = command.kind === CommandKind.message ? command : null
  const to = message?.to ?? null
  const replyTo = message?.replyTo ?? null
  let flags = 0
  if (command.prev !== null) flags |= CommandFlag.prev
  if (command.since !== null) flags |= CommandFlag.since
  if (conv !== null) flags |= CommandFlag.conv
  if (to !== null) flags |= CommandFlag.to
  if (replyTo !== null) flags |= CommandFlag.replyTo
  if (message?.large === true) flags |= CommandFlag.large
  assert(message === null || (conv === null) !== (to === null), 'a message has one of conv and to')

  writer.u8(command.kind).u8(COMMAND_VERSION).u32(origin).u32(request).u8(flags)
  wideText(command.user)
  shortText(command.device)
  shortText(command.msgId)
  if (command.prev !== null) shortText(command.prev)
  if (command.since !== null) writer.u48(atMostU48(command.since))
  if (conv !== null) wideText(conv)
  if (to !== null) wideText(to)
  if (replyTo !== null) writer.u48(atMostU48(replyTo))
  switch (command.kind) {
    case CommandKind.message:
      writer.raw(command.body)
      break
    case CommandKind.conversation:
      writeOperation(command.operation)
      break
    case CommandKind.refuse:
      writer.u8(REFUSE_NUMBERS[command.code])
      break
    case CommandKind.settings:
      writeSettings(writer, command.changes)
      break
    case CommandKind.account:
      writeAccountOperation(command.operation)
      break
    case CommandKind.push:
      writePush(command.operation)
      break
    case CommandKind.level:
      writer.varint(command.level)
      break
    case CommandKind.cursors:
      writeCursors(command)
      break
    case CommandKind.edit:
      writer.u48(atMostU48(command.target)).raw(command.body)
      break
    case CommandKind.recall:
      writer.u48(atMostU48(command.target))
      break
    case CommandKind.reaction: {
      const { reaction, on, target } = command
      writer.u48(atMostU48(target)).u8(on ? 1 : 0)
      writer.text(reaction, Buffer.byteLength(reaction))
      break
    }
    case CommandKind.retention:
      writeRemoval(command.removal)
      break
    default:
      unreachable(command)
  }
  return writer.toBytes()
}

/** The mirror of `encodeCommand`; bodies are views into `bytes`. Throws `CommandFormatError`. */
export function decodeCommand(bytes: Uint8Array): Command {
  return toCommand(new CommandView(asBuffer(bytes), 0, bytes.length))
}

export function toCommand(view: CommandView): Command {
  const { kind, origin, request, user, device, msgId, prev, since } = view
  const base = { origin, request, user, device, msgId, prev, since }
  switch (kind) {
    case CommandKind.message: {
      const { conv, to, replyTo, large } = view
      return { kind, ...base, conv, to, replyTo, large, body: view.payload() }
    }
    case CommandKind.conversation:
      return { kind, ...base, conv: view.conv!, operation: view.operation() }
    case CommandKind.refuse:
      return { kind, ...base, conv: view.conv!, code: view.refuseCode() }
    case CommandKind.settings:
      return { kind, ...SYSTEM_HEAD, origin, request, changes: view.settingsChanges() }
    case CommandKind.account:
      return { kind, ...SYSTEM_HEAD, origin, request, operation: view.accountOperation() }
    case CommandKind.push:
      return { kind, ...SYSTEM_HEAD, origin, request, operation: view.pushOperation() }
    case CommandKind.level:
      return { kind, ...SYSTEM_HEAD, origin, request, level: view.level() }
    case CommandKind.cursors:
      return { kind, ...SYSTEM_HEAD, origin, request, ...view.cursors() }
    case CommandKind.edit:
      return { kind, ...base, conv: view.conv!, target: view.target!, body: view.body() }
    case CommandKind.recall:
      if (view.payload().length > 6)
        throw new CommandFormatError('a recall is more than its target')
      return { kind, ...base, conv: view.conv!, target: view.target! }
    case CommandKind.reaction:
      return { kind, ...base, conv: view.conv!, target: view.target!, ...view.reaction() }
    case CommandKind.retention:
      return { kind, ...SYSTEM_HEAD, origin, request, removal: view.removal() }
    default:
      return unreachable(kind)
  }
}

/**
 * A client may send any integer up to 2^53-1. Log times and seqs never come near 2^48, so what lies
 * above means the same as the greatest that fits: later than now, an event that does not exist.
 */
function atMostU48(value: number): number {
  return Math.min(value, 2 ** 48 - 1)
}

function writeOperation(operation: ConversationOperation): void {
  writer.u8(OPERATION_NUMBERS[operation.op])
  switch (operation.op) {
    case 'create':
      writer.varint(operation.members.length)
      for (const member of operation.members) writer.string(member)
      optionalText(operation.name)
      optionalBytes(operation.meta)
      break
    case 'direct':
      writer.string(operation.with)
      break
    case 'add':
    case 'role':
      writer.string(operation.member).u8(ROLE_NUMBERS[operation.role])
      break
    case 'remove':
      writer.string(operation.member)
      break
    case 'leave':
      break
    case 'set':
      writeChange(operation)
      break
    case 'block':
    case 'unblock':
      writer.string(operation.member)
      break
    default:
      unreachable(operation)
  }
}

function writeAccountOperation(operation: AccountOperation): void {
  writer.u8(ACCOUNT_OPERATION_NUMBERS[operation.op]).string(operation.account)
  if (operation.op !== 'revoke') return
  optionalText(operation.ofDevice)
  writer.varint(operation.before)
}

function writePush(operation: PushOperation): void {
  const { op, account, ofDevice } = operation
  writer.u8(PUSH_OPERATION_NUMBERS[op]).string(account).string(ofDevice)
  switch (op) {
    case 'subscribe': {
      const { target } = operation
      writer.u8(PUSH_KINDS.indexOf(target.kind)).string(target.endpoint)
      if (target.kind === 'web') writer.string(target.p256dh).string(target.auth)
      break
    }
    case 'unsubscribe':
      optionalText(operation.endpoint)
      break
    case 'claim':
    case 'done':
      writer.varint(operation.inbox)
      break
    case 'seen':
      break
    default:
      unreachable(op)
  }
}

function writeCursors({
  conversations,
  inboxes,
}: Omit<CursorsCommand, 'origin' | 'request'>): void {
  writer.varint(conversations.length)
  for (const { conv, acks } of conversations) {
    writer.string(conv).varint(acks.length)
    for (const { user, device, kind, upTo } of acks) {
      writer.string(user).string(device).u8(CURSOR_NUMBERS[kind]).varint(upTo)
    }
  }
  writer.varint(inboxes.length)
  for (const { user, device, inbox } of inboxes) writer.string(user).string(device).varint(inbox)
}

function writeChange({ name, meta, retention, history }: SettingsChange): void {
  writer.u8(
    (name === undefined ? 0 : SetField.name) |
      (meta === undefined ? 0 : SetField.meta) |
      (retention === undefined ? 0 : SetField.retention) |
      (history === undefined ? 0 : SetField.history),
  )
  if (name !== undefined) optionalText(name)
  if (meta !== undefined) optionalBytes(meta)
  if (retention !== undefined) {
    writer.u8(retention === null ? 0 : 1)
    if (retention !== null) writePolicy(writer, retention)
  }
  if (history !== undefined) writer.u8(history ? 1 : 0)
}

export function writePolicy(to: ByteWriter, policy: RetentionPolicy): void {
  const { maxAgeMs, maxCount, maxBytes } = policy
  const present =
    (maxAgeMs === undefined ? 0 : PolicyField.maxAgeMs) |
    (maxCount === undefined ? 0 : PolicyField.maxCount) |
    (maxBytes === undefined ? 0 : PolicyField.maxBytes)
  assert(present > 0, 'a retention policy has at least one bound')
  to.u8(present)
  if (maxAgeMs !== undefined) to.varint(maxAgeMs)
  if (maxCount !== undefined) to.varint(maxCount)
  if (maxBytes !== undefined) to.varint(maxBytes)
}

function writeRemoval(removal: Removal): void {
  writer.u8(REMOVAL_NUMBERS[removal.op]).string(removal.from)
  if (removal.op === 'truncate') {
    writer.varint(removal.upTo)
    return
  }
  writer.varint(removal.seqs.length)
  let before = 0
  for (const seq of removal.seqs) {
    assert(seq > before, 'the seqs of a removal rise')
    writer.varint(seq - before)
    before = seq
  }
}

function optionalText(text: string | null): void {
  writer.u8(text === null ? 0 : 1)
  if (text !== null) writer.string(text)
}

function optionalBytes(bytes: Uint8Array | null): void {
  writer.u8(bytes === null ? 0 : 1)
  if (bytes !== null) writer.bytes(bytes)
}

function shortText(text: string): void {
  const length = Buffer.byteLength(text)
  assert(length <= 0xff, `a text of ${length} bytes where at most 255 fit`)
  writer.u8(length).text(text, length)
}

function wideText(text: string): void {
  const length = Buffer.byteLength(text)
  assert(length <= 0xffff, `a text of ${length} bytes where at most 65,535 fit`)
  writer.u16(length).text(text, length)
}
