import type { ErrorCode } from '#protocol'
import type { Settings } from './settings.ts'
import type { CursorKind, PushTarget, RetentionPolicy } from './commands.ts'

/** What an event of a conversation is (rule B1). Numbers are part of the store format. */
export const EventKind = {
  message: 1,
  edit: 2,
  recall: 3,
  reaction: 4,
  member: 5,
  settings: 6,
} as const
export type EventKind = (typeof EventKind)[keyof typeof EventKind]

/** One event of a conversation's stream as it is pulled and pushed (rule B1). */
export interface ConversationEvent {
  readonly seq: number
  readonly kind: EventKind
  /** Messages up to and including this event. */
  readonly ord: number
  readonly msgId: string
  readonly from: string
  readonly device: string
  /** Wall time in ms, for display; never falling within a conversation (rule A8). */
  readonly at: number
  /** Log time in ms at which it was decided: what windows compare (rules A3, A8). */
  readonly logTime: number
  /** msgpack bytes exactly as stored; `null` where the kind has none. */
  readonly body: Uint8Array | null
  readonly replyTo: number | null
  /** Seq of the message that an edit, recall or reaction is about. */
  readonly target: number | null
  readonly large: boolean
  /** Seq of the last edit, whose body this is; `null` if it is as it was sent. */
  readonly edited: number | null
  /** Taken back by its author or an owner or admin: there is no body any more. */
  readonly recalled: boolean
  /** Removed by retention: there is no body any more. */
  readonly expired: boolean
}

export type MemberRole = 'owner' | 'admin' | 'member'

export interface MemberView {
  readonly user: string
  readonly role: MemberRole
  /** Of a direct conversation: takes no messages of the other side. Nobody else's business. */
  readonly blocks: boolean
}

/** A conversation as one of its members may see it. */
export interface ConversationView {
  readonly id: string
  readonly kind: 'direct' | 'group'
  readonly name: string | null
  /** msgpack bytes, opaque. */
  readonly meta: Uint8Array | null
  readonly members: readonly MemberView[]
  /** The newest seq, 0 before the first event. */
  readonly head: number
  readonly ord: number
  readonly createdAt: number
  /** Its events take no inbox entries (rule B3): heads tell of them. */
  readonly large: boolean
  /** Present members. */
  readonly memberCount: number
  /** Of a large conversation: where its next members begin in the list, `null` if none follow. */
  readonly nextMembers: number | null
  /** Retention took away what is below. */
  readonly firstSeq: number
  /** `null`: everything is kept. */
  readonly retention: RetentionPolicy | null
  /** Who joins sees what was there before (rule B7). */
  readonly history: boolean
}

/** How far a conversation has come, as one of its members may see it. */
export interface ConversationHead {
  readonly id: string
  /** Its events take no inbox entries (rule B3). */
  readonly large: boolean
  /** The newest seq, 0 before the first event. */
  readonly head: number
  readonly ord: number
}

/** The final word of the log on one write (rules A2, A5). */
export type WriteResult =
  | {
      readonly ok: true
      readonly conv: string
      readonly msgId: string
      readonly seq: number
      readonly ord: number
      readonly at: number
      /**
       * The number that the event took in its writer's own inbox. `null` for a copy of an earlier
       * write, in a large conversation, without an event, and once no number is left.
       */
      readonly inbox: number | null
      /** The log held the same write already: this is its first result. */
      readonly duplicate: boolean
      /** Log time of this answer, for `since`. */
      readonly now: number
    }
  | {
      readonly ok: false
      readonly msgId: string
      readonly code: ErrorCode
      readonly message: string
      readonly now: number
    }

/** Tokens of the user issued before `before` (wall time, ms) are refused; of one device or of all. */
export interface Revocation {
  readonly user: string
  readonly device: string | null
  readonly before: number
}

/** Called during apply, in log order; must return at once and never throw. */
export interface ApplyListener {
  /** `origin` and `request` are what the proposing gateway put into the command. */
  onResult(origin: number, request: number, result: WriteResult): void
  onEvent(conversation: AppliedConversation, event: ConversationEvent): void
  /** A member's cursor rose (rule B5). */
  onReceipt?(receipt: AppliedReceipt): void
  /** A message that the log held already was sent again: `seq` is where it stands. */
  onDuplicate?(conversation: AppliedConversation, seq: number, from: string): void
  onRemoved?(removal: AppliedRemoval): void
  /** Every command of the entry at `index` was applied. */
  onApplied(index: number): void
  /** Tokens are refused from now on, those of live sessions too. */
  onRevoked?(revocation: Revocation): void
  /** A device subscribed, or ended that, or may be called again for it was seen (rule B9). */
  onPush?(device: { readonly user: string; readonly device: string }): void
  onSettings?(settings: Settings): void
  /** The feature level of the cluster rose. */
  onLevel?(level: number): void
}

