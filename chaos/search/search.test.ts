import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { runScenario } from '../simulation/run-seed.ts'
import { drawScenario } from '../simulation/scenario.ts'
import type { RunReport } from './run-report.ts'
import { RunWorker } from './run-worker.ts'
import { search, type SearchOptions } from './search.ts'
import { counts, type Totals } from './search-totals.ts'

const SHORT: Omit<SearchOptions, 'jobs' | 'onRun'> = {
  firstSeed: 21,
  runs: 4,
  timeMs: Infinity,
  safetyMs: 1_500,
  swarm: {},
  keepGoing: false,
  signal: new AbortController().signal,
}

describe('search', () => {
  test('[R11] the same seed is the same run in another process, and with all cores busy', async () => {
    const scenario = drawScenario(5, 3_000)
    const alone = await runScenario(scenario)
    const spinning = Array.from(
      { length: availableParallelism() },
      () => new Worker('for (;;) Math.sqrt(2)', { eval: true }),
    )
    const worker = new RunWorker()
    try {
      const [elsewhere, here] = await Promise.all([worker.run(scenario), runScenario(scenario)])
      expect(alone.stats.events).toBeGreaterThan(1_000)
      expect([here.traceHash, elsewhere.traceHash]).toEqual([alone.traceHash, alone.traceHash])
    } finally {
      worker.close()
      await Promise.all(spinning.map((one) => one.terminate()))
    }
  })

  test('two processes find what one finds', async () => {
    const hashes = async (jobs: number) => {
      const found: [seed: number, hash: string][] = []
      const onRun = ({ seed, traceHash }: RunReport) => found.push([Number(seed), traceHash])
      const { totals } = await search({ ...SHORT, jobs, onRun })
      return { found: found.toSorted(([a], [b]) => a - b), totals: { ...totals, cpuMs: 0 } }
    }
    const one = await hashes(1)
    expect(one.found.map(([seed]) => seed)).toEqual([21, 22, 23, 24])
    expect(one.totals.seeds).toBe(4)
    expect(one.totals.operations).toBeGreaterThan(0)
    expect(await hashes(2)).toEqual(one)
  })

  test('a signal ends it at once, with what was found until then', async () => {
    const stopping = new AbortController()
    let last: Totals | null = null
    const { totals } = await search({
      ...SHORT,
      runs: Infinity,
      jobs: 1,
      signal: stopping.signal,
      onRun: (_, sum) => {
        last = sum
        if (sum.seeds === 2) stopping.abort()
      },
    })
    expect(totals).toBe(last)
    expect(totals.seeds).toBe(2)
  })

  test('no run begins when the time is up', async () => {
    const { totals } = await search({ ...SHORT, timeMs: 0, jobs: 2, onRun: () => {} })
    expect(totals.seeds).toBe(0)
  })

  test('a process that dies in a run is a violation, and the next run gets a new one', async () => {
    const worker = new RunWorker()
    const dead = worker.run(drawScenario(1, 600_000))
    worker.close()
    expect((await dead).violation).toEqual({
      property: 'harness',
      message: 'the process of the run ended: SIGKILL',
    })
    expect((await worker.run(drawScenario(1, 100))).stats!.nodes).toBeGreaterThan(0)
    worker.close()
  })
})

test.each([
  ['counts', {}, true],
  ['with two nodes does not', { nodes: 2 }, false],
  ['with too few operations does not', { operations: 499 }, false],
  ['with faults that did nothing does not', { evidence: { kill: 4 } }, false],
])('an hour %s', async (_, change, expected) => {
  const { stats } = await runScenario(drawScenario(21, 100))
  const busy = { nodes: 3, simulatedMs: 100_000, operations: 500, evidence: { kill: 3, reset: 2 } }
  expect(counts({ ...stats, ...busy, ...change })).toBe(expected)
})
