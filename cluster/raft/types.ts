import type { Configuration } from './configuration.ts'

/**
 * The random 64-bit number of a replica as 16 hexadecimal digits, made with its data directory and
 * never used again by another one (rule K1).
 */
export type RaftId = string

export const NO_ONE: RaftId = ''

/** What an entry's bytes mean. Numbers are part of the log format. */
export const EntryType = { normal: 0, configuration: 1 } as const
export type EntryType = (typeof EntryType)[keyof typeof EntryType]

/** One slot of the replicated log. Empty `data` of a normal entry is a new leader's no-op. */
export interface Entry {
  readonly term: number
  readonly index: number
  readonly type: EntryType
  readonly data: Uint8Array
}

/** What must be on disk before any message that depends on it leaves (Raft §5, figure 2). */
export interface HardState {
  readonly term: number
  /** The replica that got this term's vote, or `NO_ONE`. Cleared only when `term` rises. */
  readonly vote: RaftId
  readonly commit: number
}

export const Role = {
  follower: 'follower',
  preCandidate: 'preCandidate',
  candidate: 'candidate',
  leader: 'leader',
} as const
export type Role = (typeof Role)[keyof typeof Role]

/** Names a snapshot of the applied state; the state itself travels beside it (rule K6). */
export interface SnapshotMeta {
  readonly index: number
  readonly term: number
  /** The configuration in force at `index`. */
  readonly configuration: Configuration
}

/** Stable reads that the pure core needs from the log; all synchronous. */
export interface LogReader {
  /** The snapshot to name to a peer that is too far behind: at or above `firstIndex() - 1`. */
  readonly snapshot: SnapshotMeta
  /** The index after the newest snapshot or compaction point; 1 for a fresh log. */
  firstIndex(): number
  /** `firstIndex() - 1` for an empty log. */
  lastIndex(): number
  /** Term of the entry, also of `firstIndex() - 1`; `null` if compacted away or past the end. */
  term(index: number): number | null
  /**
   * Entries from `low` up to but without `high`, cut after `maxBytes` of data but never empty;
   * `null` if `low` was compacted away.
   */
  entries(low: number, high: number, maxBytes: number): readonly Entry[] | null
}