/** Retention took away bodies, or the beginning of the conversation. */
export interface AppliedRemoval {
  readonly conversation: AppliedConversation
  readonly from: number
  readonly upTo: number
  /** Ascending; `null`: all from `from` to `upTo`. */
  readonly seqs: readonly number[] | null
}

/** How far one has got who is or was a member. */
export interface MemberProgress {
  readonly user: string
  readonly role: MemberRole
  readonly isPresent: boolean
  /** Seqs that he may see as from, to, from, to, …, inclusive; the last `to` is infinite while he is there. */
  readonly visible: readonly number[]
  /** Over all his devices, not above `head`. */
  readonly delivered: number
  /** Never past `delivered`. */
  readonly read: number
  /** Events above the one and the other cursor that are kept and that he may see. */
  readonly undelivered: number
  readonly unread: number
  /** The oldest of the undelivered ones. */
  readonly firstUndelivered: number | null
}

/** How a conversation stands, for whoever operates the cluster: nothing that a user wrote. */
export interface ConversationProgress {
  readonly id: string
  readonly kind: 'direct' | 'group'
  readonly createdAt: number
  readonly head: number
  readonly ord: number
  /** Wall time in ms of the newest event, for display; 0 before the first. */
  readonly lastAt: number
  readonly firstSeq: number
  readonly large: boolean
  readonly retention: RetentionPolicy | null
  readonly history: boolean
  /** Present members. */
  readonly memberCount: number
  /** Whoever is or was one. */
  readonly listed: number
  /** At some hundred positions of their list. */
  readonly members: readonly MemberProgress[]
  /** The position at which the next ones begin, `null` if none follow. */
  readonly next: number | null
}

/** How far the inbox of a user is, and his devices in it. */
export interface InboxPosition {
  readonly user: string
  readonly head: number
  readonly devices: readonly DevicePosition[]
}

/** Enough of a conversation to route an event to sessions without copying it. */
export interface AppliedConversation {
  readonly id: string
  readonly kind: 'direct' | 'group'
  /** Its events take no inbox entries (rule B3). */
  readonly large: boolean
  /** Present members. */
  readonly memberCount: number
  isMember(user: string): boolean
  /**
   * Calls `visit` for each present member with the number that the event being told took in his
   * inbox; `null` in a large conversation and once no number was left.
   */
  forEachMember(visit: (user: string, inbox: number | null) => void): void
}

/** An event that stands in a user's inbox (rule B3). */
export interface InboxEvent {
  readonly inbox: number
  readonly conv: string
  readonly seq: number
  /** `null`: the event is there no more. */
  readonly event: ConversationEvent | null
}

/** A page of a user's inbox, ascending; its numbers have no hole, but for `gap` in front. */
export interface InboxPage {
  readonly entries: readonly InboxEvent[]
  /** Position for the next page: the number of the last entry, or the end of the gap. */
  readonly next: number
  /** The user's newest number when it was read. */
  readonly upTo: number
  readonly hasMore: boolean
  /** Inbox numbers whose entries are kept no more. */
  readonly gap: { readonly from: number; readonly to: number; readonly reason: GapReason } | null
}

/** How a device is called when it is away, and what it was called for (rule B9). */
export interface PushSubscription {
  readonly device: string
  readonly target: PushTarget
  /** The inbox number that it was last called for, or the newest one when it subscribed. */
  readonly told: number
  /** Of this absence: whether the device is being called, or was. */
  readonly claim: 'none' | 'claimed' | 'done'
}

/** Up to where one of a user's devices has his inbox. */
export interface DevicePosition {
  readonly device: string
  readonly inbox: number
  /** Log time in ms when it was last heard of. */
  readonly seen: number
}

