import type { Subprotocol } from '#protocol'
import { Prng } from '../prng.ts'
import type { Operation } from '../workload/operation.ts'
import { drawFaults, type PlannedFault } from './fault-plan.ts'
import { drawOperations } from './operation-plan.ts'
import type { LinkOptions } from './sim-link.ts'
import type { NodeProfile } from './sim-node.ts'
import { drawSwarm, type Swarm } from './swarm.ts'

/**
 * All that a run depends on, as data: it can be read, edited and run again. Each node, link and device
 * draws its own small chances (how long a sync takes) from `seed` and its own name, so a fault or an
 * operation that is taken out moves none of the others.
 */
export interface Scenario {
  readonly seed: number | string
  /** Simulated time in which things are broken; then everything is healed. */
  readonly safetyMs: number
  /** They are called n1, n2, … */
  readonly nodes: number
  readonly link: LinkOptions
  readonly profile: NodeProfile
  readonly conversations: number
  /** Unsettled writes per device and conversation. */
  readonly window: number
  readonly devices: readonly {
    readonly device: string
    readonly user: string
    readonly subprotocol: Subprotocol
  }[]
  /** In order of time. */
  readonly faults: readonly PlannedFault[]
  /** In order of time. */
  readonly operations: readonly Operation[]
}

/** The scenario that a seed stands for, but for what `fixed` says. */
export function drawScenario(
  seed: number | string,
  safetyMs: number,
  fixed: Partial<Swarm> = {},
): Scenario {
  const prng = new Prng(seed)
  const swarm = drawSwarm(prng.split('swarm'), fixed)
  const { nodes, link, profile, conversations, window } = swarm
  const protocols = prng.split('protocols')
  const devices = Array.from({ length: swarm.devices }, (_, at) => ({
    device: `device-${at + 1}`,
    user: `user-${Math.floor(at / 2) + 1}`,
    subprotocol: protocols.pick(['parley.v1.json', 'parley.v1.msgpack'] as const),
  }))
  return {
    seed,
    safetyMs,
    nodes,
    link,
    profile,
    conversations,
    window,
    devices,
    faults: drawFaults(prng.split('faults'), swarm, safetyMs),
    operations: drawOperations(prng.split('operations'), { ...swarm, devices }, safetyMs),
  }
}
