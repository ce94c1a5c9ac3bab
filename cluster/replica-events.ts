import type { RaftId } from './raft/types.ts'
import type { PeerMessage } from './transport/message-codec.ts'

/** What a replica tells its host. Calls come between the steps of a turn; none may throw. */
export interface ReplicaEvents {
  /** In this order; those of one turn together, as some may hold the same. */
  send(messages: readonly PeerMessage[]): void
  /** The core wants a follower brought up by snapshot. */
  sendSnapshot(to: RaftId): void
  /** Index of the oldest snapshot on its way to a peer; `Infinity` if there is none. */
  pinnedSnapshot(): number
  /** The leader or the term changed, as far as this replica knows; `NO_ONE` while there is none. */
  onLeader(leader: RaftId, term: number): void
  /** This leader has applied its own no-op: it knows everything that was ever committed. */
  onAuthority(term: number): void
  /** One entry's data out of the commands gathered in one turn; stamps them (rule A8). */
  encodeBatch(commands: readonly Uint8Array[]): Uint8Array
  onApplied(index: number): void
  /** The state jumped ahead to a snapshot. */
  onSnapshotInstalled(index: number): void
  /** Members may have come or gone. */
  onConfiguration(): void
  /** The log or the state machine failed: the process must end without another word. */
  onFatal(error: Error): void
}
