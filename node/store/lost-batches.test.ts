import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MemoryDatabaseFactory, type SyncedBatch } from './memory-database.ts'
import { openStoreDirectory } from './store-directory.ts'
import { StoreDamagedError, type StoreDirectory } from './store.ts'
import { NodeClock } from '../host/node-clock.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts'

const fileSystem = new NodeFileSystem()
const clock = new NodeClock()

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** A database that forgets synced batches, as LevelDB does after one flipped bit (rule K3). */
describe('lost batches', () => {
  let folder: TemporaryFolder
  let databases: MemoryDatabaseFactory
  let batches: SyncedBatch[]

  const open = (): Promise<StoreDirectory> => {
    databases.crash()
    const options = { fileSystem, clock, databases }
    return openStoreDirectory({ ...options, directory: folder.path })
  }

  const sealPath = (): string => `${folder.path}/store-000001/seal`
  const restoreSeal = async (seal: Uint8Array): Promise<void> => {
    const file = await fileSystem.open(sealPath(), { create: 'never' })
    await file.write(seal, 0)
    await file.close()
  }

  beforeEach(async () => {
    folder = await temporaryFolder()
    databases = new MemoryDatabaseFactory()
    const { store } = await open()
    for (let cut = 1; cut <= 6; cut++) {
      const ahead = Array.from({ length: 30 }, (_, i) => ({
        key: text(`v${cut}-${i}`),
        value: new Uint8Array(100_000).fill(cut),
      }))
      const objects = [{ key: text('object'), value: text(`as of ${cut}`) }]
      await store!.checkpoint({ index: cut * 10, term: 1, ahead, objects })
    }
    batches = [...databases.batches.values()][0]!
  })
  afterEach(() => folder.remove())

  it('[K3] any one lost batch is noticed', async () => {
    const sound = [...batches]
    expect(sound.length).toBe(24)
    for (let lost = 0; lost < sound.length; lost++) {
      batches.splice(0, batches.length, ...sound.toSpliced(lost, 1))
      const directory = await open()
      expect(directory.damaged, `batch ${lost + 1}`).toBeInstanceOf(StoreDamagedError)
      expect(directory.store).toBeNull()
    }
    batches.splice(0, batches.length, ...sound)
    expect((await open()).store?.cut?.index).toBe(60)
  })

  it('[K3] any number of batches lost at the end is noticed', async () => {
    while (batches.length > 0) {
      batches.pop()
      expect((await open()).damaged).toBeInstanceOf(StoreDamagedError)
    }
  })

  it('[K3] a crash between a cut and its seal loses nothing and needs no seal', async () => {
    const seal = await fileSystem.readFile(sealPath())
    const { store } = await open()
    await store!.checkpoint({ index: 70, term: 1, ahead: [], objects: [] })
    await restoreSeal(seal)
    const again = await open()
    expect(again.damaged).toBeNull()
    expect(again.store?.cut?.index).toBe(70)
    expect(again.store?.previousCut?.index).toBe(60)
    // From that open on the cut is promised: losing it shows.
    batches.pop()
    expect((await open()).damaged).toBeInstanceOf(StoreDamagedError)
  })

  it('[K3] ahead batches past the newest cut may be there or be lost', async () => {
    const { store } = await open()
    const ahead = Array.from({ length: 30 }, (_, i) => ({
      key: text(`v7-${i}`),
      value: new Uint8Array(100_000).fill(7),
    }))
    const objects = {
      [Symbol.iterator]: (): never => {
        throw new Error('killed')
      },
    }
    const running = store!.checkpoint({ index: 70, term: 1, ahead, objects })
    await expect(running).rejects.toThrow('killed')
    const written = [...batches]
    const seal = await fileSystem.readFile(sealPath())
    for (let lost = 0; lost <= 3; lost++) {
      batches.splice(0, batches.length, ...written.slice(0, written.length - lost))
      await restoreSeal(seal)
      const again = await open()
      expect(again.damaged).toBeNull()
      expect(again.store?.cut?.index).toBe(60)
      for (let i = 0; i < 30; i++) expect(await again.store!.get(text(`v7-${i}`))).toBeNull()
      expect((await again.store!.get(text('v6-29')))?.length).toBe(100_000)
      await again.store!.checkpoint({ index: 71, term: 2, ahead, objects: [] })
      const last = await open()
      expect(last.store?.cut).toEqual({ index: 71, term: 2 })
      expect((await last.store!.get(text('v7-29')))?.[0]).toBe(7)
    }
  })

  it('[K3] discards a damaged store and starts empty', async () => {
    batches.pop()
    const directory = await open()
    expect(directory.damaged).toBeInstanceOf(StoreDamagedError)
    const empty = await directory.discard()
    expect(directory.damaged).toBeNull()
    expect(directory.store).toBe(empty)
    expect(empty.cut).toBeNull()
    const again = await open()
    expect(again.damaged).toBeNull()
    expect(again.store?.cut).toBeNull()
    expect(await fileSystem.list(folder.path)).toEqual(['current', 'store-000002'])
  })

  it('[K5] an altered value is never served', async () => {
    const sound = [...batches]
    for (const byte of [0, 5, 10]) {
      const altered = sound
        .at(-1)!
        .map(([key, value]): readonly [Uint8Array, Uint8Array | null] => {
          const isObject = Buffer.compare(key, text('object')) === 0
          return isObject ? [key, value!.with(byte, value![byte]! ^ 1)] : [key, value]
        })
      batches.splice(0, batches.length, ...sound.slice(0, -1), altered)
      const { store } = await open()
      await expect(store!.get(text('object'))).rejects.toThrow(StoreDamagedError)
      await expect(store!.getMany([text('object')])).rejects.toThrow(StoreDamagedError)
      const walk = async (): Promise<void> => {
        for await (const pair of store!.range(text('o'), text('p'))) expect(pair).toBeNull()
      }
      await expect(walk()).rejects.toThrow(StoreDamagedError)
      const snapshot = await store!.snapshot()
      const send = async (): Promise<void> => {
        for await (const { key } of snapshot.pairs()) expect(key).not.toEqual(text('object'))
      }
      await expect(send()).rejects.toThrow(StoreDamagedError)
    }
  })
})
