import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreSeal } from './store-seal.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts'

const fileSystem = new NodeFileSystem()

describe('StoreSeal', () => {
  let folder: TemporaryFolder
  let path: string

  beforeEach(async () => {
    folder = await temporaryFolder()
    path = `${folder.path}/seal`
  })
  afterEach(() => folder.remove())

  const reopened = (): Promise<StoreSeal> => StoreSeal.open(fileSystem, path)

  async function rewrite(change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
    const bytes = change(await fileSystem.readFile(path))
    await fileSystem.remove(path)
    const file = await fileSystem.open(path, { create: 'new' })
    await file.write(bytes, 0)
    await file.close()
  }

  it('[K3] tells the newest promise after every write', async () => {
    const seal = await StoreSeal.create(fileSystem, path)
    expect((await reopened()).promised).toEqual({ number: 0, chain: 0 })
    for (let number = 1; number < 8; number++) {
      await seal.write({ number, chain: 0xfffffff0 + number })
      expect((await reopened()).promised).toEqual({ number, chain: 0xfffffff0 + number })
    }
    const again = await reopened()
    await again.write({ number: 8, chain: 5 })
    expect((await reopened()).promised).toEqual({ number: 8, chain: 5 })
  })

  it('[K3] a torn write of one slot leaves the promise before it', async () => {
    const seal = await StoreSeal.create(fileSystem, path)
    for (let number = 1; number < 6; number++) {
      await seal.write({ number, chain: number })
      const slot = number % 2 === 1 ? 0 : 4096
      const sound = await fileSystem.readFile(path)
      for (const at of [0, 5, 12, 17, 22]) {
        await rewrite((bytes) => bytes.with(slot + at, bytes[slot + at]! ^ 0x40))
        expect((await reopened()).promised?.number).toBe(number - 1)
        await rewrite(() => sound)
      }
    }
  })

  it('[K3] knows nothing when the file is gone, empty or damaged in both slots', async () => {
    await StoreSeal.create(fileSystem, path)
    await rewrite((bytes) => bytes.with(8, 1).with(4096 + 8, 1))
    expect((await reopened()).promised).toBeNull()
    await rewrite(() => new Uint8Array(0))
    expect((await reopened()).promised).toBeNull()
    await fileSystem.remove(path)
    expect((await reopened()).promised).toBeNull()
  })

  it('never goes back', async () => {
    const seal = await StoreSeal.create(fileSystem, path)
    await seal.write({ number: 5, chain: 1 })
    await expect(seal.write({ number: 4, chain: 1 })).rejects.toThrow('never goes back')
  })
})
