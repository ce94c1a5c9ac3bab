import { type ClusterMember, type ClusterView, fetchView } from './cluster-view.ts'

/** `degraded`: writes go on, but something is down. `unavailable`: writes cannot be accepted. */
export type Verdict = 'healthy' | 'degraded' | 'unavailable'

export interface NodeStatus {
  readonly name: string
  readonly url: string
  readonly role: string
  readonly up: boolean
  readonly ready: boolean
  readonly leads: boolean
  readonly term: number | null
  readonly applied: number | null
  /** Entries that it has yet to apply, of what the furthest node knows as committed. */
  readonly lag: number | null
  /** Why it does not serve clients; empty if it does. */
  readonly reasons: readonly string[]
}

export interface ClusterStatus {
  readonly verdict: Verdict
  /** The verdict and its cause in one line. */
  readonly sentence: string
  readonly clusterId: string | null
  readonly epoch: string | null
  readonly leader: string | null
  readonly term: number
  /** Voters that may still go down while writes go on; negative if too many are down already. */
  readonly canLose: number
  readonly nodes: readonly NodeStatus[]
}

/** Asks every given node, and every member that those know of, at the same time. */
export async function collectStatus(
  urls: readonly string[],
  options: { readonly timeoutMs: number; readonly headers?: Readonly<Record<string, string>> },
): Promise<ClusterStatus> {
  const answers = new Map<string, ClusterView | null>()
  const ask = (batch: readonly string[]) =>
    Promise.all(
      batch.map(async (url) =>
        answers.set(url, await fetchView(url, options.timeoutMs, options.headers)),
      ),
    )
  await ask(urls.map(normalize))
  const known = [...answers.values()].flatMap((view) => view?.members ?? [])
  const unasked = new Set(known.map(({ url }) => normalize(url)))
  await ask([...unasked].filter((url) => !answers.has(url)))
  return judge(answers)
}

/** Judges from each node's own answer, `null` for one that gave none, by URL. */
export function judge(answers: ReadonlyMap<string, ClusterView | null>): ClusterStatus {
  const views = [...answers.values()].filter((view) => view !== null)
  const newest = views.reduce<ClusterView | null>(
    (best, view) =>
      best === null ||
      view.term > best.term ||
      (view.term === best.term && view.commit > best.commit)
        ? view
        : best,
    null,
  )
  if (newest === null) return unreachable([...answers.keys()])

  const commit = Math.max(...views.map((view) => view.commit))
  // A deposed leader may not know it yet: only a node that says so of itself in the newest term counts.
  const leader =
    views.find((view) => view.leader === view.node && view.term === newest.term)?.node ?? null
  const nodes = newest.members.map((member): NodeStatus => {
    const view = views.find(({ node }) => node === member.name) ?? null
    return nodeStatus(member, view, leader, commit)
  })
  const voters = nodes.filter(({ role }) => role === 'voter')
  const majority = Math.floor(voters.length / 2) + 1
  const upVoters = voters.filter(({ up }) => up).length
  const canLose = upVoters - majority
  const verdict: Verdict =
    leader === null || canLose < 0
      ? 'unavailable'
      : nodes.every(({ ready }) => ready)
        ? 'healthy'
        : 'degraded'
  return {
    verdict,
    sentence: sentence(verdict, { nodes, leader, term: newest.term, canLose, upVoters, majority }),
    clusterId: newest.clusterId,
    epoch: newest.epoch,
    leader,
    term: newest.term,
    canLose,
    nodes,
  }
}

function nodeStatus(
  member: ClusterMember,
  view: ClusterView | null,
  leader: string | null,
  commit: number,
): NodeStatus {
  return {
    name: member.name,
    url: member.url,
    role: member.role,
    up: view !== null,
    ready: view?.ready ?? false,
    leads: member.name === leader,
    term: view?.term ?? null,
    applied: view?.applied ?? null,
    lag: view === null ? null : Math.max(0, commit - view.applied),
    reasons: view === null ? ['does not answer'] : view.reasons,
  }
}

function sentence(
  verdict: Verdict,
  facts: {
    nodes: readonly NodeStatus[]
    leader: string | null
    term: number
    canLose: number
    upVoters: number
    majority: number
  },
): string {
  const trouble = facts.nodes
    .filter(({ ready }) => !ready)
    .map(({ name, up, reasons }) =>
      up ? `${name}: ${reasons.join(', ') || 'not ready'}` : `${name} does not answer`,
    )
  const led = `leader ${facts.leader} · term ${facts.term}`
  switch (verdict) {
    case 'healthy':
      return `HEALTHY · can lose ${count(facts.canLose)} · ${led}`
    case 'degraded':
      return `DEGRADED · ${trouble.join(' · ')} · writes go on, can lose ${facts.canLose === 0 ? 'no' : count(facts.canLose)} more · ${led}`
    case 'unavailable':
      return facts.canLose < 0
        ? `UNAVAILABLE · no quorum: ${facts.upVoters} of the ${facts.majority} voters needed answer · ${trouble.join(' · ')}`
        : `UNAVAILABLE · no leader in term ${facts.term}${trouble.length > 0 ? ` · ${trouble.join(' · ')}` : ''}`
  }
}

function unreachable(urls: readonly string[]): ClusterStatus {
  return {
    verdict: 'unavailable',
    sentence: `UNAVAILABLE · no node answers at ${urls.join(', ')}`,
    clusterId: null,
    epoch: null,
    leader: null,
    term: 0,
    canLose: -1,
    nodes: [],
  }
}

function count(nodes: number): string {
  return nodes === 1 ? '1 node' : `${nodes} nodes`
}

function normalize(url: string): string {
  return new URL(url).origin
}
