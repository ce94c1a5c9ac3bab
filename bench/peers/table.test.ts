import { expect, test } from 'vitest'
import type { Run } from './rounds.ts'
import { comparisonTable } from './table.ts'

const run = (round: number, system: string, perSecond: number, p99Ms: number): Run => ({
  round,
  system,
  inFlight: 100,
  result: {
    acknowledged: perSecond,
    seconds: 1,
    perSecond,
    p50Ms: 0.5,
    p99Ms,
    p999Ms: p99Ms,
    maxMs: p99Ms,
    clientCpuUs: 5,
    errors: {},
    stored: perSecond,
  },
  nodesCpuUs: 40,
})

test('ratios are those within a round, whatever the machine does between rounds', () => {
  const table = comparisonTable([
    run(0, 'parley', 30_000, 10),
    run(0, 'etcd', 10_000, 40),
    run(1, 'etcd', 1_000, 400),
    run(1, 'parley', 3_000, 100),
    run(2, 'parley', 40_000, 20),
    run(2, 'etcd', 10_000, 50),
  ])
  expect(table.split('\n').slice(2)).toEqual([
    '| 100 | parley | 30,000 (3,000–40,000) | 0.5 ms | 20 ms |  | 40 µs | 5 µs |',
    '| 100 | etcd | 10,000 (1,000–10,000) | 0.5 ms | 50 ms | 3 | 40 µs | 5 µs |',
  ])
})
