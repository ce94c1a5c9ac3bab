import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSystem, Timer } from '#cluster'
import { NodeClock } from '../host/node-clock.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { MemoryDatabaseFactory } from './memory-database.ts'
import { openStoreDirectory } from './store-directory.ts'
import type { StoreDirectory } from './store.ts'
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts'

const fileSystem = new NodeFileSystem()
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Lets the first `steps` operations pass; from then on nothing happens any more. */
class Fuse {
  left: number

  constructor(steps: number) {
    this.left = steps
  }

  get isBlown(): boolean {
    return this.left < 0
  }

  step(): void {
    this.left--
    if (this.isBlown) throw new Error('the process is dead')
  }
}

/** Every method of `target` costs a step before it runs; so do those of the files it opens. */
function fused<T extends object>(target: T, fuse: Fuse): T {
  return new Proxy(target, {
    get(object, name): unknown {
      const value: unknown = Reflect.get(object, name, object)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (name === 'writeAndSync') {
          const done = args[2] as (error: Error | null) => void
          if (--fuse.left < 0) return done(new Error('the process is dead'))
          return Reflect.apply(value, object, args)
        }
        const run = async (): Promise<unknown> => {
          // The kernel closes the files of a dead process.
          if (name !== 'close') fuse.step()
          const result: unknown = await Reflect.apply(value, object, args)
          if (name === 'close') fuse.step()
          return name === 'open' ? fused(result as object, fuse) : result
        }
        // A database makes its batches, iterators and snapshots at once.
        if (name === 'batch') return fused(Reflect.apply(value, object, args) as object, fuse)
        if (['iterate', 'snapshot', 'put', 'delete'].includes(String(name))) {
          return Reflect.apply(value, object, args)
        }
        return run()
      }
    },
  })
}

describe('StoreDirectory', () => {
  let folder: TemporaryFolder
  let databases: MemoryDatabaseFactory
  const timers: Timer[] = []

  const clock = new (class extends NodeClock {
    override after(delayMs: number, run: () => void): Timer {
      const timer = super.after(delayMs, run)
      if (delayMs > 1000) timers.push(timer)
      return timer
    }
  })()

  beforeEach(async () => {
    folder = await temporaryFolder()
    databases = new MemoryDatabaseFactory()
  })
  afterEach(async () => {
    for (const timer of timers.splice(0)) timer.cancel()
    await folder.remove()
  })

  function open(fuse = new Fuse(Infinity)): Promise<StoreDirectory> {
    databases.crash()
    return openStoreDirectory({
      fileSystem: fused<FileSystem>(fileSystem, fuse),
      clock,
      databases: fused(databases, fuse),
      directory: `${folder.path}/store`,
    })
  }

  async function openWithCut(index: number, fuse?: Fuse): Promise<StoreDirectory> {
    const directory = await open(fuse)
    const objects = [{ key: text('o'), value: text(String(index)) }]
    await directory.store!.checkpoint({ index, term: 1, ahead: [], objects })
    return directory
  }

  /** Runs `work` with ever longer fuses, lit by `light`, on fresh folders, until it survives. */
  async function atEveryStep(
    work: (fuse: Fuse, light: () => void) => Promise<void>,
    check: (directory: StoreDirectory, isDone: boolean) => Promise<void>,
  ): Promise<number> {
    for (let steps = 0; ; steps++) {
      await folder.remove()
      folder = await temporaryFolder()
      databases = new MemoryDatabaseFactory()
      const fuse = new Fuse(Infinity)
      let isDone = false
      try {
        await work(fuse, () => (fuse.left = steps))
        isDone = true
      } catch (error) {
        expect((error as Error).message).toBe('the process is dead')
      }
      const directory = await open()
      expect(directory.damaged, `after ${steps} steps`).toBeNull()
      await check(directory, isDone)
      const names = await fileSystem.list(`${folder.path}/store`)
      expect(names.filter((name) => name !== 'current.new')).toEqual([
        'current',
        expect.stringMatching(/^store-\d+$/),
      ])
      // Whatever the crash left, the next checkpoint and the next start work.
      const index = (directory.store!.cut?.index ?? 0) + 1
      await directory.store!.checkpoint({ index, term: 9, ahead: [], objects: [] })
      expect((await open()).store?.cut).toEqual({ index, term: 9 })
      if (isDone) return steps
    }
  }

  it('[K6] a first start that crashes at any step leaves an empty store', async () => {
    const steps = await atEveryStep(
      async (fuse, light) => {
        light()
        await open(fuse)
      },
      async ({ store }) => expect(store?.cut).toBeNull(),
    )
    expect(steps).toBeGreaterThan(10)
  })

  it('[K6] a crash at any step of an install leaves the old store or the new one', async () => {
    let isActivated = false
    const steps = await atEveryStep(
      async (fuse, light) => {
        isActivated = false
        const directory = await openWithCut(10, fuse)
        light()
        const install = await directory.install()
        await install.write([{ key: text('o'), value: text('500') }])
        await install.finish({ index: 500, term: 9 })
        const { retire } = await install.activate()
        isActivated = true
        await retire()
      },
      async ({ store }, isDone) => {
        const index = store?.cut?.index
        if (isActivated || isDone) expect(index).toBe(500)
        else expect([10, 500]).toContain(index)
        expect(await store!.get(text('o'))).toEqual(text(String(index)))
      },
    )
    expect(steps).toBeGreaterThan(20)
  })

  it('[K3] a crash at any step of a discard leaves the old store or an empty one', async () => {
    const steps = await atEveryStep(
      async (fuse, light) => {
        const directory = await openWithCut(10, fuse)
        light()
        await directory.discard()
      },
      async ({ store }, isDone) => {
        expect(isDone ? [null] : [10, null]).toContain(store?.cut?.index ?? null)
      },
    )
    expect(steps).toBeGreaterThan(10)
  })

  it('[K3] a pointer that is gone is no first start', async () => {
    await openWithCut(10)
    await fileSystem.remove(`${folder.path}/store/current`)
    const directory = await open()
    expect(directory.damaged?.message).toMatch('current is gone')
    expect(directory.store).toBeNull()
    expect((await directory.discard()).cut).toBeNull()
    expect((await open()).damaged).toBeNull()
  })

  it('[K6] an install can replace a damaged store', async () => {
    await openWithCut(10)
    for (const batches of databases.batches.values()) batches.length = 0
    const directory = await open()
    expect(directory.damaged).not.toBeNull()
    const install = await directory.install()
    await install.write([{ key: text('o'), value: text('x') }])
    await install.finish({ index: 77, term: 2 })
    const { store, retire } = await install.activate()
    await retire()
    expect(directory.damaged).toBeNull()
    expect(directory.store).toBe(store)
    expect((await open()).store?.cut).toEqual({ index: 77, term: 2 })
  })

  it('rejects, rather than calls it damage, when another process has the store', async () => {
    await openWithCut(10)
    const options = { fileSystem, clock, databases, directory: `${folder.path}/store` }
    await expect(openStoreDirectory(options)).rejects.toThrow('open already')
    expect((await open()).store?.cut?.index).toBe(10)
  })
})
