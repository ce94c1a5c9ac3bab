import { describe, expect, test } from 'vitest'
import { FAILPOINTS, type FailpointName } from '#cluster'
import { runScenario } from './run-seed.ts'
import { failpointHooks, failpointScenario } from './testing/failpoint-scenario.ts'

/** By turns they kill processes and cut the power of machines; two are always run. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8]
const NAMES = Object.keys(FAILPOINTS) as FailpointName[]

describe('a node that ends at its worst moment', () => {
  test.each(NAMES)('[R9][R10] %s: nothing promised is lost', { timeout: 60_000 }, async (point) => {
    let deaths = 0
    for (const seed of SEEDS) {
      if (seed > 2 && deaths > 0) break
      const hooks = failpointHooks(point, seed)
      const { violation, stats } = await runScenario(failpointScenario(point, seed), hooks)
      expect(violation, `seed ${seed}`).toBeNull()
      expect(stats.acknowledged).toBeGreaterThan(20)
      deaths += stats.failpoints[point] ?? 0
    }
    expect(deaths).toBeGreaterThan(0)
  })
})
