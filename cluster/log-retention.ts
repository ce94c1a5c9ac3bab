import type { PeerStatus } from './raft/ready.ts'
import type { RaftId } from './raft/types.ts'

/** What decides how much of the log stays (rule K3). */
export interface RetentionView {
  /** The state machine needs nothing up to here for a restart. */
  readonly compactable: number
  readonly firstIndex: number
  readonly logBytes: number
  /** A log larger than this is kept for no peer that lags: a snapshot brings it up. */
  readonly trailingBytes: number
  /** The oldest snapshot that is being sent, or was and is being installed; `Infinity` if none. */
  readonly pinned: number
  /** Of a leader, itself included; else empty. */
  readonly peers: readonly PeerStatus[]
  readonly self: RaftId
}

/**
 * The log may be forgotten up to here (rule K3): what follows a snapshot on its way must be there
 * when it is in, or a busy leader would send one snapshot after the other and never be done; and a
 * peer that lags a little should not need one. A peer whose next entry is gone already holds nothing.
 */
export function forgettableIndex(view: RetentionView): number {
  const { compactable, firstIndex, logBytes, trailingBytes, pinned, peers, self } = view
  let index = Math.min(compactable, pinned)
  if (logBytes > trailingBytes) return index
  for (const { id, match } of peers) {
    if (id !== self && match + 1 >= firstIndex) index = Math.min(index, match)
  }
  return index
}
