import { describe, expect, test } from 'vitest'
import { FAILPOINTS, type FailpointName } from '#cluster'
import { runScenario } from './run-seed.ts'
import { failpointHooks, failpointScenario } from './testing/failpoint-scenario.ts'

/** Runs at each place, more if nobody dies; the long form sets five. */
const RUNS = Number(process.env['PARLEY_DRILL_DEATHS'] ?? 1)
const MOST_RUNS = 8
const ALL = Object.keys(FAILPOINTS) as FailpointName[]
/** The long form goes to all of them, the short one to every other, which ones by the commit. */
const NAMES = ALL.filter(
  (_, at) => RUNS > 1 || at % 2 === Number(process.env['PROPERTY_SEED'] ?? 0) % 2,
)

describe('a node that ends at its worst moment', () => {
  test.each(NAMES)('[R9][R10] %s: nothing promised is lost', async (point) => {
    let deaths = 0
    // By turns they kill processes and cut the power of machines, and so do the places.
    const first = 1 + (Math.floor(ALL.indexOf(point) / 2) % 2)
    for (let seed = first; seed < first + MOST_RUNS; seed += 1) {
      if (seed >= first + RUNS && deaths > 0) break
      const hooks = failpointHooks(point, seed)
      const { violation, stats } = await runScenario(failpointScenario(point, seed), hooks)
      expect(violation, `seed ${seed}`).toBeNull()
      expect(stats.acknowledged).toBeGreaterThan(20)
      deaths += stats.failpoints[point] ?? 0
    }
    expect(deaths).toBeGreaterThan(0)
  })
})
