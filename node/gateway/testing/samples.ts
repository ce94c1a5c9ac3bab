import { encodeBody, type RequestFrame, type ServerFrame, type WireError } from '#protocol'
import {
  type AppliedConversation,
  type ConversationEvent,
  type ConversationView,
  EventKind,
} from '../../state-machine/types.ts'

export const BODY = Uint8Array.from(encodeBody('hi'))

export function helloFrame(more: Partial<Extract<RequestFrame, { t: 'hello:R' }>> = {}) {
  return { t: 'hello:R', id: 0, v: [1, 1], device: 'd1', user: 'alice', ...more } as const
}

export function messageFrame(id: number, msgId = `m${id}`, more: { conv?: string } = {}) {
  return { t: 'msg:R', id, conv: 'c1', msgId, body: BODY, ...more } as const
}

export function event(seq: number, more: Partial<ConversationEvent> = {}): ConversationEvent {
  return {
    seq,
    kind: EventKind.message,
    ord: seq,
    msgId: `e${seq}`,
    from: 'bob',
    device: 'd9',
    at: 7,
    logTime: 5,
    body: BODY,
    replyTo: null,
    target: null,
    large: false,
    edited: null,
    recalled: false,
    expired: false,
    ...more,
  }
}

/** A large one: its events take no inbox numbers. */
export function conversation(id: string, ...users: string[]): AppliedConversation {
  return {
    id,
    kind: 'group',
    large: true,
    memberCount: users.length,
    isMember: (user) => users.includes(user),
    forEachMember: (visit) => users.forEach((user) => visit(user, null)),
  }
}

/** A small one, whose event being told has these numbers in the members' inboxes. */
export function numbered(id: string, inboxes: Record<string, number | null>): AppliedConversation {
  const users = Object.keys(inboxes)
  return {
    ...conversation(id, ...users),
    large: false,
    forEachMember: (visit) => users.forEach((user) => visit(user, inboxes[user] ?? null)),
  }
}

const SETTINGS = { firstSeq: 1, retention: null, history: false }

export function view(id: string, ...users: string[]): ConversationView {
  const members = users.map((user) => ({ user, role: 'member' as const, blocks: false }))
  const size = { large: false, memberCount: users.length, nextMembers: null }
  const place = { head: 3, ord: 2, createdAt: 1 }
  return { id, kind: 'group', name: null, meta: null, members, ...place, ...size, ...SETTINGS }
}

export function errorOf(frame: ServerFrame): WireError {
  if (!('error' in frame)) throw new Error(`${frame.t} is no failure`)
  return frame.error
}
