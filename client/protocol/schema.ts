import { ERROR_CODES } from './error-codes.ts'
import { EVENT_KINDS, type AnswerFrame, type NoticeFrame, type RequestFrame } from './frames.ts'
import { LIMITS } from './limits.ts'

/**
 * The wire as a table: every frame's fields, their types and bounds. Both codecs decode, validate
 * and encode by it, the documentation is checked against it, and its hash is pinned in
 * `version.ts`, so that no change of the wire goes unnoticed.
 */
export type FieldType =
  | { readonly type: 'id' }
  | { readonly type: 'integer'; readonly min: number; readonly max: number }
  /** `pattern` names an alphabet of `ALPHABETS`; `maxBytes` counts UTF-8. */
  | { readonly type: 'string'; readonly maxBytes: number; readonly alphabet?: Alphabet }
  | { readonly type: 'enum'; readonly values: readonly string[] }
  | { readonly type: 'boolean' }
  /** Opaque: msgpack bytes in memory, any value on the wire. */
  | { readonly type: 'value'; readonly limit: 'bodyBytes' | 'metaBytes' }
  | { readonly type: 'array'; readonly of: FieldType; readonly max: number }
  | { readonly type: 'range' }
  | { readonly type: 'object'; readonly fields: Fields }
  | { readonly type: 'nullable'; readonly of: FieldType }

export interface Field {
  readonly type: FieldType
  readonly required: boolean
}
export type Fields = Readonly<Record<string, Field>>

/** `name`: [A-Za-z0-9._:@-]. `printable`: ASCII from `!` to `~`. Neither may be empty. */
export type Alphabet = 'name' | 'printable'

export interface FrameSchema {
  readonly direction: 'toServer' | 'toClient'
  readonly fields: Fields
  /** Exactly one of these is given. */
  readonly oneOf?: readonly string[]
  /** Further fields by the value of `on`. */
  readonly variants?: { readonly on: string; readonly fields: Readonly<Record<string, Fields>> }
}

const MAX = Number.MAX_SAFE_INTEGER
const required = (type: FieldType): Field => ({ type, required: true })
const optional = (type: FieldType): Field => ({ type, required: false })
const nullable = (of: FieldType): FieldType => ({ type: 'nullable', of })
const array = (of: FieldType, max: number): FieldType => ({ type: 'array', of, max })
const object = (fields: Fields): FieldType => ({ type: 'object', fields })
const oneOf = (...values: readonly string[]): FieldType => ({ type: 'enum', values })
const text = (maxBytes: number): FieldType => ({ type: 'string', maxBytes })
const integer = (min = 0, max = MAX): FieldType => ({ type: 'integer', min, max })

const id: FieldType = { type: 'id' }
const boolean: FieldType = { type: 'boolean' }
const body: FieldType = { type: 'value', limit: 'bodyBytes' }
const meta: FieldType = { type: 'value', limit: 'metaBytes' }
const msgId: FieldType = { type: 'string', maxBytes: LIMITS.msgIdLength, alphabet: 'name' }
const device: FieldType = { type: 'string', maxBytes: LIMITS.deviceLength, alphabet: 'name' }
const user: FieldType = { type: 'string', maxBytes: LIMITS.userLength, alphabet: 'printable' }
const conv: FieldType = {
  type: 'string',
  maxBytes: LIMITS.conversationLength,
  alphabet: 'printable',
}
const role = oneOf('owner', 'admin', 'member')
const seq = integer(1)
const mark = text(256)
const url = text(512)
const inbox = optional(nullable(integer()))

const node = object({ id: required(text(64)), url: required(url) })
const gap = object({
  from: required(integer()),
  to: required(integer()),
  reason: required(oneOf('membership', 'retention', 'restore')),
})
const error = object({
  code: required(oneOf(...Object.keys(ERROR_CODES))),
  category: required(oneOf('invalid', 'rejected', 'auth', 'overload', 'unavailable', 'internal')),
  message: required(text(4096)),
  retryable: required(boolean),
  retryAfterMs: optional(integer()),
  leader: optional(nullable(node)),
  outcome: required(oneOf('notApplied', 'unknown')),
})
const conversation = object({
  id: required(conv),
  kind: required(oneOf('direct', 'group')),
  name: required(nullable(text(LIMITS.nameBytes))),
  meta: optional(meta),
  members: required(array(object({ user: required(user), role: required(role) }), 1_000_000)),
  head: required(integer()),
  ord: required(integer()),
  createdAt: required(integer()),
  retention: optional(meta),
  history: optional(boolean),
  blocked: optional(boolean),
  large: optional(boolean),
  memberCount: optional(integer()),
  nextMembers: optional(integer()),
})
const receipts = object({
  seq: required(seq),
  delivered: required(integer()),
  read: required(integer()),
  members: optional(
    array(
      object({ user: required(user), delivered: required(integer()), read: required(integer()) }),
      1_000_000,
    ),
  ),
})
const eventDetails: Fields = {
  kind: required(oneOf(...EVENT_KINDS)),
  ord: required(integer()),
  msgId: required(msgId),
  from: required(user),
  device: required(device),
  at: required(integer()),
  body: optional(body),
  replyTo: optional(seq),
  target: optional(seq),
  large: optional(boolean),
  edited: optional(seq),
  recalled: optional(boolean),
  expired: optional(boolean),
}
const event: Fields = { seq: required(seq), ...eventDetails }

