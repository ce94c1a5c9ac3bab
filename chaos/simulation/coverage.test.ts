import { describe, expect, test } from 'vitest'
import { runScenario, runSeed } from './run-seed.ts'
import { drawScenario } from './scenario.ts'
import { type Fault, FAULTS, type Swarm } from './swarm.ts'

/** Seeds tried until the fault was seen to bite. */
const SEEDS = 6

/** What a kind needs so as to be felt. */
const NEEDS: Partial<Record<Fault, Partial<Swarm>>> = {
  bridge: { nodes: 5 },
  ring: { nodes: 5 },
  rollback: { nodes: 5 },
}

const busy: Partial<Swarm> = {
  ...{ nodes: 3, devices: 3, conversations: 2, thinkMs: 40, window: 4 },
  faultEveryMs: 400,
}

test('[K1] a cluster forms although its nodes die again and again while it does', async () => {
  let restarts = 0
  for (let seed = 1; seed <= 6; seed++) {
    const dying = ['kill', 'power', 'powerAll', 'crashAt', 'crashLoop'] as const
    const drawn = drawScenario(seed, 500, { ...busy, faults: dying, sdkShare: 0 })
    const { violation, stats } = await runScenario({ ...drawn, faults: [] })
    expect(violation, `seed ${seed}`).toBeNull()
    // But for the one that ends every run.
    restarts += stats.restarts - 1
  }
  expect(restarts).toBeGreaterThan(6)
})

/** A kind of fault that never does anything finds nothing. */
describe('[R19] every kind of fault is seen to bite, alone', () => {
  test.each(FAULTS)('%s', async (kind) => {
    let bites = 0
    for (let seed = 1; seed <= SEEDS && bites === 0; seed++) {
      const swarm = { ...busy, faults: [kind], ...NEEDS[kind] }
      const { violation, stats } = await runSeed({ seed, safetyMs: 4_000, swarm })
      expect(violation, `seed ${seed}`).toBeNull()
      bites += stats.evidence[kind] ?? 0
    }
    expect(bites).toBeGreaterThan(0)
  })
})
