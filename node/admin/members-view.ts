import type { ClusterNode, Configuration } from '#cluster'
import type { ClusterMemberView, ClusterView } from './cluster-view.ts'

/** Where a member is on its way to a vote. */
type MemberPhase = 'votes' | 'unreachable' | 'snapshot' | 'catchingUp'

export interface MemberView extends ClusterMemberView {
  readonly phase: MemberPhase
  /** Entries that are not known to be on its disk; `null`: unknown. */
  readonly lag: number | null
  /** Of a snapshot on its way to it, acknowledged; `null`: none is. */
  readonly snapshotBytes: number | null
  /** How long a learner has taken in nothing new, in ms. */
  readonly stuckMs: number
}

/** The members as their leader sees them: the answer of `GET /v1/cluster/members`. */
export interface MembersView {
  readonly leader: string
  readonly term: number
  /** Names these very members: the value of `If-Match` where a change shall be of no others. */
  readonly configuration: string
  /** A change is not committed. */
  readonly isChanging: boolean
  /** Names that wait for a node with an empty directory to answer. */
  readonly asked: readonly string[]
  /** Names under which empty directories answer. */
  readonly strangers: readonly string[]
  readonly members: readonly MemberView[]
}

export function membersView(cluster: ClusterNode, view: ClusterView): MembersView {
  const replica = cluster.replica!
  const asked = cluster.askedMembers
  const memberView = (member: ClusterMemberView): MemberView => {
    const snapshotBytes = cluster.snapshotBytesTo(member.id)
    return {
      ...member,
      phase: phaseOf(member),
      lag: member.match === undefined ? null : Math.max(0, view.commit - member.match),
      snapshotBytes,
      stuckMs: Math.round(cluster.learnerStuckMs(member.id)),
    }
  }
  return {
    leader: view.leader ?? view.node,
    term: view.term,
    configuration: configurationTag(replica.configuration),
    isChanging: !replica.configurationCommitted,
    asked,
    strangers: cluster.strangers().map(({ name }) => name),
    members: view.members.map(memberView),
  }
}

function phaseOf({ role, state, progress }: ClusterMemberView): MemberPhase {
  if (role === 'voter') return 'votes'
  if (state === 'unreachable') return 'unreachable'
  return progress === 'snapshot' ? 'snapshot' : 'catchingUp'
}

/** The same for the same members in the same roles, on every node; ids are never used again (K1). */
export function configurationTag({ voters, learners }: Configuration): string {
  const text = [...voters.map(({ id }) => `v${id}`), ...learners.map(({ id }) => `l${id}`)].sort()
  return fingerprint(text.join())
}

/** FNV-1a on 64 bits: to tell configurations apart, not to hide them. */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(text)) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  }
  return hash.toString(16).padStart(16, '0')
}
