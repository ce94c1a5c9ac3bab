import type { Message } from './messages.ts'
import type { Entry, HardState, RaftId, Role, SnapshotMeta } from './types.ts'

/**
 * What the core wants done, in three lanes. The host:
 * 1. sends `messages` at once, while the write of `append` is still under way;
 * 2. writes `append` with one fdatasync, then sends its `responses` and calls `persisted(ticket)`;
 * 3. applies `committed` in order and calls `applied(index)`.
 * At most one append is handed out at a time: while it is under way further entries and answers
 * gather in the core and leave together with the next one (group commit).
 */
export interface Ready {
  readonly messages: readonly Message[]
  readonly append: StorageAppend | null
  readonly committed: readonly Entry[]
  readonly reads: readonly ReadState[]
  /**
   * Not null once this replica learned that its disk forgot what it acknowledged (rule K1). It says
   * nothing any more; the host must stop it.
   */
  readonly lostLog: LostLog | null
}

/** This replica acknowledged `acknowledged` to `leader` in this term, yet its log ends below it. */
export interface LostLog {
  readonly leader: RaftId
  readonly acknowledged: number
  readonly lastIndex: number
}

/** Never empty: it holds a hard state, entries or a snapshot. */
export interface StorageAppend {
  /** Rises by one with each append. A completion of an older term confirms nothing. */
  readonly ticket: number
  readonly hardState: HardState | null
  /** An entry whose index is already in the log replaces it and everything after it. */
  readonly entries: readonly Entry[]
  /**
   * Replaces the whole log and state; the host installs it, and has it durable, before `persisted`.
   * An append with a snapshot holds no entries.
   */
  readonly snapshot: SnapshotMeta | null
  /** May leave only after this append is durable. */
  readonly responses: readonly Message[]
}

/** Serve a read once this replica has applied `index`; `index` 0: refused, ask again. */
export interface ReadState {
  readonly readId: number
  readonly index: number
}

export interface RaftStatus {
  readonly id: RaftId
  readonly role: Role
  readonly term: number
  readonly vote: RaftId
  readonly leader: RaftId
  readonly commit: number
  readonly applied: number
  readonly lastIndex: number
  /** The last index known durable here. */
  readonly persisted: number
  readonly transferee: RaftId
  /** Filled on a leader only. */
  readonly progress: readonly PeerStatus[]
}

export interface PeerStatus {
  readonly id: RaftId
  readonly state: 'probe' | 'replicate' | 'snapshot'
  readonly match: number
  readonly next: number
  readonly learner: boolean
  /** Answered in the current check-quorum round, or in the one before. */
  readonly active: boolean
  /** Append messages sent and not yet acknowledged. */
  readonly inflight: number
}
