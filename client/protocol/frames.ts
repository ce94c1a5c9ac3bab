import type { ConversationAnswer, ConversationRequest } from './conversation-frames.ts'
import type { WireError } from './error-codes.ts'

export type {
  ConversationAnswer,
  ConversationRequest,
  Role,
  WireConversation,
  WireMember,
  WireReceipts,
} from './conversation-frames.ts'

/**
 * Every frame of the wire as it stands in memory. **R** is a request of the client with an `id`,
 * **A** the one answer that echoes it, **N** a notice of the server. Opaque values (`body`, `meta`)
 * are msgpack bytes in memory, whichever subprotocol carries them. The table that both codecs are
 * driven by is `FRAME_SCHEMAS` in `schema.ts`.
 */

/** An integer from 0 to 2^53-1 or a string of 1 to 64 characters; echoed as it came. */
export type FrameId = number | string

/** msgpack bytes of one value: JSON's data model plus byte strings, without extension types. */
export type OpaqueValue = Uint8Array

export interface NodeAddress {
  readonly id: string
  /** `http://host:port`. */
  readonly url: string
}

/** Every field that shows state may travel with the position it was read at (rule B2). */
export interface Marked {
  readonly mark?: string | undefined
}

export interface HelloRequest {
  readonly t: 'hello:R'
  readonly id: FrameId
  /** Lowest and highest protocol version the client speaks. */
  readonly v: readonly [number, number]
  readonly device: string
  readonly token?: string | undefined
  /** Only in dev mode, from loopback, in place of a token. */
  readonly user?: string | undefined
  /** Name and version of the client library, for operators. */
  readonly sdk?: string | undefined
  /** `notify` sends bare `{conv, seq}`; the default is `push`. */
  readonly mode?: 'push' | 'notify' | undefined
  readonly resume?: ResumePosition | undefined
}

export interface ResumePosition {
  readonly epoch: string
  readonly inbox?: number | undefined
  readonly mark?: string | undefined
}

export interface ServerLimits {
  readonly bodyBytes: number
  readonly messageBytes: number
  readonly framesPerMessage: number
  /** Writes of one session without an answer. */
  readonly inflight: number
  readonly pageEvents: number
  readonly members: number
}

export interface HelloAnswer extends Marked {
  readonly t: 'hello:A'
  readonly id: FrameId
  readonly v: number
  readonly features: readonly string[]
  readonly user: string
  readonly device: string
  /** Name of the answering node. */
  readonly node: string
  readonly leader: NodeAddress | null
  readonly nodes: readonly NodeAddress[]
  readonly epoch: string
  /** Log time in ms (rule A8). */
  readonly now: number
  readonly inbox: number | null
  readonly heartbeatMs: number
  readonly spreadMs: number
  readonly limits: ServerLimits
}

export interface WriteRequest {
  readonly id: FrameId
  readonly msgId: string
  /** msgId of this device's latest earlier write here without a final answer (rule A4). */
  readonly prev?: string | undefined
  /** Log time known before this msgId was first put on a socket (rule A3). */
  readonly since?: number | undefined
}

/** Exactly one of `conv` and `to` is given. */
export interface MessageRequest extends WriteRequest {
  readonly t: 'msg:R'
  readonly conv?: string | undefined
  readonly to?: string | undefined
  readonly body: OpaqueValue
  readonly replyTo?: number | undefined
  readonly large?: boolean | undefined
}

export interface EditRequest extends WriteRequest {
  readonly t: 'edit:R'
  readonly conv: string
  readonly seq: number
  readonly body: OpaqueValue
}

export interface RecallRequest extends WriteRequest {
  readonly t: 'recall:R'
  readonly conv: string
  readonly seq: number
}

export interface ReactRequest extends WriteRequest {
  readonly t: 'react:R'
  readonly conv: string
  readonly seq: number
  readonly reaction: string
  readonly on: boolean
}

export interface MessageAnswer extends Marked {
  readonly t: 'msg:A'
  readonly id: FrameId
  readonly msgId: string
  readonly conv: string
  readonly seq: number
  /** Wall time in ms, for display. */
  readonly at: number
  readonly ord: number
  readonly duplicate: boolean
  readonly inbox?: number | null | undefined
  readonly now: number
}

