import { type ClusterNode, type LogStorage, NO_ONE } from '#cluster'
import type { NodeSettings } from '../node-settings.ts'
import type { CounterCell } from './cells.ts'
import type { MetricsRegistry } from './metrics-registry.ts'

export interface AppliedMetrics {
  /** Messages that apply stored since this process started, the replay of the log included. */
  readonly messages: CounterCell
}

/** Most are read when scraped: nothing is counted for them on the way. */
export function defineNodeMetrics(
  metrics: MetricsRegistry,
  cluster: () => ClusterNode,
  log: LogStorage,
  settings: NodeSettings,
): AppliedMetrics {
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.collected(name, help, 'gauge', () => [{ labels: {}, value: read() }])
  const status = () => cluster().replica?.status()

  metrics.collected('parley_build_info', 'Always 1; the version is its label.', 'gauge', () => [
    { labels: { version: settings.version, node_version: process.versions.node }, value: 1 },
  ])
  metrics.collected('parley_node_info', 'Always 1; who this node is.', 'gauge', () => {
    const { clusterId = '', epoch = '' } = log.formation ?? {}
    return [{ labels: { node: settings.name, cluster_id: clusterId, epoch }, value: 1 }]
  })
  gauge('parley_raft_term', 'Current Raft term.', () => status()?.term ?? 0)
  gauge('parley_raft_is_leader', '1 on the node that leads.', () =>
    status()?.role === 'leader' ? 1 : 0,
  )
  gauge('parley_raft_has_leader', '1 while this node knows a leader.', () =>
    (status()?.leader ?? NO_ONE) === NO_ONE ? 0 : 1,
  )
  gauge('parley_raft_last_index', 'Newest index in the log.', () => log.lastIndex())
  gauge('parley_raft_first_index', 'Oldest index kept in the log.', () => log.firstIndex())
  gauge('parley_raft_commit_index', 'Newest index known committed.', () => status()?.commit ?? 0)
  gauge('parley_raft_applied_index', 'Newest index applied.', () => status()?.applied ?? 0)
  gauge('parley_log_bytes', 'Size of the log on disk.', () => log.size().bytes)
  gauge('parley_log_segments', 'Files of the log.', () => log.size().segments)
  gauge('parley_cluster_voters', 'Voting members.', () => voters(cluster()))
  gauge('parley_cluster_failure_tolerance', 'Nodes that may still be lost.', () => {
    const { replica, transport } = cluster()
    if (replica === null) return 0
    const total = voters(cluster())
    const up = replica.configuration.voters.filter(
      ({ id }) => id === log.raftId || transport.isUp(id),
    ).length
    return Math.max(0, up - (Math.floor(total / 2) + 1))
  })
  metrics.collected(
    'parley_raft_peer_lag_entries',
    'Entries a peer is behind; on the leader only.',
    'gauge',
    () =>
      (status()?.progress ?? [])
        .filter(({ id }) => id !== log.raftId)
        .map(({ id, match }) => ({ labels: { peer: id }, value: log.lastIndex() - match })),
  )
  metrics.collected(
    'parley_peer_malformed_frames_total',
    'Connections with peers that ended because of what the peer sent.',
    'counter',
    () => [{ labels: {}, value: cluster().transport.malformedFrames }],
  )
  return {
    messages: metrics.counter(
      'parley_messages_applied_total',
      'Messages stored by apply since this process started.',
    ),
  }
}

function voters(cluster: ClusterNode): number {
  return cluster.replica?.configuration.voters.length ?? 0
}
