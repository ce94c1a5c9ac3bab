import { decodeBody } from './protocol/body-codec.ts'
import type { WireEvent, WireEventKind } from './protocol/frames.ts'

/** One event of a conversation, as the application sees it. */
export interface ChatEvent {
  /** Id of the conversation. */
  readonly conversation: string
  /** Position in the conversation: gapless, the same for everyone. */
  readonly seq: number
  readonly kind: WireEventKind
  /** Messages up to and including this event. */
  readonly ord: number
  /** Chosen by the sender; the same however often it was sent. */
  readonly msgId: string
  /** The user who caused it. */
  readonly from: string
  /** The one of his that he used. */
  readonly device: string
  /** Wall time in ms, for display; never falling within a conversation. */
  readonly at: number
  /** `undefined` if it was recalled, is expired, or its kind has none. */
  readonly body: unknown
  /** Seq of the message that this one answers. */
  readonly replyTo: number | null
  /** Seq that an edit, recall or reaction is about. */
  readonly target: number | null
  /** Seq of the last edit. */
  readonly edited: number | null
  /** Its sender took it back: the body is gone for everybody. */
  readonly recalled: boolean
  /** Retention or an erasure took its body. */
  readonly expired: boolean
  /**
   * An earlier process had it in hand when it ended: it may have been handled. Only in streams that
   * go on after the cursor.
   */
  readonly redelivered: boolean
}

/** An event of kind `message`. */
export type ChatMessage = ChatEvent & { readonly kind: 'message' }

export const isMessage = (event: ChatEvent): event is ChatMessage => event.kind === 'message'

export function toChatEvent(conversation: string, event: WireEvent): ChatEvent {
  return {
    conversation,
    seq: event.seq,
    kind: event.kind,
    ord: event.ord,
    msgId: event.msgId,
    from: event.from,
    device: event.device,
    at: event.at,
    body: event.body === undefined ? undefined : decodeBody(event.body),
    replyTo: event.replyTo ?? null,
    target: event.target ?? null,
    edited: event.edited ?? null,
    recalled: event.recalled ?? false,
    expired: event.expired ?? false,
    redelivered: false,
  }
}
