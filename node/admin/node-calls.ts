import {
  type Clock,
  type ClusterNode,
  findMember,
  type FrameHandler,
  type Logger,
  type LogStorage,
  NO_ONE,
  PeerFrameKind,
  type Random,
} from '#cluster'
import type { FeatureLevels } from '../feature-levels.ts'
import type { NodeDrain } from '../node-drain.ts'
import type { NodeReloads } from '../reload.ts'
import type { PeerStandings } from '../peer-standings.ts'
import type { StateReader } from '../state-machine/types.ts'
import { decodeAnswer, decodeCall } from './call-frame.ts'
import { ClusterCalls } from './cluster-calls.ts'
import type { ClusterView } from './cluster-view.ts'
import { nodeOperations } from './node-operations.ts'
import type { SelfSources } from './self-routes.ts'

/** The first peer protocol that knows these frames. */
const CALLS_SINCE_PROTOCOL = 2

interface NodeParts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly log: LogStorage
  readonly cluster: ClusterNode
  readonly drain: NodeDrain
  readonly reloads: NodeReloads | null
  readonly levels: FeatureLevels
  readonly standings: PeerStandings
  readonly self: SelfSources
  readonly state: StateReader
  serving(): boolean
  view(): ClusterView
  metrics(): Promise<string>
}

/** The calls of one node, over the links of its cluster. */
export function newClusterCalls(parts: NodeParts): ClusterCalls {
  const { clock, random, logger, log, cluster, drain, reloads, levels, standings } = parts
  const { transport } = cluster
  const replica = () => cluster.replica
  const calls: ClusterCalls = new ClusterCalls({
    clock,
    random,
    logger,
    self: log.raftId,
    operations: nodeOperations({
      ...{ clock, logger, cluster, replica, drain, reloads, levels },
      fitness: (id) => standings.fitness(id),
      view: () => parts.view(),
      self: parts.self,
      trace: { state: parts.state, log },
      serving: () => parts.serving(),
      metrics: () => parts.metrics(),
      calls: () => calls,
    }),
    leader: () => replica()?.leader ?? NO_ONE,
    leads: () => replica()?.hasAuthority === true,
    idOf: (name) => {
      const { voters = [], learners = [] } = replica()?.configuration ?? {}
      return [...voters, ...learners].find((member) => member.name === name)?.id ?? null
    },
    isMember: (id) => {
      const configuration = replica()?.configuration
      return configuration !== undefined && findMember(configuration, id) !== undefined
    },
    // An older version would take such a frame for damage.
    isUp: (id) => (transport.helloOf(id)?.protocol.max ?? 0) >= CALLS_SINCE_PROTOCOL,
    sendJson: (to, kind, value) => transport.sendJson(to, kind, value),
  })
  return calls
}

/** Decodes a frame between nodes that is an operator's call, `null` if it is another's. @throws PeerProtocolError */
export function readCallFrame(
  calls: ClusterCalls,
  from: string,
  kind: number,
  body: Uint8Array,
): FrameHandler | null {
  if (kind === PeerFrameKind.operatorCall) {
    const call = decodeCall(body)
    return () => calls.received(from, call)
  }
  if (kind !== PeerFrameKind.operatorAnswer) return null
  const answer = decodeAnswer(body)
  return () => calls.answered(from, answer)
}
