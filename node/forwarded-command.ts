import { asBuffer } from '#cluster'
import {
  type DecodeLimits,
  type ErrorCode,
  isBody,
  isOfAlphabet,
  LIMITS,
  ProtocolError,
  type RequestFrame,
  validateFrame,
} from '#protocol'
import { encodeCommand, toCommand } from './state-machine/command-codec.ts'
import { CommandFormatError, CommandView } from './state-machine/command-view.ts'
import {
  CommandKind,
  type ConversationOperation,
  isKeyed,
  MAX_CURSORS,
  MAX_EXPIRED_SEQS,
  type PushOperation,
  type Removal,
  type RetentionPolicy,
} from './state-machine/commands.ts'
import { levelOf } from './state-machine/feature-level.ts'
import { pushTargetFault } from './state-machine/push-target.ts'
import { settingsFault } from './state-machine/settings.ts'

/**
 * Why a command that a peer forwards may not enter the log; `null` if it may. It passes the decoder
 * that apply uses, for there anything unknown stops every replica (rule A9), and the bounds that this
 * node's own gateway holds its clients to: what a peer's gateway let through is not taken on trust.
 */
export function refusalOf(
  command: Uint8Array,
  limits: DecodeLimits,
  level: number,
): ErrorCode | null {
  try {
    const view = new CommandView(asBuffer(command), 0, command.length)
    // A leader raises the level by itself, from what its own peers tell it.
    if (view.kind === CommandKind.level) return 'INVALID_MESSAGE'
    if (levelOf(view) > level) return 'BEHIND'
    if (!isKeyed(view.kind)) return systemFault(view, command)
    return headFault(view) ?? payloadFault(view, command, limits)
  } catch (error) {
    if (error instanceof CommandFormatError || error instanceof ProtocolError) return error.code
    throw error
  }
}

function headFault({ user, device, msgId, prev, since }: CommandView): ErrorCode | null {
  const isWellFormed =
    isUser(user) &&
    isDevice(device) &&
    isMsgId(msgId) &&
    (prev === null || isMsgId(prev)) &&
    (since === null || since >= 0)
  return isWellFormed ? null : 'INVALID_MESSAGE'
}

function payloadFault(
  view: CommandView,
  command: Uint8Array,
  limits: DecodeLimits,
): ErrorCode | null {
  const { kind, conv, to, replyTo } = view
  if (kind === CommandKind.message) {
    if (conv === null ? !isUser(to!) : !isConversation(conv)) return 'INVALID_MESSAGE'
    if (replyTo === 0) return 'INVALID_MESSAGE'
    return valueFault(view.payload(), limits.bodyBytes)
  }
  if (kind === CommandKind.edit || kind === CommandKind.recall || kind === CommandKind.reaction) {
    const fault = targetFault(view, limits)
    if (fault !== null) return fault
  } else if (kind === CommandKind.conversation) {
    const fault = operationFault(view.operation(), view, limits)
    if (fault !== null) return fault
  } else if (conv !== '' && !isConversation(conv!)) {
    return 'INVALID_MESSAGE'
  }
  return isCanonical(view, command) ? null : 'INVALID_MESSAGE'
}

function targetFault(view: CommandView, limits: DecodeLimits): ErrorCode | null {
  if (!isConversation(view.conv!) || view.target === 0) return 'INVALID_MESSAGE'
  if (view.kind === CommandKind.edit) return valueFault(view.body(), limits.bodyBytes)
  if (view.kind === CommandKind.recall) return null
  const { reaction } = view.reaction()
  return Buffer.byteLength(reaction) <= LIMITS.reactionBytes ? null : 'INVALID_MESSAGE'
}

function removalFault(removal: Removal): ErrorCode | null {
  if (!isConversation(removal.from)) return 'INVALID_MESSAGE'
  if (removal.op === 'expire' && removal.seqs.length > MAX_EXPIRED_SEQS) return 'INVALID_MESSAGE'
  return null
}

