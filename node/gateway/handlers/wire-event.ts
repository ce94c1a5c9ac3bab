import type { WireConversation, WireEvent, WireEventKind } from '#protocol'
import {
  type ConversationEvent,
  type ConversationView,
  EventKind,
} from '../../state-machine/types.ts'

const KIND_NAMES: Readonly<Record<EventKind, WireEventKind>> = {
  [EventKind.message]: 'message',
  [EventKind.edit]: 'edit',
  [EventKind.recall]: 'recall',
  [EventKind.reaction]: 'reaction',
  [EventKind.member]: 'member',
  [EventKind.settings]: 'settings',
}

export function wireEvent(event: ConversationEvent): WireEvent {
  return {
    seq: event.seq,
    kind: KIND_NAMES[event.kind],
    ord: event.ord,
    msgId: event.msgId,
    from: event.from,
    device: event.device,
    at: event.at,
    body: event.body ?? undefined,
    replyTo: event.replyTo ?? undefined,
    large: event.large ? true : undefined,
  }
}

export function wireConversation(view: ConversationView): WireConversation {
  return {
    id: view.id,
    kind: view.kind,
    name: view.name,
    meta: view.meta ?? undefined,
    members: view.members,
    head: view.head,
    ord: view.ord,
    createdAt: view.createdAt,
  }
}
