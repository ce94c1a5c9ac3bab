import type { Entry, SnapshotMeta } from './raft/types.ts'

/**
 * What a replica drives: the deterministic state that the log builds. Entries of every type arrive
 * once each, in index order.
 */
export interface StateMachine {
  /** Index and term of the last applied entry. After a start: those of the newest checkpoint. */
  readonly appliedIndex: number
  readonly appliedTerm: number
  /**
   * Loads cold objects that the entry names (rule K4). `null` when all is in memory, the usual
   * case. `apply` of the same entry follows at once after it is settled.
   */
  prefetch(entry: Entry): Promise<void> | null
  /** Synchronous, deterministic, never fails for what a client wrote; throws stop the replica. */
  apply(entry: Entry): void
  /**
   * Tells how far the log is on this replica's own disk: a cut's index never passes it (rule K3).
   */
  logPersisted(index: number): void
  /**
   * More is applied than checkpoints keep up with: nothing is proposed for a while (rule K3). Asked
   * again and again, not told.
   */
  readonly overloaded: boolean
  /** Entries up to here are no longer needed for a restart (rule K3: the cut before the last). */
  readonly compactableIndex: number

  /** Pins the newest cut for streaming (rule K6). The caller closes it. */
  openSnapshot(): Promise<SnapshotSource>
  /** Begins the install of a peer's snapshot into a new directory, beside the live state. */
  beginInstall(meta: SnapshotMeta): Promise<SnapshotSink>
}

export interface SnapshotSource {
  readonly meta: SnapshotMeta
  /** Chunks in order, at most `maxBytes` each; the same offset gives the same chunk again. */
  read(offset: number, maxBytes: number): Promise<{ bytes: Uint8Array; last: boolean }>
  close(): Promise<void>
}

export interface SnapshotSink {
  /** Bytes durable so far: where a broken stream resumes. */
  readonly offset: number
  write(bytes: Uint8Array): Promise<void>
  /** Verifies and syncs the whole; nothing of the live state changes yet. */
  finish(): Promise<void>
  /**
   * Takes over: pointer renamed and synced, live state replaced, `appliedIndex` is the snapshot's.
   * Waiters for skipped entries are answered by the caller.
   */
  activate(): Promise<void>
  abort(): Promise<void>
}
