import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Timer } from '#cluster'
import { NodeClock } from '../host/node-clock.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { DatabaseError, type VerifyOptions } from './key-value-database.ts'
import { MemoryDatabaseFactory } from './memory-database.ts'
import { openStoreDirectory } from './store-directory.ts'
import type { StoreDirectory } from './store.ts'
import { StartCounter } from './start-counter.ts'
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts'

const fileSystem = new NodeFileSystem()

/** Notes how it was asked to verify, and can find the database broken. */
class VerifyingFactory extends MemoryDatabaseFactory {
  readonly limits: (number | undefined)[] = []
  isBroken = false

  override async verify(path: string, options: VerifyOptions = {}): Promise<number> {
    this.limits.push(options.limitBytes)
    if (this.isBroken) throw new DatabaseError('corrupt', 'a table is broken')
    return super.verify(path, options)
  }
}

/** So that the timers of processes that never ended do not keep this one. */
class TrackingClock extends NodeClock {
  readonly #timers: Timer[]

  constructor(timers: Timer[]) {
    super()
    this.#timers = timers
  }

  override after(delayMs: number, run: () => void): Timer {
    const timer = super.after(delayMs, run)
    this.#timers.push(timer)
    return timer
  }
}

describe('short lives', () => {
  let folder: TemporaryFolder
  let databases: VerifyingFactory
  const timers: Timer[] = []

  beforeEach(async () => {
    folder = await temporaryFolder()
    databases = new VerifyingFactory()
  })
  afterEach(async () => {
    for (const timer of timers.splice(0)) timer.cancel()
    await folder.remove()
  })

  /** A start after a process that ended without a close. */
  async function start(): Promise<StoreDirectory> {
    databases.crash()
    const clock = new TrackingClock(timers)
    return openStoreDirectory({
      fileSystem,
      clock,
      databases,
      directory: folder.path,
    })
  }

  it('[K5] from the third on the whole database is verified before it is opened', async () => {
    for (let i = 0; i < 4; i++) await start()
    const [first, second, third, fourth] = databases.limits
    expect(first).toBeLessThan(Infinity)
    expect(second).toBe(first)
    expect(third).toBe(Infinity)
    expect(fourth).toBe(Infinity)
  })

  it('[K5] an orderly close starts the count anew', async () => {
    await start()
    await start()
    await (await start()).close()
    await start()
    expect(databases.limits.at(-1)).toBeLessThan(Infinity)
  })

  it('[K5] what verification finds is a damaged store, and a discard cures it', async () => {
    const { store } = await start()
    await store!.checkpoint({ index: 1, term: 1, ahead: [], objects: [] })
    databases.isBroken = true
    const directory = await start()
    expect(directory.damaged?.code).toBe('STORE_DAMAGED')
    databases.isBroken = false
    expect((await directory.discard()).cut).toBeNull()
  })

  it('a long life settles the count', async () => {
    const delays: number[] = []
    const clock = {
      ...{ wallMs: () => 0, monotonicMs: () => 0, defer: () => undefined },
      after: (delayMs: number) => {
        delays.push(delayMs)
        return { cancel: () => undefined }
      },
    }
    const path = `${folder.path}/starts`
    expect(await new StartCounter(fileSystem, clock, path).begin()).toBe(1)
    expect(await new StartCounter(fileSystem, clock, path).begin()).toBe(2)
    const counter = new StartCounter(fileSystem, clock, path)
    expect(await counter.begin()).toBe(3)
    expect(delays).toEqual([600_000, 600_000, 600_000])
    await counter.settle()
    expect(await new StartCounter(fileSystem, clock, path).begin()).toBe(1)
  })
})
