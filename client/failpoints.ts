/**
 * Places where a drill may end the process, to prove that nothing promised depends on surviving
 * them. Without the port in `ClientPorts` they cost nothing.
 */
export interface ClientFailpoints {
  /** May never return. */
  hit(name: ClientFailpoint): void
}

/** Each between two steps of which a crash may take the second. */
export type ClientFailpoint =
  /** The store was read; nothing of it is taken up yet. */
  | 'store.opened'
  /** `send` was called; the store knows nothing of it. */
  | 'outbox.beforeWrite'
  /** The store has a new message; neither the application nor the cluster was told. */
  | 'outbox.written'
  /** A session's beginning is recorded; nothing went out on it yet. */
  | 'session.recorded'
  /** Frames were given to a socket. */
  | 'socket.sent'
  /** A message's answer came; the store still has the message. */
  | 'outbox.answered'
  /** The store has a message's answer on record; the application was not told. */
  | 'outbox.settled'
  /** Events of the inbox came; the store knows nothing of them. */
  | 'inbox.beforeWrite'
  /** The store has them, and the position behind them; no node was told. */
  | 'inbox.written'
  /** The application acknowledged an event; nothing of that is recorded. */
  | 'cursor.acknowledged'
  /** It is recorded that an event is in the application's hands; it is not yet. */
  | 'cursor.written'
