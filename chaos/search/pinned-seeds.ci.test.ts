import { describe, expect, test } from 'vitest'
import { runSeed } from '../simulation/run-seed.ts'
import { SPARSE } from '../simulation/swarm.ts'
import { readTrackRecord } from './track-record.ts'

const { pinned } = await readTrackRecord()

describe('seeds that showed a bug once', () => {
  test.each(pinned)('$seed: $story', { timeout: 120_000 }, async ({ seed, safetyMs, sparse }) => {
    const { violation, stats } = await runSeed({ seed, safetyMs, swarm: sparse ? SPARSE : {} })
    expect(violation).toBeNull()
    expect(stats.acknowledged).toBeGreaterThan(0)
  })
})
