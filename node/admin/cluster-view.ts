import type { Clock, ClusterNode, DiskSpace, LogStorage, Member } from '#cluster'
import type { UpgradeView } from '../feature-levels.ts'
import type { SecurityReport } from '../security-report.ts'
import type { NodeRef } from '../gateway/backend.ts'
import type { LeaderWatch } from '../leader-watch.ts'
import type { StateReader } from '../state-machine/types.ts'

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
  /** Newest index of its log that is on its disk. */
  readonly persisted: number
  /** Log time of the newest applied entry, in ms: how far two nodes are apart in time. */
  readonly logTimeMs: number
  /** How long it has known its leader; without one, how long it has had none. */
  readonly leaderForMs: number
  /** Leaders that it came to know in the last quarter of an hour. */
  readonly recentLeaders: number
  /** Its clock, in ms since 1970. */
  readonly wallTimeMs: number
  /** Since its start. */
  readonly uptimeMs: number
  /** Clients that it serves. */
  readonly sessions: number
  /** Of the file system that holds its data; `null`: not known. */
  readonly disk: DiskSpace | null
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
  /** Feature level of the cluster, and what stands against raising it. */
  readonly upgrade: UpgradeView
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
  /** Whether the leader sends it entries, looks for where its log ends, or sends it a snapshot. */
  readonly progress?: 'probe' | 'replicate' | 'snapshot'
  /** How long ago the answering node heard anything of it; `null`: never, or it is that node. */
  readonly contactMs: number | null
}

/** Where a node's view of its cluster comes from. */
export interface ViewSources {
  readonly name: string
  readonly version: string
  readonly log: LogStorage
  readonly cluster: ClusterNode
  readonly initialMembers: readonly Omit<Member, 'id'>[]
  readonly leader: () => NodeRef | null
  readonly state: Pick<StateReader, 'stateHash' | 'logTime'>
  readonly ports: {
    readonly clock: Pick<Clock, 'monotonicMs' | 'wallMs'>
    /** @default there are neither certificates nor secrets */
    readonly security?: SecurityReport
  }
  readonly startedMs: number
  readonly leaders: LeaderWatch
  readonly sessions: () => number
  /** As last read. */
  readonly disk: () => DiskSpace | null
  readonly upgrade: () => UpgradeView
  readonly readiness: () => { ready: boolean; reasons: readonly string[] }
}

/** What this node knows of its cluster now, from memory: cheap enough for every request. */
export function clusterView(sources: ViewSources): ClusterView {
  const { name, version, log, cluster, state, ports } = sources
  const { clock } = ports
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
    persisted: status?.persisted ?? 0,
    logTimeMs: state.logTime,
    leaderForMs: Math.round(sources.leaders.forMs),
    recentLeaders: sources.leaders.recentChanges,
    wallTimeMs: Math.round(clock.wallMs()),
    uptimeMs: Math.round(clock.monotonicMs() - sources.startedMs),
    sessions: sources.sessions(),
    disk: sources.disk(),
    stateHash: state.stateHash,
    ready,
    reasons,
    warnings: warnings(sources),
    replication: replication(voterCount(sources)),
    upgrade: sources.upgrade(),
    members: memberViews(sources),
  }
}

/** Said by the node's log at its start too. */
export const ALONE =
  'this cluster has one voter: what it acknowledges is on one disk only, not replicated, and is lost with it'

function warnings(sources: ViewSources): string[] {
  const { level, most, waitingFor, risesByItself } = sources.upgrade()
  const isFinal = level >= most || waitingFor.length > 0 || risesByItself
  return [
    ...(voterCount(sources) === 1 ? [ALONE] : []),
    ...sources.cluster.transport.refusals().map(({ message }) => message),
    ...(sources.ports.security?.warnings() ?? []),
    ...(isFinal
      ? []
      : [
          `the upgrade is not finalized: the cluster is at feature level ${level}, and all its nodes can do ${most}; until then the older version can be started again. To end it: parley upgrade finalize`,
        ]),
  ]
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
      contactMs: null,
    }))
  }
  const { voters, learners } = replica.configuration
  const { progress } = replica.status()
  const view = (member: Member, role: 'voter' | 'learner'): ClusterMemberView => {
    const known = progress.find(({ id }) => id === member.id)
    const heardMs = member.id === log.raftId ? null : cluster.transport.heardAgoMs(member.id)
    return {
      ...base(member),
      id: member.id,
      role,
      state: stateOf(sources, member),
      ...(known === undefined ? {} : { match: known.match }),
      ...(known === undefined || member.id === log.raftId ? {} : { progress: known.state }),
      contactMs: heardMs === null ? null : Math.round(heardMs),
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
