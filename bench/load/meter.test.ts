import { expect, test } from 'vitest'
import { Meter } from './meter.ts'
import { Pacer } from './pacer.ts'

test('what was meant to begin in the measured time counts, from then on, whenever it ended', () => {
  const meter = new Meter()
  meter.measure(1_000, 2_000)
  meter.succeeded(999, 1_500)
  meter.succeeded(1_000, 1_010)
  meter.succeeded(1_999, 2_999)
  meter.succeeded(2_000, 2_001)
  meter.failed(1_500, 'OVERLOADED')
  meter.failed(999, 'OVERLOADED')
  meter.unknown(1_500)
  const { count, perSecond, maxMs, errors, unknown } = meter.result()
  expect({ count, perSecond, errors, unknown }).toEqual({
    ...{ count: 2, perSecond: 2, errors: { OVERLOADED: 1 }, unknown: 1 },
  })
  expect(maxMs).toBeCloseTo(1_000, -1)
})

test('a measurement that was cut short is of the time that it had', () => {
  const meter = new Meter()
  meter.measure(1_000, 11_000)
  for (let at = 1_000; at < 2_000; at += 100) meter.succeeded(at, at + 1)
  meter.endAt(2_000)
  meter.endAt(9_000)
  meter.succeeded(2_000, 2_001)
  expect(meter.result()).toMatchObject({ count: 10, seconds: 1, perSecond: 10 })
  expect(new Meter().result()).toMatchObject({ count: 0, perSecond: 0, p99Ms: 0 })
})

test('an open loop begins at its rate though nothing ends, a closed one only what has room', async () => {
  const begun: number[] = []
  let underWay = 0
  const target = {
    begin: (intendedMs: number) => {
      begun.push(intendedMs)
      underWay += 1
    },
    flush: () => {},
    get underWay() {
      return underWay
    },
  }
  const never = new AbortController().signal
  const fromMs = performance.now()
  await new Pacer({ kind: 'open', perSecond: 1_000 }, target).run(fromMs + 100, never)
  // Each has its own time, however late the machine was.
  const gaps = begun.slice(1).map((at, n) => at - begun[n]!)
  for (const gap of gaps) expect(gap).toBeCloseTo(1)
  expect(begun.length).toBeGreaterThan(0)
  expect(begun.length).toBeLessThanOrEqual(100)
  begun.length = 0
  underWay = 2
  const closed = new Pacer({ kind: 'closed', inFlight: 5 }, target)
  const ended = closed.run(performance.now() + 20, never)
  expect(begun.length).toBe(3)
  underWay -= 1
  closed.refill()
  expect(begun.length).toBe(4)
  await ended
  underWay = 0
  closed.refill()
  expect(begun.length).toBe(4)
})
