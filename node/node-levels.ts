import { type ClusterNode, findMember } from '#cluster'
import type { CatchUp } from './catch-up.ts'
import { FeatureLevels } from './feature-levels.ts'
import type { NodeHost } from './node-wiring.ts'
import { FEATURE_LEVELS } from './state-machine/feature-level.ts'

/** So long who founded a cluster may see the last of its members come, while clients write already. */
const NEW_MS = 10_000

/** What one node can do, and how its cluster gets there; `cluster` is looked at later only. */
export function nodeLevels(
  { settings, ports, logger, data }: NodeHost,
  parts: { readonly cluster: ClusterNode; readonly catchUp: CatchUp },
): FeatureLevels {
  const { log, stateMachine } = data
  const isFounder = log.formation === null
  let formedMs: number | null = null
  return new FeatureLevels({
    clock: ports.clock,
    logger,
    name: settings.name,
    version: settings.version,
    most: settings.mostLevel ?? FEATURE_LEVELS.max,
    cluster: () => parts.cluster,
    self: log.raftId,
    level: () => stateMachine.reader.level,
    isNew: () => {
      const { formation } = log
      if (isFounder && formation !== null && findMember(formation.configuration, log.raftId)) {
        formedMs ??= ports.clock.monotonicMs()
        if (ports.clock.monotonicMs() < formedMs + NEW_MS) return true
      }
      const { conversations, users } = stateMachine.statistics
      // Before it has caught up a state that was not checkpointed looks empty.
      return parts.catchUp.done && conversations === 0 && users === 0
    },
  })
}
