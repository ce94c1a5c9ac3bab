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

/** Names of the fields whose values are opaque, wherever in a frame they stand. */
export const OPAQUE_FIELDS: ReadonlySet<string> = new Set(['body', 'meta', 'retention'])

const integer = (min = 0): FieldType => ({ type: 'integer', min, max: Number.MAX_SAFE_INTEGER })
const ascii = (maxBytes: number, alphabet: Alphabet): FieldType => ({
  type: 'string',
  maxBytes,
  alphabet,
})
const meta: FieldType = { type: 'value', limit: 'metaBytes' }

/** Types by name. Those of objects, further down, are made of those before them. */
const types: Record<string, FieldType> = {
  id: { type: 'id' },
  int: integer(),
  seq: integer(1),
  limit: { type: 'integer', min: 1, max: LIMITS.pageEvents },
  bool: { type: 'boolean' },
  range: { type: 'range' },
  body: { type: 'value', limit: 'bodyBytes' },
  meta,
  retention: meta,
  msgId: ascii(LIMITS.msgIdLength, 'name'),
  device: ascii(LIMITS.deviceLength, 'name'),
  user: ascii(LIMITS.userLength, 'printable'),
  conv: ascii(LIMITS.conversationLength, 'printable'),
  code: { type: 'enum', values: Object.keys(ERROR_CODES) },
  kind: { type: 'enum', values: EVENT_KINDS },
}

/**
 * The fields that a text names: `name:type`, or `name` alone where the type has the same name; with
 * `?` it is optional. A type is one of `types`; a number, for a text of so many bytes; words with `|`
 * between them, for one of these; `[9]type`, for a list of at most nine; `type~`, where it may be null.
 */
const fields = (text: string): Fields =>
  Object.fromEntries(
    text.split(' ').map((word) => {
      const [, name, mark, type] = /^(\w+)(\??)(?::(.+))?$/.exec(word)!
      return [name!, { type: typeOf(type ?? name!), required: mark === '' }]
    }),
  )

function typeOf(text: string): FieldType {
  if (text.endsWith('~')) return { type: 'nullable', of: typeOf(text.slice(0, -1)) }
  const list = /^\[(\d+)\](.+)$/.exec(text)
  if (list !== null) return { type: 'array', of: typeOf(list[2]!), max: Number(list[1]) }
  if (text.includes('|')) return { type: 'enum', values: text.split('|') }
  if (Number(text) > 0) return { type: 'string', maxBytes: Number(text) }
  const type = types[text]
  if (type === undefined) throw new TypeError(`the schema has no type ${text}`)
  return type
}

const PAGE = '[1000000]'
const MARK = 'mark?:256'
const NAME = LIMITS.nameBytes
const EVENT =
  'seq kind ord:int msgId from:user device at:int body? replyTo?:seq target?:seq large?:bool ' +
  'edited?:seq recalled?:bool expired?:bool'

for (const [name, text] of Object.entries({
  resume: `epoch:64 inbox?:int ${MARK}`,
  node: 'id:64 url:512',
  gap: 'from:int to:int reason:membership|retention|restore',
  error:
    'code category:invalid|rejected|auth|overload|unavailable|internal message:4096 ' +
    'retryable:bool retryAfterMs?:int leader?:node~ outcome:notApplied|unknown',
  member: 'user role:owner|admin|member',
  conversation:
    `id:conv kind:direct|group name:${NAME}~ meta? members:${PAGE}member head:int ord:int ` +
    'createdAt:int retention? history?:bool blocked?:bool large?:bool memberCount?:int nextMembers?:int',
  cursor: 'user delivered:int read:int',
  receipts: `seq delivered:int read:int members?:${PAGE}cursor`,
  ack: 'conv upTo:int kind:delivered|read',
  position: 'conv seq:int',
  limits:
    'bodyBytes:int messageBytes:int framesPerMessage:int inflight:int pageEvents:int members:int',
  event: EVENT,
  entry: `conv inbox:int ${EVENT}`,
  status: 'conv user kind:delivered|read upTo:int',
  change: 'conv head:int unread:int',
})) {
  types[name] = { type: 'object', fields: fields(text) }
}

const ORDER = 'prev?:msgId since?:int'
const WRITE = `id msgId ${ORDER} conv`
const CHANGE = `msgId ${ORDER}`