/** What a node or an operator asks: no key, hence nobody and nothing in the head. */
function systemFault(view: CommandView, command: Uint8Array): ErrorCode | null {
  if (view.user !== '' || view.device !== '' || view.msgId !== '') return 'INVALID_MESSAGE'
  if (view.kind === CommandKind.account) {
    const operation = view.accountOperation()
    if (!isUser(operation.account)) return 'INVALID_MESSAGE'
    const ofDevice = operation.op === 'revoke' ? operation.ofDevice : null
    if (ofDevice !== null && !isDevice(ofDevice)) return 'INVALID_MESSAGE'
  } else if (view.kind === CommandKind.retention) {
    const fault = removalFault(view.removal())
    if (fault !== null) return fault
  } else if (view.kind === CommandKind.push) {
    if (!isPush(view.pushOperation())) return 'INVALID_MESSAGE'
  } else if (view.kind === CommandKind.settings) {
    if (settingsFault(view.settingsChanges()) !== null) return 'INVALID_MESSAGE'
  } else if (view.kind === CommandKind.cursors) {
    if (!areCursors(view)) return 'INVALID_MESSAGE'
  }
  return isCanonical(view, command) ? null : 'INVALID_MESSAGE'
}

/** These are few, and their fields can be written in more ways than one: ours is the only one. */
function isCanonical(view: CommandView, command: Uint8Array): boolean {
  return Buffer.compare(encodeCommand(toCommand(view)), command) === 0
}

function isPush(operation: PushOperation): boolean {
  if (!isUser(operation.account) || !isDevice(operation.ofDevice)) return false
  return operation.op !== 'subscribe' || pushTargetFault(operation.target) === null
}

function areCursors(view: CommandView): boolean {
  const { conversations, inboxes } = view.cursors()
  const acks = conversations.flatMap((each) => each.acks)
  return (
    acks.length + inboxes.length <= MAX_CURSORS &&
    conversations.every(({ conv }) => isConversation(conv)) &&
    acks.every(({ user, device, upTo }) => isUser(user) && isDevice(device) && upTo > 0) &&
    inboxes.every(({ user, device }) => isUser(user) && isDevice(device))
  )
}

/** By the table that the frames of clients are held to. */
function operationFault(
  operation: ConversationOperation,
  { conv, msgId }: CommandView,
  limits: DecodeLimits,
): ErrorCode | null {
  const isNew = 'with' in operation || operation.op === 'create' || isBlock(operation)
  if (isNew && conv !== '') return 'INVALID_MESSAGE'
  const meta = 'meta' in operation ? (operation.meta ?? undefined) : undefined
  const head = isNew ? { msgId } : { msgId, conv }
  const member = 'member' in operation ? { user: operation.member } : {}
  if (operation.op === 'set' && !isPolicy(operation.retention)) return 'INVALID_MESSAGE'
  const name = operation.op === 'create' ? { name: operation.name ?? undefined } : {}
  const frame = {
    t: 'conv:R',
    id: 0,
    ...head,
    ...operation,
    ...member,
    ...name,
    meta,
    retention: undefined,
  }
  validateFrame(frame as unknown as RequestFrame, limits)
  return meta === undefined ? null : valueFault(meta, limits.metaBytes)
}

const isBlock = ({ op }: ConversationOperation): boolean => op === 'block' || op === 'unblock'

/** Every bound is one that a client could have given. */
function isPolicy(policy: RetentionPolicy | null | undefined): boolean {
  return Object.values(policy ?? {}).every((bound: number) => bound >= 1)
}

function valueFault(bytes: Uint8Array, mostBytes: number): ErrorCode | null {
  if (bytes.length > mostBytes) return 'PAYLOAD_TOO_LARGE'
  return isBody(bytes) ? null : 'INVALID_MESSAGE'
}

const isUser = (text: string): boolean => isOfAlphabet(text, 'printable', LIMITS.userLength)
const isDevice = (text: string): boolean => isOfAlphabet(text, 'name', LIMITS.deviceLength)
const isMsgId = (text: string): boolean => isOfAlphabet(text, 'name', LIMITS.msgIdLength)
const isConversation = (text: string): boolean =>
  isOfAlphabet(text, 'printable', LIMITS.conversationLength)
