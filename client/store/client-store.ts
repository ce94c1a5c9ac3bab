/** A message that has no final answer or no receipt yet, as it survives the client that made it. */
export interface StoredMessage {
  readonly msgId: string
  /** Exactly one of `conv` and `to` is given. */
  readonly conv: string | null
  readonly to: string | null
  /** The body's msgpack bytes: resent as they are, never encoded again (rule A2). Nil if it has none. */
  readonly body: Uint8Array
  readonly replyTo: number | null
  readonly large: boolean
  /** What it does to the event with that seq; `null`: it is a message of its own. */
  readonly change: StoredAmendment | null
  /** msgId of the device's message before it in the conversation, if that was unsettled (rule A4). */
  readonly prev: string | null
  /**
   * `queued`: it was certainly never on a socket. `sent`: it may have been, since it came behind
   * `prev`. `repeated`: it may have been before that. `answered`: it is stored at `place`, and waits
   * for somebody to have it.
   */
  readonly state: 'queued' | 'sent' | 'repeated' | 'answered'
  /** Log time known before it was first put on a socket (rule A3); `null` if that is not known. */
  readonly since: number | null
  /** Only if it is `answered`. */
  readonly place: { readonly conv: string; readonly seq: number } | null
}

export type StoredAmendment =
  | { readonly kind: 'edit'; readonly seq: number }
  | { readonly kind: 'recall'; readonly seq: number }
  | {
      readonly kind: 'reaction'
      readonly seq: number
      readonly reaction: string
      readonly on: boolean
    }

/**
 * How far the application has come in a conversation (rule B6). An event that is handed over counts
 * as delivered only when the application has acknowledged it.
 */
export interface StoredCursor {
  readonly conv: string
  /** Seq up to which everything was acknowledged by the application, or was not for it. */
  readonly delivered: number
  /** Seq handed to the application and not acknowledged: after a crash it is handed over again. */
  readonly inHand: number | null
}

/** An event that reached this device and was not yet acknowledged by the application (rule B5). */
export interface StoredEvent {
  readonly conv: string
  readonly seq: number
  /** As a node sent it: the msgpack bytes of its `msg:N`. */
  readonly frame: Uint8Array
}

/** Where an own message stands that was reported `sent`. */
export interface StoredPlace {
  /** Rises by one with each. */
  readonly number: number
  /** Where it is kept: a later one takes the place of an earlier one. */
  readonly slot: number
  readonly epoch: string
  readonly conv: string
  readonly seq: number
  readonly msgId: string
}

/** Whose store it is, and up to where that device had been shown the cluster. */
export interface StoredSession {
  /** As the cluster knows it; `null` before the first session. */
  readonly user: string | null
  readonly epoch: string | null
  /** Goes into the next hello, so that no node shows an older state (rule B2). */
  readonly mark: string | null
  /** Everything up to this inbox number of the epoch has reached this device (rule B3). */
  readonly inbox: number | null
  /** Where the message ids of this device go on; 0 before the first. */
  readonly lastId: number
}

/** All that a store holds of one device. */
export interface StoreContents {
  /** In the order of their first `put`. */
  readonly messages: readonly StoredMessage[]
  readonly cursors: readonly StoredCursor[]
  /** In any order. */
  readonly events: readonly StoredEvent[]
  /** In any order. */
  readonly places: readonly StoredPlace[]
  readonly session: StoredSession
}

/** What changes together: after a crash all of it is there or none. */
export interface StoreChange {
  /** Added, or replaced in their place. */
  readonly put?: readonly StoredMessage[] | undefined
  /** By msgId; one that is not there is passed over. */
  readonly remove?: readonly string[] | undefined
  readonly cursors?: readonly StoredCursor[] | undefined
  /** Added, or replaced. */
  readonly events?: readonly StoredEvent[] | undefined
  /** Those that are not there are passed over. */
  readonly dropEvents?: readonly Pick<StoredEvent, 'conv' | 'seq'>[] | undefined
  /** Each takes its slot. */
  readonly places?: readonly StoredPlace[] | undefined
  readonly dropPlaces?: readonly StoredPlace[] | undefined
  /** All cursors and events go, before those of this change come. */
  readonly forgetCursors?: boolean | undefined
  readonly session?: StoredSession | undefined
}

/**
 * Keeps what a client must not forget. Changes take effect in the order of the calls, each whole or
 * not at all; if one is there after a crash, so is every one before it.
 */
export interface ClientStore {
  /**
   * Whether it keeps events, so that what is in it counts as delivered to this device (rule B5). One
   * that does not is given none, and an event is delivered when the application has handled it.
   */
  readonly keepsEvents: boolean
  /**
   * Takes the store for one client of this device.
   * @throws ChatError STORE_LOCKED, STORE_MISMATCH, STORE_DAMAGED, STORE_FAILED.
   */
  open(device: string): Promise<StoreContents>
  /**
   * Resolves when the change survives what the store survives; `undefined` if it does already.
   * A rejection is final: the store takes nothing more, and what it holds is seen at the next open.
   * @throws ChatError OUTBOX_FULL or STORE_FULL, before anything changed.
   */
  write(change: StoreChange): Promise<void> | undefined
  /** Resolves when all that was written is kept and another client may open it. Never rejects. */
  close(): Promise<void>
}

export const EMPTY_SESSION: StoredSession = {
  user: null,
  epoch: null,
  mark: null,
  inbox: null,
  lastId: 0,
}
