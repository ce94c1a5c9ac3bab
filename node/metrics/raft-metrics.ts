import { type ClusterNode, findMember, type LogStorage, NO_ONE } from '#cluster'
import type { MetricsRegistry } from './metrics-registry.ts'

/** Defines what there is to know of this node's part in the log. Once per registry. */
export function defineRaftMetrics(
  metrics: MetricsRegistry,
  cluster: () => ClusterNode,
  log: LogStorage,
): void {
  defineRoles(metrics, cluster)
  definePositions(metrics, cluster, log)
  defineProposals(metrics, cluster)
  defineSnapshots(metrics, cluster)
}

function defineRoles(metrics: MetricsRegistry, cluster: () => ClusterNode): void {
  const status = () => cluster().replica?.status()
  const cells = cluster().metrics
  metrics.gauge(
    'parley_raft_term',
    'Current Raft term. Each election makes a new one: it rises with every change of the leader, and with every attempt.',
    () => status()?.term ?? 0,
  )
  metrics.gauge('parley_raft_is_leader', '1 on the node that leads.', () =>
    status()?.role === 'leader' ? 1 : 0,
  )
  metrics.gauge('parley_raft_has_leader', '1 while this node knows a leader.', () =>
    (status()?.leader ?? NO_ONE) === NO_ONE ? 0 : 1,
  )
  metrics.total(
    'parley_raft_leader_changes_total',
    'Leaders that this node came to know. More than a restart or a handover now and then: slow disks, a busy machine or a network that loses connections.',
    () => cells.leaderChanges.value,
  )
  metrics.total(
    'parley_raft_elections_stood_total',
    'Terms in which this node stood for election.',
    () => cells.electionsStood.value,
  )
  metrics.total(
    'parley_raft_elections_won_total',
    'Elections that this node won.',
    () => cells.electionsWon.value,
  )
  metrics.total(
    'parley_raft_leadership_transfers_total',
    'Handovers that this node began as leader, as a drain does.',
    () => cells.transfers.value,
  )
}

function definePositions(
  metrics: MetricsRegistry,
  cluster: () => ClusterNode,
  log: LogStorage,
): void {
  const status = () => cluster().replica?.status()
  metrics.gauge('parley_raft_last_index', 'Newest index in the log.', () => log.lastIndex())
  metrics.gauge('parley_raft_first_index', 'Oldest index kept in the log.', () => log.firstIndex())
  metrics.gauge(
    'parley_raft_commit_index',
    'Newest index known committed.',
    () => status()?.commit ?? 0,
  )
  metrics.gauge(
    'parley_raft_applied_index',
    'Newest index applied. Far behind the committed one: this node cannot keep up.',
    () => status()?.applied ?? 0,
  )
  metrics.collected(
    'parley_raft_peer_lag_entries',
    'Entries a peer is behind; on the leader only. Growing without end: the peer is down or too slow.',
    'gauge',
    () => {
      const replica = cluster().replica
      return (status()?.progress ?? [])
        .filter(({ id }) => id !== log.raftId)
        .map(({ id, match }) => ({
          labels: { peer: findMember(replica!.configuration, id)?.name ?? id },
          value: log.lastIndex() - match,
        }))
    },
  )
}

function defineProposals(metrics: MetricsRegistry, cluster: () => ClusterNode): void {
  const cells = cluster().metrics
  metrics.collected(
    'parley_raft_proposals_total',
    'Commands offered to this node for the log; overloaded: refused as too much waits, not_leader: came too early or too late.',
    'counter',
    () => {
      const { taken, notLeader, overloaded } = cells.proposals
      return [
        { labels: { result: 'taken' }, value: taken.value },
        { labels: { result: 'not_leader' }, value: notLeader.value },
        { labels: { result: 'overloaded' }, value: overloaded.value },
      ]
    },
  )
  metrics.gauge(
    'parley_raft_proposals_waiting_bytes',
    'Commands taken by the leader and not yet in its log. Grows while applying or checkpoints are behind.',
    () => cluster().replica?.waitingBytes ?? 0,
  )
  metrics.histogram(
    'parley_raft_commit_duration_seconds',
    'Time from the proposal of an entry to its commit, on the leader: its disk, the network and the disks of a majority.',
    cells.commitDuration,
  )
  metrics.histogram(
    'parley_raft_apply_delay_seconds',
    'Time from the commit known here to the apply here; after a start the replay is part of it.',
    cells.applyDelay,
  )
  metrics.histogram(
    'parley_raft_entry_commands',
    'Commands that the leader put into one entry. Grows with the load, as one entry holds what came together.',
    cells.commandsPerEntry,
  )
  metrics.counters(
    'parley_raft_reads_total',
    'Linearizable reads asked of this node; refused: no leader could confirm its lead.',
    'result',
    ['confirmed', 'refused'],
    cells.reads,
  )
  metrics.histogram(
    'parley_raft_read_duration_seconds',
    'Time until a linearizable read had its index: one round of heartbeats.',
    cells.readDuration,
  )
}

function defineSnapshots(metrics: MetricsRegistry, cluster: () => ClusterNode): void {
  const cells = cluster().metrics
  metrics.collected(
    'parley_raft_snapshots_total',
    'Snapshots that brought up a peer or this node. Rising: peers fall out of the log that is kept.',
    'counter',
    () => {
      const { sent, sendFailed, installed, receiveFailed } = cells.snapshots
      return [
        { labels: { result: 'sent' }, value: sent.value },
        { labels: { result: 'send_failed' }, value: sendFailed.value },
        { labels: { result: 'installed' }, value: installed.value },
        { labels: { result: 'receive_failed' }, value: receiveFailed.value },
      ]
    },
  )
  metrics.gauge(
    'parley_raft_snapshots_sending',
    'Snapshots on their way to peers.',
    () => cluster().snapshotsSending,
  )
  metrics.total(
    'parley_raft_snapshot_sent_bytes_total',
    'Bytes of snapshots sent, what was sent twice included.',
    () => cells.snapshotBytes.value,
  )
  metrics.histogram(
    'parley_raft_snapshot_send_duration_seconds',
    'Time of a snapshot from its offer to its end at the peer.',
    cells.snapshotDuration,
  )
}
