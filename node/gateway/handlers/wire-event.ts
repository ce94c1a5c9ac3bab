import type { WireConversation, WireEvent, WireEventKind } from '#protocol'
import { policyValue } from '../../state-machine/event-body.ts'
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
    target: event.target ?? undefined,
    large: event.large ? true : undefined,
    edited: event.edited ?? undefined,
    recalled: event.recalled ? true : undefined,
    expired: event.expired ? true : undefined,
  }
}

/** As `user` may see it: whom he blocks is his own business. */
export function wireConversation(view: ConversationView, user: string): WireConversation {
  const blocks = view.members.some((member) => member.user === user && member.blocks)
  return {
    id: view.id,
    kind: view.kind,
    name: view.name,
    meta: view.meta ?? undefined,
    members: view.members.map(({ user: name, role }) => ({ user: name, role })),
    head: view.head,
    ord: view.ord,
    createdAt: view.createdAt,
    retention: view.retention === null ? undefined : policyValue(view.retention),
    history: view.history ? true : undefined,
    blocked: blocks ? true : undefined,
    large: view.large ? true : undefined,
    memberCount: view.large ? view.memberCount : undefined,
    nextMembers: view.nextMembers ?? undefined,
  }
}
