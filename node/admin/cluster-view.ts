import type { ClusterNode, LogStorage, Member } from '#cluster'
import type { NodeRef } from '../gateway/backend.ts'

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
  /** Every message is on the disks of a majority of the voters before it is called sent. */
  readonly replication: {
    readonly voters: number
    readonly majority: number
    /** How many voters may fail at a time, and writes go on: of 3 one, of 5 two. */
    readonly mayFail: number
  }
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

/** Where a node's view of its cluster comes from. */
export interface ViewSources {
  readonly name: string
  readonly version: string
  readonly log: LogStorage
  readonly cluster: ClusterNode
  readonly initialMembers: readonly Omit<Member, 'id'>[]
  readonly leader: () => NodeRef | null
  readonly stateHash: () => string
  readonly readiness: () => { ready: boolean; reasons: readonly string[] }
}

/** What this node knows of its cluster now, from memory: cheap enough for every request. */
export function clusterView(sources: ViewSources): ClusterView {
  const { name, version, log, cluster } = sources
  const status = cluster.replica?.status()
  const { ready, reasons } = sources.readiness()
  return {
    clusterId: log.formation?.clusterId ?? '',
    epoch: log.formation?.epoch ?? '',
    node: name,
    version,
    leader: sources.leader()?.id ?? null,
    term: status?.term ?? 0,
    commit: status?.commit ?? 0,
    applied: status?.applied ?? 0,
    stateHash: sources.stateHash(),
    ready,
    reasons,
    warnings: warnings(sources),
    replication: replication(voterCount(sources)),
    members: memberViews(sources),
  }
}

/** Said by the node's log at its start too. */
export const ALONE =
  'this cluster has one voter: what it acknowledges is on one disk only, not replicated, and is lost with it'

function warnings(sources: ViewSources): string[] {
  return voterCount(sources) === 1 ? [ALONE] : []
}

function voterCount({ cluster, initialMembers }: ViewSources): number {
  return (cluster.replica?.configuration.voters ?? initialMembers).length
}

/** Of so many voters. */
export function replication(voters: number): ClusterView['replication'] {
  const majority = Math.floor(voters / 2) + 1
  return { voters, majority, mayFail: voters - majority }
}

function memberViews(sources: ViewSources): ClusterMemberView[] {
  const { cluster, initialMembers, name, log } = sources
  const replica = cluster.replica
  const base = (member: Omit<Member, 'id'>) => ({
    name: member.name,
    url: member.clientUrl,
    peer: member.peerAddress,
  })
  if (replica === null) {
    return initialMembers.map((member) => ({
      ...base(member),
      id: member.name === name ? log.raftId : '',
      role: 'voter',
      state: 'unknown',
    }))
  }
  const { voters, learners } = replica.configuration
  const view = (member: Member, role: 'voter' | 'learner'): ClusterMemberView => {
    const match = replica.status().progress.find(({ id }) => id === member.id)?.match
    return {
      ...base(member),
      id: member.id,
      role,
      state: stateOf(sources, member),
      ...(match === undefined ? {} : { match }),
    }
  }
  return [
    ...voters.map((member) => view(member, 'voter')),
    ...learners.map((member) => view(member, 'learner')),
  ].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function stateOf(sources: ViewSources, member: Member): ClusterMemberView['state'] {
  const { cluster, log } = sources
  const replica = cluster.replica!
  if (member.id === replica.leader) return 'leader'
  if (member.id === log.raftId) {
    const { role } = replica.status()
    return role === 'follower' ? 'follower' : 'candidate'
  }
  return cluster.transport.isUp(member.id) ? 'follower' : 'unreachable'
}
