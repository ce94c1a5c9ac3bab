import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NOTHING_VERIFIED } from '../../bench/load/ledger.ts'
import { Meter, type Measured } from '../../bench/load/meter.ts'
import { compare, readBaseline, requireComparable } from './baseline.ts'
import { benchText, type BenchReport, verdictOf } from './bench-report.ts'
import { findMax } from './find-max.ts'

const measured = (more: Partial<Measured> = {}): Measured => ({
  ...new Meter().result(),
  ...{ count: 1_000, perSecond: 100, seconds: 10, p50Ms: 5, p99Ms: 20 },
  ...more,
})

const report = (more: Partial<BenchReport> = {}): BenchReport => ({
  ...{ schema: 1, bench: 'send', users: 'bench-1', startedAt: '2026-01-01T00:00:00.000Z' },
  settings: {
    ...{ rate: 100, inFlight: null, clients: 2, conversations: 10, bodyBytes: 256, backlog: null },
    ...{ warmupMs: 0, durationMs: 10_000 },
  },
  ...{ endedEarly: false, measured: measured(), max: null },
  verified: {
    stored: { ...NOTHING_VERIFIED, acknowledged: 1_000 },
    ...{ wrong: 0, firstWrong: null },
  },
  nodes: {
    ...{ addresses: 1, leaders: ['n1'], missing: [] },
    nodes: [{ name: 'n1', version: '1.0.0', syncP99Ms: 5 }],
  },
  machine: {
    ...{ cpus: 2, model: 'A CPU', memoryBytes: 2 ** 31, platform: 'linux x64' },
    ...{ node: '24.0.0', parley: '1.0.0', commit: null },
  },
  ...more,
})

test('worse by more than is allowed is told, of each figure', () => {
  const worse = (more: Partial<Measured>) =>
    compare(report(), report({ measured: measured(more) }), 0.25).flatMap(({ figure, isWorse }) =>
      isWorse ? [figure] : [],
    )
  expect(worse({})).toEqual([])
  expect(worse({ perSecond: 76, p50Ms: 7.2, p99Ms: 25.9 })).toEqual([])
  expect(worse({ perSecond: 74 })).toEqual(['per second'])
  expect(worse({ p50Ms: 7.3, p99Ms: 26.1 })).toEqual(['p50', 'p99'])
})

test('only what was measured alike is compared', () => {
  const { settings } = report()
  const now = { bench: 'send', settings, findsMax: false } as const
  requireComparable(report(), now)
  const with3 = report({ settings: { ...settings, clients: 3 } })
  expect(() => requireComparable(with3, now)).toThrow('was measured with clients 3')
  expect(() => requireComparable(report({ bench: 'sync' }), now)).toThrow('the baseline is of sync')
  const max = { rate: 800, p99LimitMs: 100, steps: [] }
  expect(() => requireComparable(report({ max }), now)).toThrow('of send --find-max')
  const atAnyRate = { ...now, settings: { ...settings, rate: 50 }, findsMax: true }
  requireComparable(report({ max }), atAnyRate)
  const less = report({ max: { ...max, rate: 500 }, settings: { ...settings, rate: 50 } })
  expect(compare(report({ max }), less, 0.25)).toMatchObject([{ before: 800, isWorse: true }])
})

test('a baseline is what was printed, or is refused', () => {
  const directory = mkdtempSync(join(tmpdir(), 'parley-baseline-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = (content: string) => {
    const path = join(directory, 'kept.json')
    writeFileSync(path, content)
    return path
  }
  expect(readBaseline(file(JSON.stringify(report())))).toEqual(report())
  const { measured: figures } = report()
  const without = { ...report(), measured: { ...figures, p99Ms: null } }
  for (const content of ['{', 'null', '{}', JSON.stringify(without), '{"schema":2}']) {
    expect(() => readBaseline(file(content)), content).toThrow(/cannot read|holds no result/)
  }
  expect(() => readBaseline(join(directory, 'none'))).toThrow('ENOENT')
})

test('what is found is the verdict', () => {
  const { stored } = report().verified!
  const broken = report({
    verified: { stored: { ...stored, lost: 1 }, wrong: 0, firstWrong: null },
  })
  expect(verdictOf(broken)).toBe('broken')
  expect(benchText(broken)).toContain('BROKEN · send')
  const late = report({ verified: { stored, wrong: 1, firstWrong: '1 of 2 messages came' } })
  expect(benchText(late)).toContain('anything else 1 · 1 of 2 messages came')
  expect(verdictOf(report({ verified: null }))).toBe('unproven')
  expect(verdictOf(report({ measured: measured({ count: 0 }) }))).toBe('unproven')
  expect(benchText(report()).split('\n')[0]).toBe('VERIFIED · send · 1000 acknowledged · 100/s')
})

test.each([
  [100, 790],
  [6_400, 790],
  [100, 90],
])('from %i on, the highest rate up to %i that is kept up is found', async (from, most) => {
  const { found, best } = await findMax({
    ...{ from, p99LimitMs: 50 },
    measure: async (rate) => measured({ perSecond: rate, p99Ms: rate <= most ? 10 : 51 }),
  })
  expect(found.rate).toBeLessThanOrEqual(most)
  expect(found.rate).toBeGreaterThan(most / 1.11)
  expect(best).toMatchObject({ perSecond: found.rate })
})

test('errors and a rate that is not reached are too much, and the search ends', async () => {
  const failing = [
    { errors: { OVERLOADED: 100 } },
    { unknown: 100 },
    { perSecond: 0.1 },
    { count: 0 },
    { perSecond: 1e9, p99Ms: 51 },
  ]
  for (const more of failing) {
    const measure = async (perSecond: number) => measured({ perSecond, p99Ms: 1, ...more })
    const { found } = await findMax({ from: 64, p99LimitMs: 50, measure })
    expect(found).toMatchObject({ rate: null })
    expect(found.steps.map(({ rate }) => rate)).toEqual([64, 32, 16, 8, 4, 2, 1])
    expect(found.steps.every(({ failed }) => failed !== null)).toBe(true)
  }
})