const request = (text: string, more: Partial<FrameSchema> = {}): FrameSchema => ({
  direction: 'toServer',
  fields: fields(text),
  ...more,
})
const notice = (text: string): FrameSchema => ({
  direction: 'toClient',
  fields: fields(`${text} ${MARK}`.trim()),
})
const answer = (text: string): FrameSchema => notice(`id ${text}`.trim())

export const REQUEST_SCHEMAS: Readonly<Record<RequestFrame['t'], FrameSchema>> = {
  'hello:R': request(
    `id v:range device token?:${LIMITS.tokenBytes} user? sdk?:64 mode?:push|notify resume?`,
  ),
  'msg:R': request(`id conv? to?:user msgId body replyTo?:seq ${ORDER} large?:bool`, {
    oneOf: ['conv', 'to'],
  }),
  'edit:R': request(`${WRITE} seq body`),
  'recall:R': request(`${WRITE} seq`),
  'react:R': request(`${WRITE} seq reaction:${LIMITS.reactionBytes} on:bool`),
  'conv:R': request('id', {
    variants: {
      on: 'op',
      fields: {
        create: fields(`${CHANGE} members:[${LIMITS.members}]user name?:${NAME} meta?`),
        direct: fields(`${CHANGE} with:user`),
        get: fields('conv membersFrom?:int'),
        list: fields('limit? after?:256'),
        add: fields(`${CHANGE} conv user role?:admin|member`),
        remove: fields(`${CHANGE} conv user`),
        role: fields(`${CHANGE} conv user role:owner|admin|member`),
        leave: fields(`${CHANGE} conv`),
        set: fields(`${CHANGE} conv name?:${NAME}~ meta? retention? history?:bool`),
        block: fields(`${CHANGE} conv? user`),
        unblock: fields(`${CHANGE} conv? user`),
        receipts: fields('conv seq'),
      },
    },
  }),
  'cancel:R': request('id conv msgId'),
  'ack:R': request(`id acks:[${LIMITS.acks}]ack inbox?:int`),
  'sync:R': request(
    `id after:int limit ack?:int positions?:[${LIMITS.acks}]position bodies?:full|small ${MARK}`,
  ),
  'pull:R': request(
    `id conv after?:int before?:int limit ack?:int read?:session|linearizable ${MARK}`,
    { oneOf: ['after', 'before'] },
  ),
  'signal:R': request('id conv? to?:user name:64 body n:int ttlMs?:int', { oneOf: ['conv', 'to'] }),
  'ping:R': request('id inbox?:int'),
}

export const SERVER_SCHEMAS: Readonly<Record<AnswerFrame['t'] | NoticeFrame['t'], FrameSchema>> = {
  'hello:A': answer(
    'v:int features:[256]64 user device node:64 leader:node~ nodes:[256]node epoch:64 now:int ' +
      'inbox:int~ heartbeatMs:seq spreadMs:int limits',
  ),
  'msg:A': answer('msgId conv seq at:int ord:int duplicate:bool inbox?:int~ now:int'),
  'conv:A': answer(
    `conversation? conversations?:${PAGE}conversation next?:256 receipts? msgId? seq?:int ` +
      'duplicate?:bool now?:int',
  ),
  'cancel:A': answer('cancelled?:bool seq? at?:int'),
  /** Without `kind` it is a bare notify, with it all of an event's required fields are there. */
  'msg:N': notice(`conv ${EVENT} inbox?:int~`),
  'ack:A': answer(''),
  'ack:N': notice(
    `conv kind:stored|delivered|read|expired upTo:int at:int by?:user count?:int seqs?:${PAGE}seq`,
  ),
  'sync:A': answer(
    `events:${PAGE}entry statuses:${PAGE}status conversations:${PAGE}change next:int upTo:int ` +
      'hasMore:bool gap?:gap~',
  ),
  'pull:A': answer(`events:${PAGE}event next:int upTo:int hasMore:bool gap?:gap~`),
  'signal:A': answer(''),
  'signal:N': notice('conv? from:user device name:64 body'),
  'ping:A': answer(`inbox?:int~ heads?:${PAGE}position now:int`),
  'leader:N': notice('leader:node~'),
  'caughtup:N': notice('inbox:int~'),
  'goaway:N': notice('reconnectAfterMs:int url?:512'),
  'error:N': notice('error'),
}

/** A bare notify: `msg:N` without `kind`. */
export const BARE_NOTICE_SCHEMA: FrameSchema = notice('conv seq inbox?:int~')

/** What an answer holds when it tells of a failure. */
export const FAILURE_SCHEMA: FrameSchema = answer('error')
