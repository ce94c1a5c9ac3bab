export { ChatClient, type GroupOptions } from './client.ts'
export {
  Conversation,
  type ConversationChange,
  type ConversationEventName,
  type ConversationEvents,
  type ConversationInfo,
  type ConversationSettings,
  type HistoryPage,
  type Retention,
  type SendOptions,
  type StreamOptions,
} from './conversation.ts'
export { type ChatEvent, type ChatMessage } from './chat-event.ts'
export { type ConnectionStatus } from './connection.ts'
export { ChatError, type ChatErrorCode } from './errors.ts'
export {
  OutgoingMessage,
  type Amendment,
  type MessageEvents,
  type MessageStatus,
  type SendResult,
} from './outgoing-message.ts'
export { type OutboxView } from './outbox-view.ts'
export { AckType, type Acknowledgement } from './ack-type.ts'
export { type Receipt, type ReceiptList } from './receipts.ts'
export { type Signal, type SignalOptions } from './signals.ts'
export { type IdStrategy } from './message-id.ts'
export { type ChatOptions } from './options.ts'
export { DEFAULT_ACK_RETRY, DEFAULT_RETRY, type RetryConfig } from './backoff.ts'
export {
  type ClientStore,
  type StoredAmendment,
  type StoreChange,
  type StoreContents,
  type StoredCursor,
  type StoredEvent,
  type StoredPlace,
  type StoredMessage,
  type StoredSession,
} from './store/client-store.ts'
export { SyncView, type ConversationSummary, type SyncEvents } from './sync-view.ts'
export { MemoryStore } from './store/memory-store.ts'
export { type ClientFailpoint, type ClientFailpoints } from './failpoints.ts'
export { type ClientPorts, type Clock, type Random, type Socket, type Timer } from './ports.ts'
export { defaultPorts } from './host/default-ports.ts'
