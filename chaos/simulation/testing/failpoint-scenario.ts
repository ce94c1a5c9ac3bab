import type { FailpointName } from '#cluster'
import type { PlannedFault } from '../fault-plan.ts'
import type { RunHooks } from '../run-seed.ts'
import { drawScenario, type Scenario } from '../scenario.ts'
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
    faults: (point === 'gateway.goawaySent' ? drains : everything)(trap),
    profile: {
      ...profile,
      replica: { tickMs: 30, electionTicks: 10, maxBatchBytes: 512, snapshotChunkBytes },
      log: { segmentBytes: 8_192 },
      state: { ...profile.state, checkpointBytes: 2_048, checkpointIdleMs: 150, chunkBytes: 200 },
      lookMs: 0.2,
    },
  }
}

/** What such a run needs besides its faults: the place may come before any fault can. */
export function failpointHooks(point: FailpointName, seed: number): RunHooks {
  return {
    prepare: ({ nodes, scheduler }) => {
      if (!/^(boot|membership\.formation|log\.created)/.test(point)) return
      for (const node of nodes.slice(0, 2)) {
        const onDeath = () => void scheduler.after(DOWN_MS, null, () => node.start())
        node.arm({ point, passes: 0, power: seed % 2 === 0, onDeath })
      }
    },
  }
}

const everything = (trap: (atMs: number, name: string) => PlannedFault): PlannedFault[] => [
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
]

const drains = (trap: (atMs: number, name: string) => PlannedFault): PlannedFault[] =>
  ['n1', 'n2', 'n3'].flatMap((name, at): PlannedFault[] => [
    trap(at * 2_000 + 100, name),
    { atMs: at * 2_000 + 200, kind: 'drain', target: [name], forMs: DOWN_MS },
  ])
