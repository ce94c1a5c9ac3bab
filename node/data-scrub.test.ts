import { beforeEach, describe, expect, test } from 'vitest'
import { LogDamagedError, type LogStorage } from '#cluster'
import { DataScrub } from './data-scrub.ts'
import { ManualClock } from './gateway/testing/manual-clock.ts'
import { type Store, StoreDamagedError } from './store/store.ts'

const MINUTE = 60_000

describe('[K5] all that a node holds is read in the background', () => {
  let clock: ManualClock
  let scrub: DataScrub
  let logScrub: LogStorage['scrub']
  let storeScrub: Store['scrub']
  let told: string[]

  beforeEach(() => {
    clock = new ManualClock()
    told = []
    logScrub = async (pace) => {
      await pace(1_000)
      return { bytes: 5_000 }
    }
    storeScrub = async () => ({ bytes: 700 })
    scrub = new DataScrub(
      { everyMs: 60 * MINUTE, bytesPerSecond: 1_000 },
      {
        clock,
        logger: {
          debug() {},
          info: (event) => told.push(event),
          warn: (event) => told.push(event),
          error: (event) => told.push(event),
        },
        log: { scrub: (pace) => logScrub(pace) } as LogStorage,
        store: () => ({ scrub: () => storeScrub() }) as Store,
        logDamaged: ({ message }) => told.push(`log: ${message}`),
        storeDamaged: ({ message }) => told.push(`store: ${message}`),
      },
    )
  })

  test('after ten minutes, and then as often as its operator says, no faster than that', async () => {
    await clock.advance(10 * MINUTE - 1)
    await clock.advance(1)
    expect(told).toEqual([])
    await clock.advance(999)
    expect(scrub.log.lastMs).toBe(0)
    await clock.advance(1)
    expect(told).toEqual(['log.scrubbed', 'store.scrubbed'])
    expect([scrub.log.bytes.value, scrub.store.bytes.value]).toEqual([5_000, 700])
    expect([scrub.log.lastMs, scrub.store.lastMs]).toEqual([clock.wallMs(), clock.wallMs()])
    await clock.advance(60 * MINUTE - 1)
    expect(told).toHaveLength(2)
    await clock.advance(1)
    await clock.advance(1_000)
    expect(told).toHaveLength(4)
    expect(scrub.log.bytes.value).toBe(10_000)
  })

  test('damage is told to whom it concerns, and is not counted as read', async () => {
    logScrub = () => Promise.reject(new LogDamagedError('rot'))
    storeScrub = () => Promise.reject(new StoreDamagedError('rust'))
    await clock.advance(10 * MINUTE)
    expect(told).toEqual(['log: rot', 'store: rust'])
    expect([scrub.log.lastMs, scrub.store.bytes.value]).toEqual([0, 0])
  })

  test('a disk that does not read is said and counted, and tried again', async () => {
    logScrub = () => Promise.reject(new Error('EIO'))
    await clock.advance(10 * MINUTE)
    expect(told).toEqual(['log.scrub.failed', 'store.scrubbed'])
    expect([scrub.log.failures.value, scrub.store.failures.value]).toEqual([1, 0])
    await clock.advance(60 * MINUTE)
    expect(scrub.log.failures.value).toBe(2)
  })

  test('a node that ends hears no more of it', async () => {
    await clock.advance(10 * MINUTE)
    scrub.close()
    await clock.advance(100 * MINUTE)
    expect(told).toEqual([])
  })
})
