import { afterEach, describe, expect, test } from 'vitest'
import { logStorageContract } from '../../cluster/log/log-storage.contract.ts'
import { SegmentLog } from '../../cluster/log/segment-log.ts'
import { fileSystemContract } from '../../node/host/file-system.contract.ts'
import { networkContract } from '../../node/host/network.contract.ts'
import { openStoreDirectory } from '../../node/store/store-directory.ts'
import { describeStore, type StoreFixture } from '../../node/store/store.contract.ts'
import { simRandom } from './sim-clock.ts'
import { TestWorld } from './testing/test-world.ts'

const worlds: TestWorld[] = []
const world = (seed: number | string = 1): TestWorld => {
  const made = new TestWorld(seed)
  worlds.push(made)
  return made
}
afterEach(() => {
  for (const one of worlds.splice(0)) one.end()
})

describe('the simulated disk', () => {
  fileSystemContract(async () => {
    const { disk, process } = world()
    const fileSystem = disk.portOf(process)
    await fileSystem.makeDirectory('/data')
    return { fileSystem, directory: '/data' }
  })
})

describe('the simulated network', () => {
  networkContract(async () => {
    const { network, process } = world()
    return { network: network.portOf(process), freeAddress: async () => '127.0.0.1:7001' }
  })
})

describe('a log on the simulated disk', () => {
  logStorageContract(() => {
    const on = world()
    return SegmentLog.open({
      fileSystem: on.disk.portOf(on.process),
      clock: on.clock(),
      random: simRandom(on.prng.split('random')),
      directory: '/data/log',
      segmentBytes: 64 * 1024,
    })
  })
})

describeStore('LevelStore over simulated databases', () => fixture(world()))

async function fixture(on: TestWorld): Promise<StoreFixture> {
  const directory = await openStoreDirectory({
    fileSystem: on.disk.portOf(on.process),
    clock: on.clock(),
    databases: on.databases.portOf(on.process),
    directory: '/data/store',
  })
  return {
    directory,
    crash: () => {
      on.crash(on.prng.chance(0.5) ? 'kill' : 'power')
      return fixture(on)
    },
    dispose: () => directory.close(),
  }
}

describe('a power cut', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const read = async (on: TestWorld, path: string): Promise<string | null> => {
    const fileSystem = on.disk.portOf(on.process)
    if (!(await fileSystem.exists(path))) return null
    return new TextDecoder().decode(await fileSystem.readFile(path))
  }

  test('takes what was not synced, in part or whole, and never what was', async () => {
    const outcomes = new Set<string | null>()
    for (let seed = 0; seed < 60; seed++) {
      const on = world(seed)
      const fileSystem = on.disk.portOf(on.process)
      await fileSystem.makeDirectory('/d')
      await fileSystem.syncDirectory('/')
      const file = await fileSystem.open('/d/f', { create: 'new' })
      await file.write(bytes('synced'), 0)
      await file.sync()
      await fileSystem.syncDirectory('/d')
      await file.write(bytes('SYN'), 0)
      await file.write(bytes('+more'), 6)
      on.crash('power')
      const left = await read(on, '/d/f')
      outcomes.add(left)
      expect(left?.slice(3, 6)).toBe('ced')
    }
    expect(outcomes).toContain('synced')
    expect(outcomes).toContain('SYNced+more')
    expect(outcomes.size).toBeGreaterThan(2)
  })

  test('takes a name that was not synced, with everything below it', async () => {
    const outcomes = new Set<string | null>()
    for (let seed = 0; seed < 30; seed++) {
      const on = world(seed)
      const fileSystem = on.disk.portOf(on.process)
      await fileSystem.makeDirectory('/d')
      const file = await fileSystem.open('/d/f', { create: 'new' })
      await file.write(bytes('x'), 0)
      await file.sync()
      await fileSystem.syncDirectory('/d')
      on.crash('power')
      outcomes.add(await read(on, '/d/f'))
    }
    expect(outcomes).toEqual(new Set([null, 'x']))
  })

  test('takes what a failed sync covered although a later sync succeeds', async () => {
    const on = world()
    const fileSystem = on.disk.portOf(on.process)
    await fileSystem.makeDirectory('/d')
    await fileSystem.syncDirectory('/')
    const file = await fileSystem.open('/d/f', { create: 'new' })
    await fileSystem.syncDirectory('/d')
    await file.write(bytes('lost'), 0)
    on.disk.faults.syncErrorShare = 1
    await expect(file.sync()).rejects.toThrow('EIO')
    on.disk.faults.syncErrorShare = 0
    await file.write(bytes('kept'), 4)
    await file.sync()
    expect(await read(on, '/d/f')).toBe('lostkept')
    on.crash('power')
    expect(await read(on, '/d/f')).toBe('\0\0\0\0kept')
  })

  test('spares what a mere kill leaves in the page cache', async () => {
    const on = world()
    const fileSystem = on.disk.portOf(on.process)
    const file = await fileSystem.open('/f', { create: 'new' })
    await file.write(bytes('cached'), 0)
    on.crash('kill')
    expect(await read(on, '/f')).toBe('cached')
  })
})
