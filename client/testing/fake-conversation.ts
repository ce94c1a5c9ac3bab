import { type WireError } from '../protocol/error-codes.ts'
import {
  answerTypeOf,
  type ConversationRequest,
  type OpaqueValue,
  type RequestFrame,
  type ServerFrame,
  type WireConversation,
  type WireEvent,
} from '../protocol/frames.ts'

export interface StoredConversation {
  readonly id: string
  readonly kind: 'direct' | 'group'
  readonly members: Set<string>
  readonly events: WireEvent[]
  name: string | null
  retention?: OpaqueValue
  history?: boolean
  blocked?: boolean
  /** More than so many members are shown by pages. */
  pageMembers?: number
  /** How far each member is. */
  readonly receipts: Map<string, { delivered: number; read: number }>
}

export function fail(frame: RequestFrame, error: WireError): ServerFrame {
  return { t: answerTypeOf(frame.t), id: frame.id, error }
}

export const directId = (one: string, other: string): string => `d_${[one, other].sort().join('_')}`

type SetRequest = Extract<ConversationRequest, { op: 'set' }>

export function set(conversation: StoredConversation, frame: SetRequest): void {
  if (frame.name !== undefined) conversation.name = frame.name
  if (frame.retention !== undefined) conversation.retention = frame.retention
  if (frame.history !== undefined) conversation.history = frame.history
}

export function view(conversation: StoredConversation, membersFrom = 0): WireConversation {
  const { pageMembers, retention, history, blocked } = conversation
  const all = [...conversation.members]
  const next = membersFrom + (pageMembers ?? Infinity)
  return {
    id: conversation.id,
    kind: conversation.kind,
    name: conversation.name,
    members: all.slice(membersFrom, next).map((user) => ({ user, role: 'member' })),
    head: conversation.events.length,
    ord: conversation.events.length,
    createdAt: 0,
    retention,
    history,
    blocked,
    ...(pageMembers === undefined ? {} : { large: true, memberCount: all.length }),
    nextMembers: next < all.length ? next : undefined,
  }
}