export interface CancelRequest {
  readonly t: 'cancel:R'
  readonly id: FrameId
  readonly conv: string
  readonly msgId: string
}

/** Either `cancelled: true`, or where the message stands because it was first. */
export interface CancelAnswer extends Marked {
  readonly t: 'cancel:A'
  readonly id: FrameId
  readonly cancelled?: boolean | undefined
  readonly seq?: number | undefined
  readonly at?: number | undefined
}

export const EVENT_KINDS = ['message', 'edit', 'recall', 'reaction', 'member', 'settings'] as const
export type WireEventKind = (typeof EVENT_KINDS)[number]

/** One event of a conversation's stream (rule B1). A recalled or expired one has no body. */
export interface WireEvent {
  readonly seq: number
  readonly kind: WireEventKind
  /** Messages up to and including this event. */
  readonly ord: number
  readonly msgId: string
  readonly from: string
  readonly device: string
  readonly at: number
  readonly body?: OpaqueValue | undefined
  readonly replyTo?: number | undefined
  /** Seq that an edit, recall or reaction is about. */
  readonly target?: number | undefined
  readonly large?: boolean | undefined
  /** Seq of the last edit. */
  readonly edited?: number | undefined
  readonly recalled?: boolean | undefined
  readonly expired?: boolean | undefined
}

/** A pushed event. */
export interface MessageNotice extends Marked, WireEvent {
  readonly t: 'msg:N'
  readonly conv: string
  readonly inbox?: number | null | undefined
}

/** A notify: something up to `seq` is there to be pulled. It has no `kind`. */
export interface BareNotice extends Marked {
  readonly t: 'msg:N'
  readonly conv: string
  readonly seq: number
  readonly inbox?: number | null | undefined
  readonly kind?: undefined
}

export interface AckRequest {
  readonly t: 'ack:R'
  readonly id: FrameId
  readonly acks: readonly {
    readonly conv: string
    readonly upTo: number
    readonly kind: 'delivered' | 'read'
  }[]
  readonly inbox?: number | undefined
}

export interface AckAnswer extends Marked {
  readonly t: 'ack:A'
  readonly id: FrameId
}

export interface AckNotice extends Marked {
  readonly t: 'ack:N'
  readonly conv: string
  readonly kind: 'stored' | 'delivered' | 'read' | 'expired'
  readonly upTo: number
  readonly at: number
  readonly by?: string | undefined
  readonly count?: number | undefined
  /** Of `expired`: it is so of these alone, not of everything up to `upTo`. */
  readonly seqs?: readonly number[] | undefined
}

export interface Gap {
  readonly from: number
  readonly to: number
  readonly reason: 'membership' | 'retention' | 'restore'
}

export interface SyncRequest {
  readonly t: 'sync:R'
  readonly id: FrameId
  readonly after: number
  readonly limit: number
  readonly ack?: number | undefined
  readonly positions?: readonly { readonly conv: string; readonly seq: number }[] | undefined
  readonly bodies?: 'full' | 'small' | undefined
  readonly mark?: string | undefined
}

export interface SyncAnswer extends Marked {
  readonly t: 'sync:A'
  readonly id: FrameId
  readonly events: readonly (WireEvent & { readonly conv: string; readonly inbox: number })[]
  readonly statuses: readonly {
    readonly conv: string
    readonly user: string
    readonly kind: 'delivered' | 'read'
    readonly upTo: number
  }[]
  readonly conversations: readonly {
    readonly conv: string
    readonly head: number
    readonly unread: number
  }[]
  readonly next: number
  readonly upTo: number
  readonly hasMore: boolean
  readonly gap?: Gap | null | undefined
}

/** Exactly one of `after` and `before` is given. */
export interface PullRequest {
  readonly t: 'pull:R'
  readonly id: FrameId
  readonly conv: string
  readonly after?: number | undefined
  readonly before?: number | undefined
  readonly limit: number
  readonly ack?: number | undefined
  readonly read?: 'session' | 'linearizable' | undefined
  readonly mark?: string | undefined
}

