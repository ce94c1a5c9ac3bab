import {
  type Clock,
  type ClusterNode,
  type FrameHandler,
  type LogStorage,
  PeerFrameKind,
  PeerProtocolError,
} from '#cluster'
import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import { decodeRoutes, decodeSignal, decodeStamped } from './signal-codec.ts'
import { SignalRouter } from './signal-router.ts'
import type { Signal } from './signal.ts'

interface NodeParts {
  readonly clock: Clock
  readonly log: LogStorage
  readonly cluster: ClusterNode
  readonly metrics: MetricsRegistry
  readonly deliver: (signal: Signal) => void
}

/** The signals of one node, over the links of its cluster. */
export function newSignalRouter({
  clock,
  log,
  cluster,
  metrics,
  deliver,
}: NodeParts): SignalRouter {
  const { transport } = cluster
  const router = new SignalRouter({
    clock,
    self: () => log.raftId,
    leadingTerm: () =>
      cluster.replica?.hasAuthority === true ? cluster.replica.status().term : null,
    voters: () =>
      cluster.replica?.committedConfiguration.configuration.voters.map(({ id }) => id) ?? [],
    peersUp: () => transport.peersUp().map(({ raftId }) => raftId),
    send: (to, frame) => transport.offer(to, frame),
    sendJson: (to, kind, value) => transport.sendJson(to, kind, value),
    deliver,
  })
  metrics.total(
    'parley_signals_published_total',
    'Signals taken from sessions of this node. Grows with typing and the like.',
    () => router.publishedCount,
  )
  metrics.total(
    'parley_signals_delivered_total',
    'Signals handed to the sessions of this node, once for all of them.',
    () => router.deliveredCount,
  )
  metrics.total(
    'parley_signals_dropped_total',
    'Signals that this node could not pass on: no route, no connection, or out of order. Grows while nodes change or links are busy.',
    () => router.dropped,
  )
  return router
}

/** Decodes a frame between nodes that is about signals. @throws PeerProtocolError for any other */
export function readSignalFrame(
  router: SignalRouter,
  kind: number,
  body: Uint8Array,
): FrameHandler {
  switch (kind) {
    case PeerFrameKind.routes: {
      const routes = decodeRoutes(body)
      return () => router.published(routes)
    }
    case PeerFrameKind.signal: {
      const signal = decodeSignal(body)
      return () => router.received(signal)
    }
    case PeerFrameKind.stampedSignal: {
      const stamped = decodeStamped(body)
      return () => router.stamped(stamped)
    }
    default:
      throw new PeerProtocolError(`frames of kind ${kind} are unknown`)
  }
}
