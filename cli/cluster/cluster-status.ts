import type { ClusterMember, ClusterView, NodeAnswer } from './cluster-view.ts'
import type { Answers } from './collect-views.ts'
import { nextSteps, sentence } from './status-sentence.ts'

/** `degraded`: writes go on, but something is down. `unavailable`: writes cannot be accepted. */
export type Verdict = 'healthy' | 'degraded' | 'unavailable'

export interface NodeStatus {
  readonly name: string
  readonly url: string
  readonly role: string
  readonly state: 'leader' | 'follower' | 'candidate' | 'stranger' | 'unknown' | 'down'
  /** It answers, here or at another node. */
  readonly up: boolean
  /** Who told its answer, as it does not answer here; `null`: it does, or nobody told any. */
  readonly through: string | null
  readonly ready: boolean
  readonly leads: boolean
  readonly term: number | null
  readonly applied: number | null
  /** Entries that it has yet to apply, of what the furthest node knows as committed. */
  readonly lag: number | null
  /** The same in the cluster's own time, in ms. */
  readonly lagMs: number | null
  /** How long ago the leader heard of it, or else whoever's view is shown. */
  readonly contactMs: number | null
  readonly version: string | null
  readonly disk: { readonly freeBytes: number; readonly sizeBytes: number } | null
  readonly sessions: number | null
  /** Why it does not serve clients; empty if it does. */
  readonly reasons: readonly string[]
  /** What else there is to say of it. */
  readonly notes: readonly string[]
}

export interface ClusterStatus {
  readonly verdict: Verdict
  /** The verdict and its cause in one line. */
  readonly sentence: string
  /** What to do, a sentence each; empty if nothing is to be done. */
  readonly next: readonly string[]
  readonly clusterId: string | null
  readonly epoch: string | null
  readonly leader: string | null
  /** How long it has led, as it says itself. */
  readonly leaderForMs: number | null
  readonly term: number
  /** Voters that may still go down while writes go on; negative if too many are down already. */
  readonly canLose: number
  /** Whose view of the members this is. */
  readonly view: string | null
  /** What other nodes say that this view does not, a sentence each. */
  readonly disagreements: readonly string[]
  readonly nodes: readonly NodeStatus[]
}

/** Followers answer every tenth of a second: whom the leader heard within this time is there. */
const CONNECTED_MS = 800

/** Judges from each node's own answer. */
export function judge(answers: Answers): ClusterStatus {
  const { shown, views } = chosenView(answers)
  if (shown === null) return unreachable(answers)
  const own = views.filter(({ clusterId }) => clusterId === shown.clusterId)
  const commit = Math.max(...own.map((view) => view.commit))
  // A deposed leader may not know it yet: only a node that says so of itself in the newest term counts.
  const leading = own.find((view) => view.leader === view.node && view.term === shown.term) ?? null
  const nodes = shown.members.map((member) =>
    nodeStatus(member, { answers, views, shown, leading, commit }),
  )
  const voters = nodes.filter(({ role }) => role === 'voter')
  const majority = Math.floor(voters.length / 2) + 1
  const upVoters = voters.filter((node) => counts(node, leading)).length
  const canLose = upVoters - majority
  const verdict: Verdict =
    leading === null || canLose < 0
      ? 'unavailable'
      : nodes.every(({ ready }) => ready) && upVoters === voters.length
        ? 'healthy'
        : 'degraded'
  const leader = leading?.node ?? null
  const leaderForMs = leading?.leaderForMs ?? null
  const isFormed = shown.clusterId !== ''
  const facts = {
    verdict,
    nodes,
    leader,
    leaderForMs,
    term: shown.term,
    canLose,
    upVoters,
    majority,
    isFormed,
  }
  return {
    verdict,
    sentence: sentence(facts),
    next: nextSteps(facts),
    clusterId: shown.clusterId,
    epoch: shown.epoch,
    leader,
    leaderForMs,
    term: shown.term,
    canLose,
    view: shown.node,
    disagreements: disagreements(answers, shown),
    nodes,
  }
}

/** The view to show, of the cluster that the first answer is of: the leader's, or the newest. */
function chosenView(answers: Answers): { shown: ClusterView | null; views: ClusterView[] } {
  const views = [...answers.values()].flatMap(({ view }) => view ?? [])
  // An empty directory, or one that lost its data, does not speak for a cluster that is there.
  const formed = views.filter(({ clusterId }) => clusterId !== '')
  const candidates = formed.filter(({ clusterId }) => clusterId === formed[0]?.clusterId)
  const rank = (view: ClusterView) => [view.term, view.leader === view.node ? 1 : 0, view.commit]
  const [shown = null] = (candidates.length > 0 ? candidates : views).toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)]
    return right[0]! - left[0]! || right[1]! - left[1]! || right[2]! - left[2]!
  })
  return { shown, views }
}

interface Sources {
  readonly answers: Answers
  readonly views: readonly ClusterView[]
  readonly shown: ClusterView
  readonly leading: ClusterView | null
  readonly commit: number
}

