import { afterEach, describe, expect, test } from 'vitest'
import { type Connection, PeerFrameKind } from '#cluster'
import { encodePeerFrame } from '../../cluster/transport/peer-frame-writer.ts'
import { Prng } from '../prng.ts'
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

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (of: Uint8Array) => new TextDecoder().decode(of)
const passed = (on: TestWorld, ms: number) =>
  new Promise<void>((resolve) => on.scheduler.after(ms, null, resolve))

describe('a broken path', () => {
  async function connected(on: TestWorld) {
    const server = on.newProcess('server')
    const accepted = new Promise<Connection>((resolve) => {
      void on.network.portOf(server).listen('127.0.0.1:7001', resolve)
    })
    const near = await on.network.portOf(on.process).connect('127.0.0.1:7001', 1_000)
    const far = await accepted
    const heard: string[] = []
    far.onData = (data) => heard.push(text(data))
    return { near, far, heard, link: on.network.link('machine', 'server') }
  }

  test('half open: one end is told that it is over, the other one talks to nobody', async () => {
    const on = world()
    const { near, far, heard, link } = await connected(on)
    const ended: string[] = []
    near.onClose = () => ended.push('near')
    far.onClose = () => ended.push('far')
    expect(on.network.halfOpen('machine', 'server')).toBe(1)
    near.write(bytes('anybody?'))
    await passed(on, 5_000)
    expect(ended).toEqual(['far'])
    expect(heard).toEqual([])
    expect(link.swallowed).toBeGreaterThan(0)
  })

  test('what is lost again and again holds up its own connection alone', async () => {
    const on = world()
    const { near, heard, link } = await connected(on)
    link.stallShare = 1
    near.write(bytes('late'))
    await passed(on, 150)
    expect([heard, link.stalled]).toEqual([[], 1])
    on.network.healAll()
    await passed(on, 50)
    expect(heard.join('')).toBe('late')
  })

  test('a frame comes once more, on a later connection too; introductions and pings never', async () => {
    const on = world()
    on.network.rememberFrames()
    const { near, heard, link } = await connected(on)
    link.replayShare = 1
    const hello = encodePeerFrame(PeerFrameKind.hello, bytes('hello'))
    const first = encodePeerFrame(PeerFrameKind.raft, bytes('first'))
    near.write(hello)
    near.write(first)
    await passed(on, 50)
    expect(heard.join('')).toBe(text(hello) + text(first) + text(first))
    near.destroy()
    const again = await on.network.portOf(on.process).connect('127.0.0.1:7001', 1_000)
    for (let at = 0; at < 20; at++) again.write(encodePeerFrame(PeerFrameKind.raft, bytes(`${at}`)))
    expect(link.replayed).toBe(21)
  })
})

describe('a broken disk', () => {
  async function withFile(on: TestWorld) {
    on.disk.rememberWrites()
    const fileSystem = on.disk.portOf(on.process)
    await fileSystem.makeDirectory('/log')
    await fileSystem.syncDirectory('/')
    const file = await fileSystem.open('/log/f', { create: 'new' })
    await fileSystem.syncDirectory('/log')
    const written = async (what: string, at: number) => {
      await file.write(bytes(what), at)
      await file.sync()
    }
    return {
      fileSystem,
      file,
      written,
      content: async () => text(await fileSystem.readFile('/log/f')),
    }
  }

  test('full: what fits is written, then nothing that makes a file longer', async () => {
    const on = world()
    const { fileSystem, file, written, content } = await withFile(on)
    await written('0123', 0)
    on.disk.faults.roomBytes = 2
    await expect(file.write(bytes('3456'), 3)).rejects.toThrow('ENOSPC')
    await expect(fileSystem.open('/log/g', { create: 'new' })).rejects.toThrow('ENOSPC')
    expect((await fileSystem.space('/')).freeBytes).toBe(0)
    await written('ab', 0)
    expect(await content()).toBe('ab2345')
    expect(on.disk.refused).toBe(2)
    on.disk.heal()
    await written('67', 6)
    expect(await content()).toBe('ab234567')
  })

  test('unreadable: reads fail and what is there stays', async () => {
    const on = world()
    const { file, written, content } = await withFile(on)
    await written('here', 0)
    on.disk.faults.readErrorShare = 1
    await expect(content()).rejects.toThrow('EIO')
    await expect(file.read(new Uint8Array(4), 0)).rejects.toThrow('EIO')
    expect(() => file.readSync(new Uint8Array(4), 0)).toThrow('EIO')
    on.disk.heal()
    expect(await content()).toBe('here')
  })

  test('a synced write is lost, but never the last one, or one that is not synced', async () => {
    const on = world()
    const { file, written, content } = await withFile(on)
    await written('......', 0)
    await written('AA', 0)
    const inLog = (path: string) => path.startsWith('/log/')
    // The last synced write begins at 0: nothing is proven by it.
    expect(on.disk.loseWrite(new Prng(1), inLog, false)).toBeNull()
    await written('BB', 2)
    await file.write(bytes('CC'), 4)
    expect(on.disk.loseWrite(new Prng(1), inLog, false)).toContain('2 bytes')
    expect(await content()).toBe('..BBCC')
  })

  test('a write stands elsewhere, before the last one', async () => {
    const found = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const on = world(seed)
      const { written, content } = await withFile(on)
      await written('........', 0)
      await written('AA', 2)
      await written('BB', 6)
      expect(on.disk.loseWrite(new Prng(seed), () => true, true)).toContain('stands in')
      found.add(await content())
      expect((await content()).slice(6)).toBe('BB')
    }
    expect(found).toContain('AA....BB')
    expect(found.size).toBeGreaterThan(2)
  })

  test('an image that is put back has the names and bytes of then', async () => {
    const on = world()
    const { fileSystem, written, content } = await withFile(on)
    await written('old', 0)
    const restore = on.disk.image()
    await written('new', 0)
    await fileSystem.rename('/log/f', '/log/g')
    on.process.die()
    restore()
    on.process = on.newProcess('machine')
    const after = on.disk.portOf(on.process)
    expect(await after.list('/log')).toEqual(['f'])
    expect(text(await after.readFile('/log/f'))).toBe('old')
    await expect(Promise.race([content(), passed(on, 50)])).resolves.toBeUndefined()
  })
})

