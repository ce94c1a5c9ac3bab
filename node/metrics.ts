import type { ClusterViewProvider } from './admin/cluster-view.ts'
import { MetricsRegistry } from './metrics/metrics-registry.ts'

export { CounterCell, DURATION_BUCKETS_S, HistogramCell } from './metrics/cells.ts'
export { type Labels, MetricsRegistry } from './metrics/metrics-registry.ts'

export interface NodeMetricsOptions {
  readonly version: string
  readonly node: string
  /** Read when scraped: everything about the cluster and its log comes from it. */
  readonly clusterView: ClusterViewProvider
  /** CPU, memory and event loop of the process; off where time is simulated. */
  readonly processMetrics: boolean
}

/**
 * A registry with the metrics that every node has. The gateway adds its own; so does whoever
 * measures something else, by `counter`, `gauge` or `histogram`, once per name.
 */
export function createNodeMetrics(options: NodeMetricsOptions): MetricsRegistry {
  const { clusterView, node, version } = options
  const registry = new MetricsRegistry()
  if (options.processMetrics) registry.collectProcessMetrics()
  const flag = (on: boolean): number => (on ? 1 : 0)
  const members = (role: 'voter' | 'learner') =>
    clusterView().members.filter((member) => member.role === role)

  registry.collected('parley_build_info', 'What runs here; always 1.', 'gauge', () => [
    { labels: { version, node_version: process.version }, value: 1 },
  ])
  registry.collected('parley_node_info', 'Which node this is; always 1.', 'gauge', () => {
    const { clusterId, epoch } = clusterView()
    return [{ labels: { node, cluster_id: clusterId, epoch }, value: 1 }]
  })
  registry.gauge('parley_ready', 'Whether this node serves clients.', () =>
    flag(clusterView().ready),
  )
  registry.gauge('parley_cluster_voters', 'Voters of the configuration.', () => {
    return members('voter').length
  })
  registry.gauge('parley_cluster_learners', 'Learners of the configuration.', () => {
    return members('learner').length
  })
  registry.gauge(
    'parley_cluster_failure_tolerance',
    'Voters that may fail while a majority is still reached, as this node sees it.',
    () => {
      const voters = members('voter')
      const reached = voters.filter((member) => member.state !== 'unreachable').length
      return Math.max(0, reached - (Math.floor(voters.length / 2) + 1))
    },
  )
  registry.gauge('parley_raft_has_leader', 'Whether this node knows a leader.', () =>
    flag(clusterView().leader !== null),
  )
  registry.gauge('parley_raft_is_leader', 'Whether this node leads.', () =>
    flag(clusterView().leader === node),
  )
  registry.gauge('parley_raft_term', 'Current term.', () => clusterView().term)
  registry.gauge('parley_raft_commit_index', 'Newest index known to be committed.', () => {
    return clusterView().commit
  })
  registry.gauge('parley_raft_applied_index', 'Newest index applied.', () => clusterView().applied)
  registry.collected(
    'parley_raft_peer_lag_entries',
    'Entries that a member lacks; only the leader knows.',
    'gauge',
    () => {
      const { members: all, commit } = clusterView()
      return all.flatMap(({ name, match }) =>
        match === undefined || name === node
          ? []
          : [{ labels: { peer: name }, value: Math.max(0, commit - match) }],
      )
    },
  )
  return registry
}
