import type { Entry, RaftId, SnapshotMeta } from './types.ts'

interface Envelope {
  readonly from: RaftId
  readonly to: RaftId
  /** The sender's term; of a pre-vote the term it would campaign in. */
  readonly term: number
}

/** Raft §5.3. Also carries a commit index; empty `entries` probes. */
export interface AppendMessage extends Envelope {
  readonly type: 'append'
  readonly prevIndex: number
  readonly prevTerm: number
  readonly commit: number
  readonly entries: readonly Entry[]
}

export interface AppendResponseMessage extends Envelope {
  readonly type: 'appendResponse'
  /** Accepted: the last index now durable here. Rejected: the `prevIndex` that was refused. */
  readonly index: number
  readonly rejected: boolean
  /** With a rejection: where the leader should look next (fast log rejection) and its term here. */
  readonly hintIndex: number
  readonly hintTerm: number
  /** This replica's last index: below what it acknowledged before means it lost its disk (K1). */
  readonly lastIndex: number
}

export interface HeartbeatMessage extends Envelope {
  readonly type: 'heartbeat'
  readonly commit: number
  /** The newest read that this round confirms, 0 for none. */
  readonly readId: number
}

export interface HeartbeatResponseMessage extends Envelope {
  readonly type: 'heartbeatResponse'
  readonly readId: number
}

export interface VoteMessage extends Envelope {
  readonly type: 'preVote' | 'vote'
  readonly lastIndex: number
  readonly lastTerm: number
  /** The current leader told this replica to campaign: stickiness does not hold it back. */
  readonly transfer: boolean
}

export interface VoteResponseMessage extends Envelope {
  readonly type: 'preVoteResponse' | 'voteResponse'
  readonly rejected: boolean
}

/** Asks the host to stream the snapshot beside it; the core sees only its name. */
export interface SnapshotMessage extends Envelope {
  readonly type: 'snapshot'
  readonly snapshot: SnapshotMeta
}

/** Leadership transfer, thesis §3.10. */
export interface TimeoutNowMessage extends Envelope {
  readonly type: 'timeoutNow'
}

/** A follower asks its leader for a linearizable read (thesis §6.4). */
export interface ReadIndexMessage extends Envelope {
  readonly type: 'readIndex'
  readonly readId: number
}

export interface ReadIndexResponseMessage extends Envelope {
  readonly type: 'readIndexResponse'
  readonly readId: number
  /** 0: the leader cannot serve it now, ask again. */
  readonly index: number
}

export type Message =
  | AppendMessage
  | AppendResponseMessage
  | HeartbeatMessage
  | HeartbeatResponseMessage
  | VoteMessage
  | VoteResponseMessage
  | SnapshotMessage
  | TimeoutNowMessage
  | ReadIndexMessage
  | ReadIndexResponseMessage

export type MessageType = Message['type']