describe('a broken database', () => {
  const key = (at: number) => bytes(String(at).padStart(4, '0'))
  async function filled(on: TestWorld, pairs: number) {
    const factory = on.databases.portOf(on.process)
    const database = await factory.open('/db', { create: true })
    const batch = database.batch()
    for (let at = 0; at < pairs; at++) batch.put(key(at), bytes(`value ${at}`))
    await batch.write()
    return { factory, database }
  }

  test('of several batches under way any may be there alone after a crash', async () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const on = world(seed)
      const { database } = await filled(on, 0)
      for (const at of [1, 2]) {
        const batch = database.batch()
        batch.put(key(at), bytes('x'))
        void batch.write()
      }
      on.crash('kill')
      const again = await on.databases.portOf(on.process).open('/db', { create: false })
      const there = await again.getMany([key(1), key(2)])
      outcomes.add(there.map((value) => (value === null ? '-' : '+')).join(''))
    }
    expect(outcomes).toEqual(new Set(['--', '+-', '-+', '++']))
  })

  test('full and unreadable are errors that say nothing about what is stored', async () => {
    const on = world()
    const { database } = await filled(on, 3)
    on.databases.isFull = true
    const batch = database.batch()
    batch.put(key(9), bytes('x'))
    await expect(batch.write()).rejects.toMatchObject({ kind: 'io' })
    on.databases.readErrorShare = 1
    await expect(database.get(key(1))).rejects.toMatchObject({ kind: 'io' })
    on.databases.heal()
    expect(text((await database.get(key(1)))!)).toBe('value 1')
    expect(on.databases.errors).toBe(2)
  })

  test('rot takes bits, keys, tables and places, and its own checksums tell', async () => {
    const kinds = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      const on = world(seed)
      const { factory, database } = await filled(on, 50)
      const what = on.databases.rot()!
      kinds.add(what.replace('/db: ', '').replace(/of \d+ keys /, ''))
      const values = await database.getMany(Array.from({ length: 50 }, (_, at) => key(at)))
      const same = values.every((value, at) => value !== null && text(value) === `value ${at}`)
      expect(same, what).toBe(what.includes('stand under') && same)
      if (!what.includes('newest batch')) await expect(factory.verify('/db')).rejects.toThrow('/db')
    }
    expect(kinds.size).toBe(5)
  })

  test('an image that is put back has the pairs of then', async () => {
    const on = world()
    const { database } = await filled(on, 2)
    const restore = on.databases.image()
    const batch = database.batch()
    batch.delete(key(0))
    await batch.write()
    on.crash('power')
    restore()
    const again = await on.databases.portOf(on.process).open('/db', { create: false })
    expect(await again.get(key(0))).not.toBeNull()
  })
})

describe('a broken machine', () => {
  test('a process dies at the very step, and what it did before stands', async () => {
    for (let steps = 1; steps <= 4; steps++) {
      const on = world()
      const { process } = on
      const file = await on.disk.portOf(process).open('/f', { create: 'new' })
      process.dieAfter(steps, () => {
        process.die()
        on.disk.kill(process)
      })
      for (const at of [0, 1, 2]) void file.write(bytes(String(at)), at)
      expect(process.isAlive).toBe(steps === 4)
      // The write at which it dies never happened; those before are under way.
      expect(on.disk.tree.file('/f')!.length).toBeLessThanOrEqual(steps - 1)
    }
  })

  test('a clock goes faster or slower from the moment on, and never back', async () => {
    const on = world()
    const faults = { rate: 1, latenessMs: 0 }
    const clock = on.clock(on.process, faults)
    const start = clock.monotonicMs()
    await passed(on, 100)
    faults.rate = 5
    clock.rebase()
    expect(clock.monotonicMs() - start).toBeCloseTo(100)
    await passed(on, 100)
    expect(clock.monotonicMs() - start).toBeCloseTo(600)
    faults.rate = 0.2
    clock.rebase()
    await passed(on, 100)
    expect(clock.monotonicMs() - start).toBeCloseTo(620)
    const begun = on.scheduler.nowMs
    await new Promise<void>((resolve) => clock.after(10, resolve))
    expect(on.scheduler.nowMs - begun).toBeGreaterThanOrEqual(50)
  })

  test('timers are late, never early', async () => {
    const on = world()
    const clock = on.clock(on.process, { rate: 1, latenessMs: 500 })
    const begun = on.scheduler.nowMs
    const lateness = await Promise.all(
      Array.from(
        { length: 20 },
        () =>
          new Promise<number>((resolve) =>
            clock.after(10, () => resolve(on.scheduler.nowMs - begun - 10)),
          ),
      ),
    )
    expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...lateness)).toBeGreaterThan(200)
  })
})
