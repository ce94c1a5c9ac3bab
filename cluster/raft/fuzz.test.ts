import { describe, expect, test } from 'vitest'
import { FuzzRun } from './testing/fuzz-run.ts'

const SEEDS = Number(process.env['RAFT_FUZZ_SEEDS'] ?? 150)
const FIRST = Number(process.env['RAFT_FUZZ_FIRST'] ?? 1)
const EVENTS = 3000

describe('EL LR CM MB SN RI: random faults never break a promise', () => {
  test(`${SEEDS} seeds`, { timeout: 600_000 }, () => {
    let committed = 0
    const total = { elections: 0, reads: 0, crashes: 0, snapshots: 0, changes: 0 }
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const run = new FuzzRun(seed)
      try {
        run.run(EVENTS)
        run.settle()
      } catch (cause) {
        throw new Error(`RAFT_FUZZ_FIRST=${seed} RAFT_FUZZ_SEEDS=1: ${String(cause)}`, { cause })
      }
      committed += run.committed
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += run.stats[key]
    }
    // The faults must not be such that nothing happens at all.
    expect(committed).toBeGreaterThan(SEEDS * 20)
    expect(total.elections).toBeGreaterThan(SEEDS)
    expect(total.reads).toBeGreaterThan(SEEDS)
    if (process.env['RAFT_FUZZ_VERBOSE'] !== undefined)
      process.stderr.write(`${committed} ${JSON.stringify(total)}\n`)
  })
})
