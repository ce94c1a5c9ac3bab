import type { ClusterMember } from '../cluster/cluster-view.ts'
import type { Check } from './check.ts'
import type { NodeRecord } from './patient.ts'

const LAG_ENTRIES = 1_000
const LAG_MS = 5_000

/** A learner takes in something new all the time, or has caught up. */
const STUCK_S = 30

/** Why a member that is taken in does not get on; `null`: it does. */
function stuckBy(
  { state, progress, peer = '', match = 0 }: ClusterMember,
  { name: leader, view, now }: NodeRecord,
): string | null {
  if (state === 'unreachable') return `${leader} does not reach it at ${peer}`
  const place = `at index ${match} of ${view.commit}`
  if (progress === 'probe') return `${leader} still looks for where its log ends, ${place}`
  const stuckS = now?.value('parley_cluster_learner_stuck_seconds') ?? 0
  if (stuckS < STUCK_S) return null
  const what = progress === 'snapshot' ? 'of the snapshot that it gets ' : ''
  return `${what}it has taken in nothing for ${Math.round(stuckS)} s, ${place}`
}

/** Members that are behind. */
export const LAG_CHECKS: readonly Check[] = [
  {
    id: 'follower-lag',
    severity: 'warning',
    title: 'a member is far behind the leader',
    runbook: 'parleyfollowerlag',
    find: ({ status }) =>
      status.nodes
        .filter(({ up, lag, lagMs }) => up && ((lag ?? 0) > LAG_ENTRIES || (lagMs ?? 0) > LAG_MS))
        .map(({ name, lag, lagMs }) => ({
          node: name,
          evidence: `${lag ?? 0} entries${lagMs === null ? '' : `, ${(lagMs / 1_000).toFixed(1)} s`} behind what is committed`,
          next: `parley status --watch; if it does not shrink: disk and CPU of ${name}, and the way to it`,
        })),
  },
  {
    id: 'learner-stuck',
    severity: 'warning',
    title: 'a member that is taken in does not get on',
    runbook: 'parleylearnerstuck',
    find: ({ leader }) => {
      if (leader === null) return []
      return leader.view.members
        .filter(({ role }) => role === 'learner')
        .flatMap((learner) => {
          const evidence = stuckBy(learner, leader)
          if (evidence === null) return []
          const { name } = learner
          const next = `see whether ${name} runs, and what its log says; parley members remove ${name} gives it up`
          return { node: name, evidence, next }
        })
    },
  },
  {
    id: 'apply-lag',
    severity: 'warning',
    title: 'a node has committed entries that it has not applied',
    runbook: 'parleyapplylag',
    find: ({ nodes }) =>
      nodes
        .filter(({ view }) => view.commit - view.applied > LAG_ENTRIES)
        .map(({ name, view }) => ({
          node: name,
          evidence: `committed ${view.commit}, applied ${view.applied}`,
          next: 'let it work; do not restart it, the replay would begin anew',
        })),
  },
  {
    id: 'state-lost',
    severity: 'warning',
    title: 'a node waits for a snapshot, its state was damaged',
    runbook: 'parleystatelost',
    find: ({ nodes }) =>
      nodes
        .filter(({ now }) => now?.value('parley_state_lost') === 1)
        .map(({ name }) => ({
          node: name,
          evidence: 'parley_state_lost is 1',
          next: `look for snapshot.failed in the logs of ${name} and of the leader`,
        })),
  },
  {
    id: 'state-diverged',
    severity: 'critical',
    title: 'nodes hold different states at the same index',
    runbook: 'parleystatediverged',
    find: ({ nodes }) => [
      ...nodes.flatMap((a) =>
        nodes
          .filter((b) => a.name < b.name && a.view.applied === b.view.applied)
          .filter((b) => differ(a.view.stateHash, b.view.stateHash))
          .map((b) => ({
            node: null,
            evidence: `at index ${a.view.applied} ${a.name} has ${a.view.stateHash}, ${b.name} has ${b.view.stateHash}`,
            next: 'stop what writes, keep a copy of each data directory, and report it',
          })),
      ),
      ...nodes
        .filter(({ now }) => (now?.value('parley_state_divergences_total') ?? 0) > 0)
        .map(({ name, now }) => ({
          node: name,
          evidence: `${now?.value('parley_state_divergences_total')} comparisons with other nodes failed since its start`,
          next: 'check memory and disk of the machine whose node ended with state.discarded',
        })),
    ],
  },
]

const differ = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && b !== undefined && a !== b
