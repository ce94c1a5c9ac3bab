import { describe, expect, it } from 'vitest'
import { SyncPace } from './sync-pace.ts'

/** Runs syncs on a disk of the given speed; how many of them ran on the main thread. */
function run(pace: SyncPace, count: number, milliseconds: (at: number) => number): number {
  let onMain = 0
  for (let at = 0; at < count; at++) {
    if (pace.inPool) pace.pooled()
    else {
      onMain++
      pace.took(milliseconds(at))
    }
  }
  return onMain
}

describe('SyncPace', () => {
  it('stays on the main thread while syncs are fast, an outlier included', () => {
    const pace = new SyncPace()
    expect(run(pace, 5000, (at) => (at % 100 === 0 ? 3 : 0.1))).toBe(5000)
  })

  it('goes to the pool when they are slow on average, and tries the main thread ever rarer', () => {
    const pace = new SyncPace()
    expect(run(pace, 10, () => 5)).toBeLessThanOrEqual(2)
    expect(pace.inPool).toBe(true)
    expect(run(pace, 1000, () => 5)).toBeLessThanOrEqual(5)
    expect(run(pace, 40_000, () => 5)).toBeLessThanOrEqual(15)
  })

  it('leaves the main thread at the first sync that blocks it for long', () => {
    const pace = new SyncPace()
    run(pace, 1000, () => 0.05)
    pace.took(40)
    expect(pace.inPool).toBe(true)
  })

  it('comes back when the disk is fast again', () => {
    const pace = new SyncPace()
    run(pace, 1000, () => 5)
    run(pace, 1024, () => 0.05)
    expect(run(pace, 10_000, () => 0.05)).toBe(10_000)
  })

  it('does not swing while syncs are neither fast nor slow', () => {
    const pace = new SyncPace()
    run(pace, 10, () => 5)
    expect(run(pace, 50_000, (at) => (at % 2 === 0 ? 0.35 : 0.55))).toBeLessThan(20)
  })

  it('stays short again after the disk was fast for long', () => {
    const pace = new SyncPace()
    run(pace, 20_000, () => 5)
    run(pace, 20_000, () => 0.05)
    run(pace, 5, () => 20)
    expect(run(pace, 100, () => 0.05)).toBeGreaterThan(30)
  })
})
