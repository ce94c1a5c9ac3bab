/**
 * What may stand in the log, and how (rule A9: an unknown kind or version stops the replica).
 *
 * An entry's data is one batch of commands, all stamped by the leader at once (rule A8):
 *
 *     u8  format (1)
 *     u48 log time, ms     u48 wall time, ms
 *     then per command:  u32 length, bytes
 *
 * Integers are little-endian. A command starts with
 *
 *     u8 kind   u8 version   u32 origin   u32 request
 *
 * `origin` is a random number of the gateway process that took the frame and `request` its count:
 * they bring the result back to whoever waits for it, and mean nothing to apply.
 */

import type { SettingsChanges } from './settings.ts'

export const CommandKind = {
  message: 1,
  conversation: 2,
  refuse: 3,
  edit: 4,
  recall: 5,
  reaction: 6,
  cursors: 7,
  settings: 8,
  retention: 9,
  push: 10,
  account: 11,
  level: 12,
} as const
export type CommandKind = (typeof CommandKind)[keyof typeof CommandKind]

interface CommandBase {
  readonly origin: number
  readonly request: number
  readonly user: string
  readonly device: string
  readonly msgId: string
  /** msgId of this device's latest earlier write to the conversation without a final answer (A4). */
  readonly prev: string | null
  /** Log time that the client knew before it first sent this msgId (A3). */
  readonly since: number | null
}

export interface MessageCommand extends CommandBase {
  readonly kind: typeof CommandKind.message
  /** The conversation, or `null` when `to` names the other side of a direct one. */
  readonly conv: string | null
  readonly to: string | null
  readonly replyTo: number | null
  readonly large: boolean
  /** msgpack bytes, opaque. */
  readonly body: Uint8Array
}

export type ConversationOperation =
  | {
      readonly op: 'create'
      readonly members: readonly string[]
      readonly name: string | null
      readonly meta: Uint8Array | null
    }
  | { readonly op: 'direct'; readonly with: string }
  | { readonly op: 'add'; readonly member: string; readonly role: 'admin' | 'member' }
  | { readonly op: 'remove'; readonly member: string }
  | { readonly op: 'role'; readonly member: string; readonly role: 'owner' | 'admin' | 'member' }
  | { readonly op: 'leave' }
  | ({ readonly op: 'set' } & SettingsChange)
  /** Of the direct conversation with `member`. */
  | { readonly op: 'block'; readonly member: string }
  | { readonly op: 'unblock'; readonly member: string }

/** What is absent stays as it is. */
export interface SettingsChange {
  readonly name?: string | null
  readonly meta?: Uint8Array | null
  /** `null`: everything is kept. */
  readonly retention?: RetentionPolicy | null
  /** Whether who joins from now on sees what was there before (rule B7). */
  readonly history?: boolean
}

/** What a conversation keeps; each bound alone is enough for an event to go. At least one is given. */
export interface RetentionPolicy {
  /** Log time, ms. */
  readonly maxAgeMs?: number
  /** Messages. */
  readonly maxCount?: number
  /** Bytes of the bodies of one sender. */
  readonly maxBytes?: number
}

export interface ConversationCommand extends CommandBase {
  readonly kind: typeof CommandKind.conversation
  /** Empty for `create` and `direct`: the new id is a pure function of the command (A1). */
  readonly conv: string
  readonly operation: ConversationOperation
}

/** A final refusal decided outside apply, or the sender's own `cancel:R` (A5). */
export interface RefuseCommand extends CommandBase {
  readonly kind: typeof CommandKind.refuse
  readonly conv: string
  readonly code: 'CANCELLED' | 'REJECTED_SPAM' | 'USER_BLOCKED' | 'FORBIDDEN'
}

/** What is done to an earlier message of the conversation: an event of its own. */
interface TargetCommandBase extends CommandBase {
  readonly conv: string
  /** Seq of the message. */
  readonly target: number
}

export interface EditCommand extends TargetCommandBase {
  readonly kind: typeof CommandKind.edit
  /** msgpack bytes, opaque: what the message says from now on. */
  readonly body: Uint8Array
}

export interface RecallCommand extends TargetCommandBase {
  readonly kind: typeof CommandKind.recall
}

export interface ReactionCommand extends TargetCommandBase {
  readonly kind: typeof CommandKind.reaction
  readonly reaction: string
  /** `false` takes it back. */
  readonly on: boolean
}

/**
 * A command of nodes and operators: it has no key (rule A1) and changes nothing when it comes twice.
 * Where a write has its sender and conversation, these are empty.
 */
interface SystemCommandBase {
  readonly origin: number
  readonly request: number
  readonly user: ''
  readonly device: ''
  readonly msgId: ''
  readonly conv: ''
  readonly prev: null
  readonly since: null
}

