import type { ClusterNode } from '#cluster'
import type { CatchUp } from './catch-up.ts'
import { FeatureLevels } from './feature-levels.ts'
import type { NodeHost } from './node-wiring.ts'
import { FEATURE_LEVELS } from './state-machine/feature-level.ts'

/** What one node can do, and how its cluster gets there; `cluster` is looked at later only. */
export function nodeLevels(
  { settings, ports, logger, data }: NodeHost,
  parts: { readonly cluster: ClusterNode; readonly catchUp: CatchUp },
): FeatureLevels {
  return new FeatureLevels({
    clock: ports.clock,
    logger,
    name: settings.name,
    version: settings.version,
    most: settings.mostLevel ?? FEATURE_LEVELS.max,
    cluster: () => parts.cluster,
    self: data.log.raftId,
    level: () => data.stateMachine.reader.level,
    isEmpty: () => {
      const { conversations, users } = data.stateMachine.statistics
      // Before it has caught up a state that was not checkpointed looks empty.
      return parts.catchUp.done && conversations === 0 && users === 0
    },
  })
}