export interface PullAnswer extends Marked {
  readonly t: 'pull:A'
  readonly id: FrameId
  /** Ascending by seq, whichever way the pull went. */
  readonly events: readonly WireEvent[]
  /** What to give as `after` or `before` for the next page. */
  readonly next: number
  readonly upTo: number
  readonly hasMore: boolean
  readonly gap?: Gap | null | undefined
}

/** Exactly one of `conv` and `to` is given. */
export interface SignalRequest {
  readonly t: 'signal:R'
  readonly id: FrameId
  readonly conv?: string | undefined
  readonly to?: string | undefined
  readonly name: string
  readonly body: OpaqueValue
  readonly n: number
  readonly ttlMs?: number | undefined
}

export interface SignalAnswer extends Marked {
  readonly t: 'signal:A'
  readonly id: FrameId
}

export interface SignalNotice extends Marked {
  readonly t: 'signal:N'
  readonly conv?: string | undefined
  readonly from: string
  readonly device: string
  readonly name: string
  readonly body: OpaqueValue
}

export interface PingRequest {
  readonly t: 'ping:R'
  readonly id: FrameId
  readonly inbox?: number | undefined
}

export interface PingAnswer extends Marked {
  readonly t: 'ping:A'
  readonly id: FrameId
  readonly inbox?: number | null | undefined
  readonly heads?: readonly { readonly conv: string; readonly seq: number }[] | undefined
  readonly now: number
}

export interface LeaderNotice extends Marked {
  readonly t: 'leader:N'
  /** `null`: there is none at present. */
  readonly leader: NodeAddress | null
}

export interface CaughtUpNotice extends Marked {
  readonly t: 'caughtup:N'
  readonly inbox: number | null
}

export interface GoAwayNotice extends Marked {
  readonly t: 'goaway:N'
  readonly reconnectAfterMs: number
  readonly url?: string | undefined
}

export interface ErrorNotice extends Marked {
  readonly t: 'error:N'
  readonly error: WireError
}

export const ANSWER_TYPES = [
  'hello:A',
  'msg:A',
  'conv:A',
  'cancel:A',
  'ack:A',
  'sync:A',
  'pull:A',
  'signal:A',
  'ping:A',
] as const
export type AnswerType = (typeof ANSWER_TYPES)[number]

/** What an answer is when the request failed. */
export interface FailureFrame extends Marked {
  /** The answer's type; for a request of an unknown type `x:R` it is `x:A`. */
  readonly t: string
  readonly id: FrameId
  readonly error: WireError
}

export type RequestFrame =
  | HelloRequest
  | MessageRequest
  | EditRequest
  | RecallRequest
  | ReactRequest
  | ConversationRequest
  | CancelRequest
  | AckRequest
  | SyncRequest
  | PullRequest
  | SignalRequest
  | PingRequest

export type AnswerFrame =
  | HelloAnswer
  | MessageAnswer
  | ConversationAnswer
  | CancelAnswer
  | AckAnswer
  | SyncAnswer
  | PullAnswer
  | SignalAnswer
  | PingAnswer

export type NoticeFrame =
  | MessageNotice
  | BareNotice
  | AckNotice
  | SignalNotice
  | LeaderNotice
  | CaughtUpNotice
  | GoAwayNotice
  | ErrorNotice

export type RequestType = RequestFrame['t']

/** What a server sends. */
export type ServerFrame = AnswerFrame | NoticeFrame | FailureFrame

export type Frame = RequestFrame | ServerFrame

export function isFailure(frame: ServerFrame): frame is FailureFrame {
  return 'error' in frame && 'id' in frame && frame.error !== undefined
}

/** The type of the answer to a request: `edit:R`, `recall:R` and `react:R` are answered by `msg:A`. */
export function answerTypeOf(request: string): string {
  if (request === 'edit:R' || request === 'recall:R' || request === 'react:R') return 'msg:A'
  return `${request.slice(0, -1)}A`
}
