import type { ClusterMetrics } from './cluster-metrics.ts'
import type { Failpoints } from './failpoints.ts'
import type { LogStorage } from './log/log-storage.ts'
import type { Logger } from './logger.ts'
import type { Clock, Random } from './ports.ts'
import type { ReplicaEvents } from './replica-events.ts'
import type { ReplicaOptions } from './replica-options.ts'
import type { StateMachine } from './state-machine.ts'

/** What a replica is made of. Whoever opened `log` and `stateMachine` closes them. */
export interface ReplicaParts {
  readonly options: ReplicaOptions
  readonly clock: Clock
  readonly random: Random
  readonly log: LogStorage
  readonly logger: Logger
  readonly stateMachine: StateMachine
  readonly failpoints: Failpoints
  readonly events: ReplicaEvents
  readonly metrics: ClusterMetrics
}