/** A cursor of a member that rose, valid during the call it is passed to (rule B5). */
export interface AppliedReceipt {
  readonly conversation: AppliedConversation
  readonly user: string
  /** The device that acknowledged. */
  readonly device: string
  /** `read` raises `delivered` too, without a receipt of its own. */
  readonly kind: CursorKind
  /** Where the cursor stood, 0 at first. */
  readonly previous: number
  readonly upTo: number
  /** Wall time in ms, for display. */
  readonly at: number
  /** Who wrote what it now covers; `null` if that is too much or too long ago to say at once. */
  writers(): ReadonlySet<string> | null
}

/** How far a member has got, over all his devices. */
export interface MemberReceipt {
  readonly user: string
  readonly delivered: number
  /** Never past `delivered`. */
  readonly read: number
  /** Log index at which one of the two last rose; 0: never. */
  readonly changedIndex: number
}

/** A cursor of a member, as it is now. */
export interface ReceiptChange {
  readonly conv: string
  readonly user: string
  readonly kind: CursorKind
  readonly upTo: number
}

export interface ReceiptCounts {
  /** Present members. */
  readonly members: number
  /** For each seq that was asked for, how many of them have got there. */
  readonly delivered: readonly number[]
  readonly read: readonly number[]
}

export interface EventPage {
  readonly events: readonly ConversationEvent[]
  /** The cursor for the next page in the same direction. */
  readonly next: number
  /** The page is complete up to this seq (rule B1, B2). */
  readonly upTo: number
  readonly hasMore: boolean
  /** Seqs that this user never gets, and why (rule B7). */
  readonly gap: { readonly from: number; readonly to: number; readonly reason: GapReason } | null
}

export type GapReason = 'membership' | 'retention' | 'restore'

/** A page of the feed of all conversations, in the order of the log, equal on every node. */
export interface FeedPage {
  readonly entries: readonly FeedEntry[]
  /** The number to go on after. */
  readonly next: number
  /** Number of the newest event as of this read. */
  readonly head: number
  /** Numbers before the page that are kept no more. */
  readonly gap: { readonly from: number; readonly to: number } | null
}

export interface FeedEntry {
  /** Events of all conversations are numbered from 1. */
  readonly number: number
  readonly conv: string
  readonly seq: number
  /** With its present content (rule B1); `null`: retention removed it. */
  readonly event: ConversationEvent | null
}

/** Reads of the applied state. Each is complete as of one applied index or fails (rule K4). */
/** Where a list goes on: the last change that it showed, in log time, and of which conversation. */
export interface ListPosition {
  readonly changedAt: number
  readonly id: string
}

/** One page of a list; `next` is `null` where it ends. */
export interface ConversationList {
  readonly conversations: readonly ConversationView[]
  readonly next: ListPosition | null
}