/** How far one device of a member has got in a conversation: cumulative (rule B5). */
export interface CursorAck {
  readonly user: string
  readonly device: string
  readonly kind: CursorKind
  readonly upTo: number
}
export type CursorKind = 'delivered' | 'read'

/** The numbers are the device's cursor in its user's inbox (rule B3). */
export interface InboxAck {
  readonly user: string
  readonly device: string
  readonly inbox: number
}

/** What the clients of one node acknowledged within a moment (rule B5). */
export interface CursorsCommand extends SystemCommandBase {
  readonly kind: typeof CommandKind.cursors
  readonly conversations: readonly { readonly conv: string; readonly acks: readonly CursorAck[] }[]
  readonly inboxes: readonly InboxAck[]
}

/** The most acks, inbox cursors included, of one `cursors` command. */
export const MAX_CURSORS = 10_000

/** Sets what apply compares against (rule A9); what is not named stays as it is. */
export interface SettingsCommand extends SystemCommandBase {
  readonly kind: typeof CommandKind.settings
  readonly changes: SettingsChanges
}

export type AccountOperation =
  | {
      /** Tokens of the account issued before this are refused from now on. */
      readonly op: 'revoke'
      readonly account: string
      /** Only those of this device; `null`: of all. */
      readonly ofDevice: string | null
      /** Wall time in ms. A smaller one than before changes nothing. */
      readonly before: number
    }
  /** What the user said is to go, from every conversation: a leader's retention sees to it. */
  | { readonly op: 'erase'; readonly account: string }
  /** It is gone. */
  | { readonly op: 'erased'; readonly account: string }

/** What an operator decided about one user. */
export interface AccountCommand extends SystemCommandBase {
  readonly kind: typeof CommandKind.account
  readonly operation: AccountOperation
}

/** Most seqs of one `expire`. */
export const MAX_EXPIRED_SEQS = 1_000

/** What a leader's retention takes away (rule A9): worked out outside apply, never by its clock. */
export type Removal =
  | { readonly op: 'truncate'; readonly from: string; readonly upTo: number }
  /** Ascending seqs whose bodies go. */
  | { readonly op: 'expire'; readonly from: string; readonly seqs: readonly number[] }

export interface RetentionCommand extends SystemCommandBase {
  readonly kind: typeof CommandKind.retention
  readonly removal: Removal
}

/** How a device that is away is called. */
export type PushTarget =
  /** By the operator's webhook, which gets the endpoint as it is: the token of another service. */
  | { readonly kind: 'webhook'; readonly endpoint: string }
  /** By the push service of a browser (RFC 8030); the keys, as base64url, are those of RFC 8291. */
  | {
      readonly kind: 'web'
      readonly endpoint: string
      readonly p256dh: string
      readonly auth: string
    }

export type PushOperation = {
  readonly account: string
  readonly ofDevice: string
} & (
  | { readonly op: 'subscribe'; readonly target: PushTarget }
  /** Only if this is the endpoint; `null`: whatever it is. */
  | { readonly op: 'unsubscribe'; readonly endpoint: string | null }
  /** The device is away and is going to be called for that entry of its user's inbox. */
  | { readonly op: 'claim'; readonly inbox: number }
  /** It was called, or cannot be. */
  | { readonly op: 'done'; readonly inbox: number }
  /** It is back: its next absence is another one. */
  | { readonly op: 'seen' }
)

/** What is kept of calling devices that are away (rule B9). */
export interface PushCommand extends SystemCommandBase {
  readonly kind: typeof CommandKind.push
  readonly operation: PushOperation
}

/** From the next entry on the cluster does what belongs to that feature level; it never falls. */
export interface LevelCommand extends SystemCommandBase {
  readonly kind: typeof CommandKind.level
  readonly level: number
}

export type SystemCommand =
  CursorsCommand | SettingsCommand | RetentionCommand | AccountCommand | PushCommand | LevelCommand

/** A write, or the refusal of one: it has a key, and one result for all its copies. */
export type KeyedCommand =
  | MessageCommand
  | ConversationCommand
  | RefuseCommand
  | EditCommand
  | RecallCommand
  | ReactionCommand

export type Command = KeyedCommand | SystemCommand

/** The head of a system command, for whoever submits one. */
export const SYSTEM_HEAD = {
  user: '',
  device: '',
  msgId: '',
  conv: '',
  prev: null,
  since: null,
} as const

/** Whether commands of this kind have a key: one result for all copies (rules A1, A2). */
export function isKeyed(kind: CommandKind): boolean {
  return kind < FIRST_SYSTEM_KIND
}

/** Kinds from here on are system commands. */
const FIRST_SYSTEM_KIND = 7

/** A command before the forwarder gave it its `origin` and `request`. */
export type Submission = {
  [K in CommandKind]: Omit<Extract<Command, { kind: K }>, 'origin' | 'request'>
}[CommandKind]
