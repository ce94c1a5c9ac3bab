import { type WireError } from '../protocol/error-codes.ts'
import {
  answerTypeOf,
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
  /** How far each member is. */
  readonly receipts: Map<string, { delivered: number; read: number }>
}

export function fail(frame: RequestFrame, error: WireError): ServerFrame {
  return { t: answerTypeOf(frame.t), id: frame.id, error }
}

export const directId = (one: string, other: string): string => `d_${[one, other].sort().join('_')}`

export function view(conversation: StoredConversation): WireConversation {
  return {
    id: conversation.id,
    kind: conversation.kind,
    name: conversation.name,
    members: [...conversation.members].map((user) => ({ user, role: 'member' })),
    head: conversation.events.length,
    ord: conversation.events.length,
    createdAt: 0,
  }
}
