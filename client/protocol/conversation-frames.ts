import type { FrameId, Marked, OpaqueValue, WriteRequest } from './frames.ts'

/** Frames about conversations and their members. */

export type Role = 'owner' | 'admin' | 'member'

interface ConversationWrite extends WriteRequest {
  readonly t: 'conv:R'
}

interface BlockOperation<Op extends string> {
  readonly op: Op
  /** The direct conversation with `user`, if it is given. */
  readonly conv?: string | undefined
  readonly user: string
}

export type ConversationRequest =
  | (ConversationWrite & {
      readonly op: 'create'
      readonly members: readonly string[]
      readonly name?: string | undefined
      readonly meta?: OpaqueValue | undefined
    })
  | (ConversationWrite & { readonly op: 'direct'; readonly with: string })
  | {
      readonly t: 'conv:R'
      readonly id: FrameId
      readonly op: 'get'
      readonly conv: string
      /** Of a large conversation: the members from there on, `nextMembers` of an earlier answer. */
      readonly membersFrom?: number | undefined
    }
  | {
      readonly t: 'conv:R'
      readonly id: FrameId
      readonly op: 'list'
      readonly limit?: number | undefined
      /** Goes on after an earlier answer: its `next`. */
      readonly after?: string | undefined
    }
  | (ConversationWrite & {
      readonly op: 'add'
      readonly conv: string
      readonly user: string
      readonly role?: 'admin' | 'member' | undefined
    })
  | (ConversationWrite & { readonly op: 'remove'; readonly conv: string; readonly user: string })
  | (ConversationWrite & {
      readonly op: 'role'
      readonly conv: string
      readonly user: string
      readonly role: Role
    })
  | (ConversationWrite & { readonly op: 'leave'; readonly conv: string })
  | (ConversationWrite & {
      readonly op: 'set'
      readonly conv: string
      /** `null` removes it. */
      readonly name?: string | null | undefined
      readonly meta?: OpaqueValue | undefined
      readonly retention?: OpaqueValue | undefined
      readonly history?: boolean | undefined
    })
  | (ConversationWrite & BlockOperation<'block'>)
  | (ConversationWrite & BlockOperation<'unblock'>)
  | {
      readonly t: 'conv:R'
      readonly id: FrameId
      readonly op: 'receipts'
      readonly conv: string
      readonly seq: number
    }

export interface WireMember {
  readonly user: string
  readonly role: Role
}

export interface WireConversation {
  readonly id: string
  readonly kind: 'direct' | 'group'
  readonly name: string | null
  readonly meta?: OpaqueValue | undefined
  readonly members: readonly WireMember[]
  /** The newest seq, 0 before the first event. */
  readonly head: number
  readonly ord: number
  readonly createdAt: number
  /** Bounds of what is kept (`maxAgeMs`, `maxCount`, `maxBytes`); absent: everything is. */
  readonly retention?: OpaqueValue | undefined
  /** Who joins sees what was there before. */
  readonly history?: boolean | undefined
  /** You block the other side of this direct conversation. */
  readonly blocked?: boolean | undefined
  /** Its events have no inbox numbers, and `members` are some of them: in `list` none. */
  readonly large?: boolean | undefined
  /** Of a large one: present members. */
  readonly memberCount?: number | undefined
  /** Of a large one: there may be more members, from here on. */
  readonly nextMembers?: number | undefined
}

/** How far the present members have got; by name unless the conversation is large. */
export interface WireReceipts {
  readonly seq: number
  /** How many have it delivered, and have read it. */
  readonly delivered: number
  readonly read: number
  /** Up to which seq each. */
  readonly members?:
    | readonly { readonly user: string; readonly delivered: number; readonly read: number }[]
    | undefined
}

/** `list` answers `conversations`, every other operation `conversation`; writes add the last four. */
export interface ConversationAnswer extends Marked {
  readonly t: 'conv:A'
  readonly id: FrameId
  readonly conversation?: WireConversation | undefined
  readonly conversations?: readonly WireConversation[] | undefined
  /** For `list`: there are more, after this. */
  readonly next?: string | undefined
  /** For `receipts`. */
  readonly receipts?: WireReceipts | undefined
  readonly msgId?: string | undefined
  readonly seq?: number | undefined
  readonly duplicate?: boolean | undefined
  readonly now?: number | undefined
}