export interface StateReader {
  readonly appliedIndex: number
  /** Log time in ms of the newest applied entry (rule A8). */
  readonly logTime: number
  /** Of a large conversation with the members of some hundred positions, from there on. */
  conversation(id: string, membersFrom?: number): Promise<ConversationView | null>
  /** Whether `user` is a present member of the conversation; false too if there is none. */
  isMember(id: string, user: string): Promise<boolean>
  /** Whether `user` is a member or was one: may see some part of it (rule B7). */
  wasMember(id: string, user: string): Promise<boolean>
  /**
   * The conversations `user` is or was a member of, newest change first: those `after` a place, at
   * most `limit`, cut at the bound of bytes of a page.
   */
  conversationsOf(
    user: string,
    limit: number,
    after?: ListPosition | null,
  ): Promise<ConversationList>
  /** The newest of them in the same order, by their heads alone. */
  headsOf(user: string, limit: number): Promise<ConversationHead[]>
  /** The newest number of the user's inbox, 0 before the first; `null`: no number is left. */
  inboxHead(user: string): Promise<number | null>
  /** Entries with numbers above `after`, at most `limit`. */
  inboxAfter(user: string, after: number, limit: number): Promise<InboxPage>
  /**
   * The conversations whose events inboxes leave out, or once left out, while the user was a member:
   * with the newest such seq that he may see.
   */
  largeHeads(user: string): Promise<{ readonly conv: string; readonly seq: number }[]>
  /** The user's devices that were heard of, the latest last. */
  devicesOf(user: string): Promise<readonly DevicePosition[]>
  /** `false`: nobody ever subscribed to be called. */
  readonly hasPushSubscriptions: boolean
  /** The user's devices that are called when they are away (rule B9). */
  pushSubscriptions(user: string): Promise<readonly PushSubscription[]>
  /** Users who have such devices, from a place of their order on, 0 at first; `null`: no more. */
  pushUsers(
    from: number,
  ): Promise<{ readonly users: readonly string[]; readonly next: number } | null>
  /** `null`: no such conversation. Throws nothing for a non-member: the page is then all gap. */
  eventsAfter(id: string, user: string, after: number, limit: number): Promise<EventPage | null>
  eventsBefore(id: string, user: string, before: number, limit: number): Promise<EventPage | null>
  /** Of everything that the conversation keeps, whoever may see it: for the node itself. */
  allEventsAfter(id: string, after: number, limit: number): Promise<EventPage | null>
  /**
   * Who wrote the newest messages from `from` to `upTo`, as far as the store still has them, whatever
   * retention did: at most 1,000, newest last.
   */
  authorsBetween(
    id: string,
    from: number,
    upTo: number,
  ): Promise<readonly { readonly seq: number; readonly author: string }[]>
  /**
   * Seqs of the messages and edits of `user` among the `limit` events after `after` that were not
   * taken away: also of edits that nobody sees, as their message is gone. `next` is where to go on,
   * `null` at the end.
   */
  bodiesAfter(
    id: string,
    user: string,
    after: number,
    limit: number,
  ): Promise<{ readonly seqs: readonly number[]; readonly next: number | null } | null>
  /** Conversations with a retention policy, in an order of their own, after one of them or ''. */
  retainedConversations(after: string, limit: number): Promise<string[]>
  /** Users whose messages are being erased, in an order of their own, after one of them or ''. */
  erasingUsers(after: string, limit: number): Promise<string[]>
  /** Whether the user is among them. */
  isErasing(user: string): Promise<boolean>
  /** Every conversation that `user` is or was a member of, in no order. */
  conversationIdsOf(user: string): Promise<string[]>
  /** What apply compares against at present (rule A9). */
  readonly settings: Settings
  /** Feature level of the cluster. */
  readonly level: number
  /**
   * Tokens of the user issued before this wall time in ms are refused; 0: none was revoked. A token
   * of a device is also bound by what was revoked for that device.
   */
  revokedBefore(user: string, device: string | null): Promise<number>
  /** Every present member's cursors, `null` if there is no such conversation (rule B5). */
  receiptsOf(id: string): Promise<MemberReceipt[] | null>
  receiptCounts(id: string, upTos: readonly number[]): Promise<ReceiptCounts | null>
  /** The user's own cursors; zeros where nothing was acknowledged, or there is nothing. */
  cursorsOf(id: string, user: string): Promise<{ delivered: number; read: number }>
  /**
   * What changed after that log index, the newest first: the cursors of the others in the user's small
   * conversations, and how far he has read himself.
   */
  receiptsChanged(user: string, after: number, limit: number): Promise<ReceiptChange[]>
  /**
   * For each conversation with events in the user's inbox up to `upTo` and above the device's cursor:
   * the newest of them.
   */
  inboxReach(user: string, device: string, upTo: number): Promise<{ conv: string; seq: number }[]>
  /**
   * How it stands, and how far its members from that position of their list on have got; `null`: there
   * is no such conversation.
   */
  progressOf(id: string, membersFrom: number): Promise<ConversationProgress | null>
  /** How many conversations there are. */
  readonly conversationCount: number
  /** As `progressOf` of at most `limit` of them, in the order they came, behind the first `after`. */
  progressAfter(after: number, limit: number): Promise<readonly ConversationProgress[]>
  /** How many users are or were in a conversation. */
  readonly userCount: number
  /**
   * How far their inboxes are, page by page after a user or `null`; `next` is `null` at the end. Who
   * came in the last minutes may stand in none: `newcomers` names them, some of them again and again.
   */
  inboxPositions(
    after: string | null,
    limit: number,
  ): Promise<{ readonly positions: readonly InboxPosition[]; readonly next: string | null }>
  newcomers(): Iterable<string>
  /** The same of users by name. */
  inboxPositionsOf(users: readonly string[]): Promise<readonly InboxPosition[]>
  /** Number of the newest event of all conversations together. */
  readonly feedHead: number
  /** Every event of every conversation after that number, whoever may see it; at most `limit`. */
  feedAfter(after: number, limit: number): Promise<FeedPage>
  /** Hash over everything applied so far: equal on every node at an equal index (rule K5). */
  readonly stateHash: string
}
