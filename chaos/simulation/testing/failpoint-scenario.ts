import type { FailpointName } from '#cluster'
import type { PlannedFault } from '../fault-plan.ts'
import type { RunHooks } from '../run-seed.ts'
import { drawScenario, type Scenario } from '../scenario.ts'
import type { Trap } from '../sim-node.ts'
import type { Swarm } from '../swarm.ts'

const SAFETY_MS = 6_000
const DOWN_MS = 300

/** Three nodes that meet everything within seconds: full segments, cuts, a member that is lost. */
const MEETS_EVERYTHING: Partial<Swarm> = {
  nodes: 3,
  devices: 4,
  conversations: 2,
  window: 16,
  thinkMs: 40,
  moveShare: 0.01,
  pullShare: 0.3,
  repeatShare: 0.05,
  faults: [],
}

/** Reached only by a life that follows a death elsewhere. */
const FOLLOWS: Partial<Record<FailpointName, FailpointName>> = {
  'checkpoint.aheadUndone': 'checkpoint.aheadWritten',
  'snapshot.installFinished': 'snapshot.activated',
}

/**
 * A run in which every node is trapped at one place, again and again, while others are isolated,
 * killed, cut off and wiped. An odd seed kills, an even one cuts power.
 */
export function failpointScenario(point: FailpointName, seed: number): Scenario {
  const scenario = drawScenario(seed, SAFETY_MS, MEETS_EVERYTHING)
  const { profile } = scenario
  const leader = point.startsWith('leader.') ? ['leader'] : []
  const trap = (atMs: number, name: string): PlannedFault => {
    const how = { passes: 0, power: seed % 2 === 0, forMs: DOWN_MS }
    const first = FOLLOWS[point]
    const where = first === undefined ? { point } : { point: first, next: point }
    return { atMs, kind: 'failpoint', target: [...leader, name], ...where, ...how }
  }
  const snapshotChunkBytes = point.startsWith('snapshot.') ? 2_048 : 262_144
  return {
    ...scenario,
    faults: [
      trap(100, 'n1'),
      trap(150, 'n2'),
      { atMs: 400, kind: 'isolate', target: ['leader', 'n2'], forMs: 900 },
      { atMs: 1_500, kind: 'wipe', target: ['n3'], forMs: 300 },
      trap(1_600, 'n3'),
      trap(1_650, 'n2'),
      trap(2_400, 'n1'),
      { atMs: 3_600, kind: 'kill', target: ['n1'], forMs: DOWN_MS },
      trap(3_700, 'n1'),
      trap(3_750, 'n3'),
      { atMs: 4_200, kind: 'reset', target: ['n2'], towards: ['n1'] },
      { atMs: 4_600, kind: 'kill', target: ['leader', 'n2'], forMs: DOWN_MS },
      trap(4_700, 'n2'),
      trap(4_750, 'n1'),
      { atMs: 5_300, kind: 'isolate', target: ['leader'], forMs: 500 },
    ],
    profile: {
      ...profile,
      replica: { tickMs: 30, electionTicks: 10, maxBatchBytes: 512, snapshotChunkBytes },
      log: { segmentBytes: 8_192 },
      state: { ...profile.state, checkpointBytes: 2_048, checkpointIdleMs: 150, chunkBytes: 200 },
      lookMs: 0.2,
    },
  }
}

/** What such a run needs besides its faults: the place may come before any fault can, or in a drain. */
export function failpointHooks(point: FailpointName, seed: number): RunHooks {
  const power = seed % 2 === 0
  return {
    prepare: ({ nodes, scheduler }) => {
      const trap = (start: () => void): Trap => ({
        ...{ point, passes: 0, power },
        onDeath: () => void scheduler.after(DOWN_MS, null, start),
      })
      if (/^(boot|membership\.formation|log\.created)/.test(point)) {
        for (const node of nodes.slice(0, 2)) node.arm(trap(() => node.start()))
      }
      if (point !== 'gateway.goawaySent') return
      nodes.forEach((node, at) => {
        scheduler.after(2_000 * (at + 1), null, () => {
          const { process } = node
          node.arm(trap(() => node.start()))
          scheduler.after(0, process, () => void node.parley?.drain(500))
          scheduler.after(1_500, null, () => {
            if (node.process === process) node.kill()
            node.start()
          })
        })
      })
    },
  }
}
