/** What one node knows of its cluster: the answer of `GET /v1/cluster`. */
export interface ClusterView {
  readonly clusterId: string
  readonly epoch: string
  /** Name of the answering node: the whole view is its own. */
  readonly node: string
  readonly version: string
  /** Name of the leader, `null` while this node knows none. */
  readonly leader: string | null
  readonly term: number
  readonly commit: number
  readonly applied: number
  /** Hash over everything applied: equal on all nodes that have applied the same index (K5). */
  readonly stateHash: string
  readonly ready: boolean
  readonly reasons: readonly string[]
  /** Sentences on what works and yet promises less than it might, for `/readyz?verbose` too. */
  readonly warnings: readonly string[]
  /** Every configured member, those that are down too, by name. */
  readonly members: readonly ClusterMemberView[]
}

export interface ClusterMemberView {
  readonly name: string
  /** Raft id, as text: it is a 64-bit number. */
  readonly id: string
  readonly role: 'voter' | 'learner'
  /** Where clients reach it. */
  readonly url: string
  /** Where its peers reach it, `host:port`. */
  readonly peer: string
  readonly state: 'leader' | 'follower' | 'candidate' | 'unreachable' | 'unknown'
  /** Newest index known to be on its disk; only a leader knows it of others. */
  readonly match?: number
}

/** Called for each request; answers from memory. */
export type ClusterViewProvider = () => ClusterView