function nodeStatus(member: ClusterMember, sources: Sources): NodeStatus {
  const { views, shown, leading, commit, answers } = sources
  const view = views.find((one) => isOf(one, member, shown)) ?? null
  const { name, url, role } = member
  const seen = leading?.members.find((one) => one.name === name) ?? member
  const leads = name === leading?.node
  const base = { name, url, role, leads, contactMs: leads ? null : (seen.contactMs ?? null) }
  const notes: string[] = []
  if (seen.progress === 'snapshot') notes.push('gets a snapshot')
  if (view === null) {
    if (isConnected(seen)) notes.push(`${leading?.node ?? shown.node} hears it`)
    const last = Math.max(commit, leading?.persisted ?? 0)
    return {
      ...base,
      state: 'down',
      up: false,
      through: null,
      ready: false,
      term: null,
      applied: null,
      lag: seen.match === undefined ? null : Math.max(0, last - seen.match),
      lagMs: null,
      version: null,
      disk: null,
      sessions: null,
      reasons: [silence(answers.get(new URL(url).origin))],
      notes,
    }
  }
  const isOwn = view.clusterId === shown.clusterId
  if (leading !== null && isOwn && seen.state === 'unreachable') {
    notes.push(`${leading.node} does not reach it`)
  }
  const newestMs = leading?.logTimeMs
  return {
    ...base,
    state: isOwn ? (leads ? 'leader' : ownState(view, member)) : 'stranger',
    up: true,
    through: throughOf(view, answers),
    ready: view.ready && isOwn,
    term: view.term,
    applied: view.applied,
    lag: isOwn ? Math.max(0, commit - view.applied) : null,
    lagMs:
      isOwn && newestMs !== undefined && view.logTimeMs !== undefined
        ? Math.max(0, newestMs - view.logTimeMs)
        : null,
    version: view.version ?? null,
    disk: view.disk ?? null,
    sessions: view.sessions ?? null,
    reasons:
      isOwn || view.clusterId === '' ? view.reasons : [`is of another cluster, ${view.clusterId}`],
    notes,
  }
}

function throughOf(view: ClusterView, answers: Answers): string | null {
  const answer = [...answers.values()].find((one) => one.view === view)
  if (answer === undefined || answer.view === null || answer.through === undefined) return null
  const { through } = answer
  return answers.get(through)?.view?.node ?? through
}

/** Two clusters may each have a node of that name: its own cluster's, or else an empty one's. */
function isOf(view: ClusterView, member: ClusterMember, shown: ClusterView): boolean {
  return view.node === member.name && (view.clusterId === shown.clusterId || view.clusterId === '')
}

function ownState(view: ClusterView, { name }: ClusterMember): NodeStatus['state'] {
  const said = view.members.find((one) => one.name === name)?.state
  switch (said) {
    case 'follower':
    case 'candidate':
      return said
    // By its own word in an older term.
    case 'leader':
      return 'follower'
    default:
      return 'unknown'
  }
}

const isConnected = ({ contactMs, state }: ClusterMember): boolean =>
  state === 'follower' && typeof contactMs === 'number' && contactMs < CONNECTED_MS

/** Whether the voter may stand for a majority now: the leader's links decide, not who answers us. */
function counts(node: NodeStatus, leading: ClusterView | null): boolean {
  if (node.state === 'stranger') return false
  const seen = leading?.members.find(({ name }) => name === node.name)
  if (seen === undefined || node.leads) return node.up
  if (node.up) return seen.state !== 'unreachable'
  return isConnected(seen)
}

function silence(answer: NodeAnswer | undefined): string {
  if (answer === undefined || answer.view !== null) return 'does not answer'
  switch (answer.failure) {
    case 'silent':
      return 'does not answer'
    case 'elsewhere':
      return `does not answer operators at this address: ${answer.detail}`
    case 'refused':
    case 'strange':
      return answer.detail
  }
}

function disagreements(answers: Answers, shown: ClusterView): string[] {
  const said: string[] = []
  for (const [url, { view }] of answers) {
    if (view === null || view === shown) continue
    if (view.clusterId === '' && shown.clusterId !== '') {
      said.push(`${view.node} at ${url} is of no cluster`)
    } else if (view.clusterId !== shown.clusterId) {
      said.push(`${view.node} at ${url} is of another cluster, ${view.clusterId}`)
    } else if (view.epoch !== shown.epoch) {
      said.push(`${view.node} is of another epoch of the cluster, ${view.epoch}`)
    } else if (view.leader !== null && view.leader !== shown.leader) {
      said.push(`${view.node} takes ${view.leader} for the leader, in term ${view.term}`)
    }
    const names = (one: ClusterView) =>
      one.members
        .map(({ name, role }) => `${name} (${role})`)
        .toSorted()
        .join(', ')
    if (view.clusterId === shown.clusterId && names(view) !== names(shown)) {
      said.push(`${view.node} knows other members: ${names(view)}`)
    }
  }
  return said
}

function unreachable(answers: Answers): ClusterStatus {
  const urls = [...answers.keys()]
  return {
    verdict: 'unavailable',
    sentence: `UNAVAILABLE · no node answers at ${urls.join(', ')}`,
    next: [
      'look whether the nodes run, and whether these are the addresses where they serve operators',
    ],
    clusterId: null,
    epoch: null,
    leader: null,
    leaderForMs: null,
    term: 0,
    canLose: -1,
    view: null,
    disagreements: [],
    nodes: [],
  }
}
