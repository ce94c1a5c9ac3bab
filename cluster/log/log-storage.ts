import type { Configuration } from '../raft/configuration.ts'
import type { Entry, HardState, LogReader, RaftId, SnapshotMeta } from '../raft/types.ts'

/** What the first record of every log says, written and synced before any election (rule K1). */
export interface Formation {
  /** 32 hexadecimal digits. */
  readonly clusterId: string
  /** 16 hexadecimal digits; a new one after restore or recover (rule K8). */
  readonly epoch: string
  readonly configuration: Configuration
}

export interface AppendRequest {
  readonly hardState: HardState | null
  /** In index order. The first may overwrite: it and everything after its index are replaced. */
  readonly entries: readonly Entry[]
  /** The applied state up to here is durable elsewhere: the log starts anew after it. */
  readonly snapshot: SnapshotMeta | null
}

/**
 * The durable log of one replica (rule K2), a contract that `log-storage.contract.ts` runs over
 * the real and the in-memory one.
 *
 * Ordering: appends are written in the order of the calls, one batch, one write, one fdatasync
 * each, never two in flight; calling `append` before the last one is done is a bug.
 * Reads see an append from the moment of the call.
 */
export interface LogStorage extends LogReader {
  /** Made with the directory, never used again (K1). */
  readonly raftId: RaftId
  /** `null` until `form`. */
  readonly formation: Formation | null
  readonly hardState: HardState
  /** The point the log starts after; index 0 with the formation's configuration on a fresh one. */
  readonly snapshot: SnapshotMeta
  /** Newest configuration at or below `index`, from an entry or else the snapshot. */
  configurationAt(index: number): Configuration

  /** Writes and syncs the first record. Fails if there is one. */
  form(formation: Formation): Promise<void>
  /**
   * `done` is called once, after the fdatasync, perhaps before this returns. An error is final: this
   * log fails every later call, and the process must end without another vote or answer.
   */
  append(request: AppendRequest, done: (error: Error | null) => void): void
  /**
   * Forgets entries up to `index` (whole segments only, so more may be kept). `snapshot` is what
   * the state machine has durably at or above it.
   */
  compact(snapshot: SnapshotMeta): Promise<void>
  /** Bytes that appends may still take without asking the disk for more, the reserve left out. */
  readonly room: number
  /** Segments of the reserve that are there (rule K9): two, unless some were needed. */
  readonly reserved: number
  /** Whether segments are made out of the reserve first: the disk is nearly full (rule K9). */
  saveSpace(saves: boolean): void
  /** Makes what is missing of the reserve, as far as the disk has room. */
  keepReserve(): Promise<void>
  /**
   * Reads from the disk what was written to whole segments, while appends go on, and waits for `pace`
   * after every few bytes of it. What is let go of meanwhile is left out. Resolves with the bytes read.
   *
   * @throws LogDamagedError: the process must end without another vote or answer
   */
  scrub(pace: (bytes: number) => Promise<void>): Promise<{ bytes: number }>
  /** Bytes on disk and files, for metrics. */
  size(): { bytes: number; segments: number }
  close(): Promise<void>
}

/**
 * The log cannot be trusted. `message` says what was found where, and what an operator does next.
 * The files are left as they were.
 */
export class LogDamagedError extends Error {
  override readonly name = 'LogDamagedError'
  readonly code = 'LOG_DAMAGED'
  readonly isDamage = true
}