const order: Fields = { prev: optional(msgId), since: optional(integer()) }
const write: Fields = { id: required(id), msgId: required(msgId), ...order }
const conversationWrite: Fields = { msgId: required(msgId), ...order }
const inConversation: Fields = { conv: required(conv) }

const toServer = (fields: Fields, more: Partial<FrameSchema> = {}): FrameSchema => ({
  direction: 'toServer',
  fields,
  ...more,
})
const answer = (fields: Fields): FrameSchema => ({
  direction: 'toClient',
  fields: { id: required(id), ...fields, mark: optional(mark) },
})
const notice = (fields: Fields, more: Partial<FrameSchema> = {}): FrameSchema => ({
  direction: 'toClient',
  fields: { ...fields, mark: optional(mark) },
  ...more,
})

export const REQUEST_SCHEMAS: Readonly<Record<RequestFrame['t'], FrameSchema>> = {
  'hello:R': toServer({
    id: required(id),
    v: required({ type: 'range' }),
    device: required(device),
    token: optional(text(LIMITS.tokenBytes)),
    user: optional(user),
    sdk: optional(text(64)),
    mode: optional(oneOf('push', 'notify')),
    resume: optional(
      object({ epoch: required(text(64)), inbox: optional(integer()), mark: optional(mark) }),
    ),
  }),
  'msg:R': toServer(
    {
      id: required(id),
      conv: optional(conv),
      to: optional(user),
      msgId: required(msgId),
      body: required(body),
      replyTo: optional(seq),
      ...order,
      large: optional(boolean),
    },
    { oneOf: ['conv', 'to'] },
  ),
  'edit:R': toServer({ ...write, ...inConversation, seq: required(seq), body: required(body) }),
  'recall:R': toServer({ ...write, ...inConversation, seq: required(seq) }),
  'react:R': toServer({
    ...write,
    ...inConversation,
    seq: required(seq),
    reaction: required(text(LIMITS.reactionBytes)),
    on: required(boolean),
  }),
  'conv:R': toServer(
    { id: required(id) },
    {
      variants: {
        on: 'op',
        fields: {
          create: {
            ...conversationWrite,
            members: required(array(user, LIMITS.members)),
            name: optional(text(LIMITS.nameBytes)),
            meta: optional(meta),
          },
          direct: { ...conversationWrite, with: required(user) },
          get: { ...inConversation, membersFrom: optional(integer()) },
          list: { limit: optional(integer(1, LIMITS.pageEvents)) },
          add: {
            ...conversationWrite,
            ...inConversation,
            user: required(user),
            role: optional(oneOf('admin', 'member')),
          },
          remove: { ...conversationWrite, ...inConversation, user: required(user) },
          role: {
            ...conversationWrite,
            ...inConversation,
            user: required(user),
            role: required(role),
          },
          leave: { ...conversationWrite, ...inConversation },
          set: {
            ...conversationWrite,
            ...inConversation,
            name: optional(nullable(text(LIMITS.nameBytes))),
            meta: optional(meta),
            retention: optional(meta),
            history: optional(boolean),
          },
          block: { ...conversationWrite, conv: optional(conv), user: required(user) },
          unblock: { ...conversationWrite, conv: optional(conv), user: required(user) },
          receipts: { ...inConversation, seq: required(seq) },
        },
      },
    },
  ),
  'cancel:R': toServer({ id: required(id), ...inConversation, msgId: required(msgId) }),
  'ack:R': toServer({
    id: required(id),
    acks: required(
      array(
        object({
          ...inConversation,
          upTo: required(integer()),
          kind: required(oneOf('delivered', 'read')),
        }),
        LIMITS.acks,
      ),
    ),
    inbox: optional(integer()),
  }),
  'sync:R': toServer({
    id: required(id),
    after: required(integer()),
    limit: required(integer(1, LIMITS.pageEvents)),
    ack: optional(integer()),
    positions: optional(
      array(object({ ...inConversation, seq: required(integer()) }), LIMITS.acks),
    ),
    bodies: optional(oneOf('full', 'small')),
    mark: optional(mark),
  }),
  'pull:R': toServer(
    {
      id: required(id),
      ...inConversation,
      after: optional(integer()),
      before: optional(integer()),
      limit: required(integer(1, LIMITS.pageEvents)),
      ack: optional(integer()),
      read: optional(oneOf('session', 'linearizable')),
      mark: optional(mark),
    },
    { oneOf: ['after', 'before'] },
  ),
  'signal:R': toServer(
    {
      id: required(id),
      conv: optional(conv),
      to: optional(user),
      name: required(text(64)),
      body: required(body),
      n: required(integer()),
      ttlMs: optional(integer()),
    },
    { oneOf: ['conv', 'to'] },
  ),
  'ping:R': toServer({ id: required(id), inbox: optional(integer()) }),
}

