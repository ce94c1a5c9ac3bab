import type { Entry, RaftId, SnapshotMeta } from './types.ts'

interface Envelope {
  readonly from: RaftId
  readonly to: RaftId
  /** The sender's term; of a pre-vote and its grant the term it would campaign in. */
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
  /** This replica's last index. */
  readonly lastIndex: number
}

/**
 * The commit index alone, for a peer that was already sent the entry there; not answered. It counts
 * only if the receiver's entry at `commit` has the sender's term: then the logs agree up to it
 * (Raft §5.3), and a leader commits directly only entries of its own term (§5.4.2).
 */
export interface CommitMessage extends Envelope {
  readonly type: 'commit'
  readonly commit: number
}

export interface HeartbeatMessage extends Envelope {
  readonly type: 'heartbeat'
  /** Never above what this receiver acknowledged. */
  readonly commit: number
  /**
   * What this receiver acknowledged to this leader in this term. A receiver whose log ends below it
   * has lost its disk (rule K1): no reordering of messages can explain it.
   */
  readonly acknowledged: number
  /** The leader's own number of the newest read that this round confirms, 0 for none. */
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

/**
 * On the leader it asks the host to stream a snapshot, this one or a newer; on the receiver the host
 * steps it, naming what was streamed, once the whole of it has arrived. The core sees only the name.
 */
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
  /** The asker's number, unlike any it used before, in an earlier life too. */
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
  | CommitMessage
  | HeartbeatMessage
  | HeartbeatResponseMessage
  | VoteMessage
  | VoteResponseMessage
  | SnapshotMessage
  | TimeoutNowMessage
  | ReadIndexMessage
  | ReadIndexResponseMessage

export type MessageType = Message['type']

/** The message of one type. */
export type MessageOf<T extends MessageType, M extends Message = Message> = M extends Message
  ? T extends M['type']
    ? M
    : never
  : never
