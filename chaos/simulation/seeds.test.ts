import { describe, expect, test } from 'vitest'
import { runSeed } from './run-seed.ts'

/** A first look: `.ci/run` goes through hundreds, of every commit others. */
const SEEDS = Array.from({ length: 10 }, (_, at) => at + 1)

describe('seeds', () => {
  test('[R11] the same seed makes the same run', async () => {
    const options = { seed: 5, safetyMs: 4_000 }
    const one = await runSeed(options)
    const other = await runSeed(options)
    expect(other.traceHash).toBe(one.traceHash)
    expect(other.stats.events).toBe(one.stats.events)
    expect((await runSeed({ ...options, seed: 6 })).traceHash).not.toBe(one.traceHash)
  })

  test(
    '[M-47] [R9][R10][R21] whatever breaks, nothing promised does',
    { timeout: 240_000 },
    async () => {
      let simulatedMs = 0
      let cpuMs = 0
      let acknowledged = 0
      let backedUp = 0
      const faults = new Set<string>()
      for (const seed of SEEDS) {
        const { violation, stats } = await runSeed({ seed, safetyMs: 6_000 })
        const replay = `npx parley sim --seed ${seed} --length 6s --trace`
        expect(violation, `replay: ${replay}`).toBeNull()
        simulatedMs += stats.simulatedMs
        cpuMs += stats.cpuMs
        acknowledged += stats.acknowledged
        if (stats.backedUp > 0) backedUp += 1
        for (const fault of Object.keys(stats.faults)) faults.add(fault)
      }
      // A run in which nothing happens proves nothing.
      expect(acknowledged).toBeGreaterThan(400)
      expect(faults.size).toBeGreaterThan(12)
      expect(backedUp).toBeGreaterThan(4)
      console.info(
        `${SEEDS.length} seeds, ${Math.round(simulatedMs / 1000)} s simulated, ${acknowledged} acknowledged, ${Math.round(simulatedMs / cpuMs)} x real time`,
      )
    },
  )
})
