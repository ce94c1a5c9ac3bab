import type { ClusterNode, Configuration, LogStorage, Member } from '#cluster'
import type { MetricsRegistry } from './metrics-registry.ts'

/** Defines what this node knows of the others. Once per registry. */
export function definePeerMetrics(
  metrics: MetricsRegistry,
  cluster: () => ClusterNode,
  log: LogStorage,
): void {
  const configuration = (): Pick<Configuration, 'voters' | 'learners'> =>
    cluster().replica?.configuration ?? { voters: [], learners: [] }
  const peers = (): Member[] =>
    [...configuration().voters, ...configuration().learners].filter(({ id }) => id !== log.raftId)
  const isUp = ({ id }: Member) => id === log.raftId || cluster().transport.isUp(id)

  metrics.gauge(
    'parley_cluster_voters',
    'Voting members, as this node knows them.',
    () => configuration().voters.length,
  )
  metrics.gauge(
    'parley_cluster_learners',
    'Members that are being taken in and do not vote yet.',
    () => configuration().learners.length,
  )
  metrics.gauge(
    'parley_cluster_learner_stuck_seconds',
    'How long the learner that is stuck longest has taken in nothing new; 0 on nodes that do not lead. It does not vote before it has caught up.',
    () => cluster().longestStuckLearnerMs / 1_000,
  )
  metrics.gauge(
    'parley_cluster_failure_tolerance',
    'Voters that may still be lost, as this node sees them. 0: one more and no message is accepted.',
    () => {
      const { voters } = configuration()
      const majority = Math.floor(voters.length / 2) + 1
      return Math.max(0, voters.filter(isUp).length - majority)
    },
  )
  metrics.collected(
    'parley_peer_up',
    '1 while this node has a connection to the member.',
    'gauge',
    () => peers().map((peer) => ({ labels: { peer: peer.name }, value: isUp(peer) ? 1 : 0 })),
  )
  metrics.collected(
    'parley_peer_round_trip_seconds',
    'Time of the last ping to the member, twice a second; absent while there is no connection. It has to be far below an election timeout.',
    'gauge',
    () =>
      peers().flatMap(({ id, name }) => {
        const ms = cluster().transport.roundTripMs(id)
        return ms === null ? [] : [{ labels: { peer: name }, value: ms / 1_000 }]
      }),
  )
  defineTraffic(metrics, cluster)
}

function defineTraffic(metrics: MetricsRegistry, cluster: () => ClusterNode): void {
  const cells = cluster().metrics
  metrics.counters(
    'parley_peer_bytes_total',
    'Bytes exchanged with other nodes, pings left out of those sent.',
    'direction',
    ['sent', 'received'],
    cells.peerBytes,
  )
  metrics.counters(
    'parley_peer_frames_total',
    'Frames exchanged with other nodes, without pings and introductions.',
    'direction',
    ['sent', 'received'],
    cells.peerFrames,
  )
  metrics.total(
    'parley_peer_frames_dropped_total',
    'Frames to other nodes that were not sent: no connection, or too much waited. Grows as long as a member is away.',
    () => cells.peerFramesDropped.value,
  )
  metrics.total(
    'parley_peer_disconnects_total',
    'Connections to other nodes that were up and ended.',
    () => cells.peerDisconnects.value,
  )
  metrics.total(
    'parley_peer_malformed_frames_total',
    'Connections with peers that ended because of what the peer sent. Any rise: different versions, or something changes bytes on the way.',
    () => cluster().transport.malformedFrames,
  )
}
