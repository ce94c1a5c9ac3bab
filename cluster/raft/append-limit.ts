import type { Entry, RaftId } from './types.ts'

/** Entries that a nearly full disk takes for what they are (rule K9): small, or making room. */
type IsExempt = (entry: Entry) => boolean

/**
 * What a follower takes while its disk is nearly full: exempt entries, and so many bytes of others.
 * What does not fit is neither taken nor answered. Votes, terms and heartbeats are not touched.
 */
export interface AppendLimit {
  readonly bytes: number
  readonly isExempt: IsExempt
}

/** Peers whose disks are nearly full: a leader sends them nothing that they would not take. */
export interface HeldPeers {
  readonly ids: ReadonlySet<RaftId>
  readonly isExempt: IsExempt
}
