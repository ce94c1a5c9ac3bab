import type { ChatError } from './errors.ts'
import type {
  ConversationAnswer,
  ConversationRequest,
  EditRequest,
  MessageAnswer,
  MessageRequest,
  ReactRequest,
  RecallRequest,
} from './protocol/frames.ts'
import type { StoredMessage } from './store/client-store.ts'

/** A request without what is known only when it goes out. */
type Draft<Frame> = Frame extends unknown ? Omit<Frame, 'id' | 'prev' | 'since'> : never

export type MutatingConversationRequest = Extract<ConversationRequest, { msgId: string }>

/** What a write says; its body is encoded once and for all (rule A2). */
export type WriteDraft = EventDraft | Draft<MutatingConversationRequest>

/** What is answered by `msg:A` and kept in the store. */
export type EventDraft =
  MessageDraft | Draft<EditRequest> | Draft<RecallRequest> | Draft<ReactRequest>

export type MessageDraft = Draft<MessageRequest>

export type WriteAnswer = MessageAnswer | ConversationAnswer

/** One write on its way to its final answer. */
export interface Write {
  readonly draft: WriteDraft
  /** Bytes that it holds in the outbox. */
  readonly bytes: number
  /** Log time known before it first went out (rule A3); `null` before that, or if it is not known. */
  since: number | null
  /** It may have been on a socket before: then a `since` chosen now would be wrong. */
  mayHaveBeenSent: boolean
  /** It may have had its result before it came into this outbox. */
  readonly isRepeat: boolean
  /** A copy may have gone out, and been answered, before it came into this outbox. */
  readonly wentOutBefore: boolean
  /** As the store keeps it; `null` for what the store does not keep. */
  readonly stored: ((prev: string | null) => StoredMessage) | null
  /** The store has it: it may go out. */
  isStored: boolean
  /** On the wire, without an answer. */
  isInFlight: boolean
  /** Round of its lane in which it last went out. */
  round: number
  /** Sends on this connection. */
  sends: number
  /** Monotonic ms at which it is sent again. */
  dueMs: number
  onSettled(answer: WriteAnswer): void
  onFailed(error: ChatError): void
  /** The cluster does not take it now, and will. */
  onHeldUp?(error: ChatError): void
}
