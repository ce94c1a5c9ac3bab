import { describe, expect, test } from 'vitest'
import { FuzzRun } from './testing/fuzz-run.ts'

const FIRST = Number(process.env['RAFT_FUZZ_FIRST'] ?? 1)
const SEEDS = Number(process.env['RAFT_FUZZ_SEEDS'] ?? 300)
const EVENTS = 3000

describe('random faults break no promise', () => {
  test(
    `[EL1] [LR1] [CM1] [CM2] [RI1] [MB1] [SN2] ${SEEDS} seeds from ${FIRST}`,
    { timeout: 3_600_000 },
    () => {
      const total = { committed: 0, elections: 0, reads: 0, crashes: 0, snapshots: 0, changes: 0 }
      for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
        const run = new FuzzRun(seed)
        try {
          run.run(EVENTS)
          run.settle()
        } catch (cause) {
          throw new Error(`RAFT_FUZZ_FIRST=${seed} RAFT_FUZZ_SEEDS=1: ${String(cause)}`, { cause })
        }
        total.committed += run.committed
        total.elections += run.elections
        for (const name of ['reads', 'crashes', 'snapshots', 'changes'] as const) {
          total[name] += run.stats[name]
        }
      }
      if (process.env['RAFT_FUZZ_VERBOSE'] !== undefined) {
        process.stderr.write(`${JSON.stringify(total)}\n`)
      }
      // The faults must not be such that nothing happens at all.
      if (SEEDS < 100) return
      expect(total.committed).toBeGreaterThan(SEEDS * 20)
      expect(total.elections).toBeGreaterThan(SEEDS)
      expect(total.reads).toBeGreaterThan(SEEDS)
      expect(total.snapshots).toBeGreaterThan(SEEDS / 10)
      expect(total.changes).toBeGreaterThan(SEEDS / 10)
    },
  )
})