const SERVER_PAGE = 1_000_000

export const SERVER_SCHEMAS: Readonly<Record<AnswerFrame['t'] | NoticeFrame['t'], FrameSchema>> = {
  'hello:A': answer({
    v: required(integer()),
    features: required(array(text(64), 256)),
    user: required(user),
    device: required(device),
    node: required(text(64)),
    leader: required(nullable(node)),
    nodes: required(array(node, 256)),
    epoch: required(text(64)),
    now: required(integer()),
    inbox: required(nullable(integer())),
    heartbeatMs: required(integer(1)),
    spreadMs: required(integer()),
    limits: required(
      object({
        bodyBytes: required(integer()),
        messageBytes: required(integer()),
        framesPerMessage: required(integer()),
        inflight: required(integer()),
        pageEvents: required(integer()),
        members: required(integer()),
      }),
    ),
  }),
  'msg:A': answer({
    msgId: required(msgId),
    conv: required(conv),
    seq: required(seq),
    at: required(integer()),
    ord: required(integer()),
    duplicate: required(boolean),
    inbox,
    now: required(integer()),
  }),
  'conv:A': answer({
    conversation: optional(conversation),
    conversations: optional(array(conversation, SERVER_PAGE)),
    receipts: optional(receipts),
    msgId: optional(msgId),
    seq: optional(integer()),
    duplicate: optional(boolean),
    now: optional(integer()),
  }),
  'cancel:A': answer({
    cancelled: optional(boolean),
    seq: optional(seq),
    at: optional(integer()),
  }),
  /** Without `kind` it is a bare notify, with it all of an event's required fields are there. */
  'msg:N': notice({ conv: required(conv), ...event, inbox }),
  'ack:A': answer({}),
  'ack:N': notice({
    conv: required(conv),
    kind: required(oneOf('stored', 'delivered', 'read', 'expired')),
    upTo: required(integer()),
    at: required(integer()),
    by: optional(user),
    count: optional(integer()),
    seqs: optional(array(seq, SERVER_PAGE)),
  }),
  'sync:A': answer({
    events: required(
      array(object({ conv: required(conv), inbox: required(integer()), ...event }), SERVER_PAGE),
    ),
    statuses: required(
      array(
        object({
          conv: required(conv),
          user: required(user),
          kind: required(oneOf('delivered', 'read')),
          upTo: required(integer()),
        }),
        SERVER_PAGE,
      ),
    ),
    conversations: required(
      array(
        object({ conv: required(conv), head: required(integer()), unread: required(integer()) }),
        SERVER_PAGE,
      ),
    ),
    next: required(integer()),
    upTo: required(integer()),
    hasMore: required(boolean),
    gap: optional(nullable(gap)),
  }),
  'pull:A': answer({
    events: required(array(object(event), SERVER_PAGE)),
    next: required(integer()),
    upTo: required(integer()),
    hasMore: required(boolean),
    gap: optional(nullable(gap)),
  }),
  'signal:A': answer({}),
  'signal:N': notice({
    conv: optional(conv),
    from: required(user),
    device: required(device),
    name: required(text(64)),
    body: required(body),
  }),
  'ping:A': answer({
    inbox,
    heads: optional(array(object({ conv: required(conv), seq: required(integer()) }), SERVER_PAGE)),
    now: required(integer()),
  }),
  'leader:N': notice({ leader: required(nullable(node)) }),
  'caughtup:N': notice({ inbox: required(nullable(integer())) }),
  'goaway:N': notice({ reconnectAfterMs: required(integer()), url: optional(url) }),
  'error:N': notice({ error: required(error) }),
}

/** A bare notify: `msg:N` without `kind`. */
export const BARE_NOTICE_SCHEMA: FrameSchema = notice({
  conv: required(conv),
  seq: required(seq),
  inbox,
})

/** What an answer holds when it tells of a failure. */
export const FAILURE_SCHEMA: FrameSchema = answer({ error: required(error) })
