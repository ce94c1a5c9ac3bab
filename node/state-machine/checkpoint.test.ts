import { describe, expect, test } from 'vitest'
import { EntryType, encodeConfiguration, type Entry } from '#cluster'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import { StoreDamagedError } from '../store/store.ts'
import { directConversationId, groupConversationId } from './conversation-id.ts'
import type { StateLimits } from './limits.ts'
import { batch, create, Machine, message, operation, PacedDirectory } from './testing.ts'

const TINY: Partial<StateLimits> = {
  conversations: 0,
  inboxes: 0,
  hotBytes: 0,
  verdicts: 0,
  chunkBytes: 400,
}
const conv = groupConversationId('alice', 'g')
const add = (n: number) =>
  operation(
    { user: 'alice', conv, msgId: `add${n}` },
    { op: 'add', member: `user${n}`, role: 'member' },
  )

/** Applies without letting the store go on: what it pulls, it pulls by `allow` only. */
async function paced(): Promise<{ m: Machine; directory: PacedDirectory }> {
  const directory = new PacedDirectory()
  const m = await Machine.open({ directory, limits: TINY })
  return { m, directory }
}

async function reopened(m: Machine): Promise<Machine> {
  const inner = (m.directory as PacedDirectory).inner ?? (m.directory as MemoryStoreDirectory)
  return Machine.open({ directory: inner.reopened(), limits: TINY })
}

describe('checkpoints', () => {
  test('[K3] a cut holds every object as it was at its index, whatever changes while it is written', async () => {
    const { m, directory } = await paced()
    await m.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
    // Enough members that they have a record of their own, twice in different states.
    for (let n = 0; n < 30; n += 1) await m.one(2, add(n))
    await m.machine.checkpoint()
    for (let n = 30; n < 40; n += 1) await m.one(3, add(n))
    const hash = m.machine.reader.stateHash
    directory.allow(0)
    const cut = m.machine.checkpoint()
    const remove = operation(
      { user: 'alice', conv, msgId: 'r' },
      { op: 'remove', member: 'user35' },
    )
    await m.write(
      4,
      remove,
      operation({ user: 'alice', conv, msgId: 's' }, { op: 'set', name: 'later' }),
    )
    directory.allow(Infinity)
    await cut
    const then = await reopened(m)
    expect(then.machine.appliedIndex).toBe(41)
    expect(then.machine.reader.stateHash).toBe(hash)
    const view = (await then.machine.reader.conversation(conv))!
    expect([view.members.length, view.name, view.head]).toEqual([42, null, 41])
    expect(await then.machine.reader.isMember(conv, 'user35')).toBe(true)
    await m.machine.checkpoint()
    const later = await reopened(m)
    expect((await later.machine.reader.conversation(conv))!.members).toHaveLength(41)
    expect(later.machine.reader.stateHash).toBe(m.machine.reader.stateHash)
  })

  test('[K3] a large member list is not written again while it stays the same', async () => {
    const { m } = await paced()
    const { store } = m.directory as PacedDirectory
    await m.one(
      1,
      create({ user: 'alice', msgId: 'g' }, ...Array.from({ length: 500 }, (_, n) => `user${n}`)),
    )
    await m.machine.checkpoint()
    const { bytes } = await store.size()
    await m.one(2, message({ user: 'alice', conv, msgId: 'a1' }))
    await m.machine.checkpoint()
    expect((await store.size()).bytes - bytes).toBeLessThan(1_000)
    expect((await (await reopened(m)).machine.reader.conversation(conv))!.members).toHaveLength(501)
  })

  test('[K3] a cut never passes what the log has on disk, and a due one waits for it', async () => {
    const m = await Machine.open({ limits: { checkpointBytes: 1 } })
    m.machine.apply(batch(1, 1, [message({ user: 'a', to: 'b', msgId: '1' })]))
    m.machine.apply(batch(2, 1, [message({ user: 'a', to: 'b', msgId: '2' })]))
    m.machine.logPersisted(1)
    await Promise.resolve()
    expect(m.directory.store!.cut).toBeNull()
    const cut = m.machine.checkpoint()
    m.machine.logPersisted(2)
    await cut
    expect(m.directory.store!.cut).toEqual({ index: 2, term: 1 })
  })

  test('[K3] bytes or time make a cut due, and the log may go up to the cut before the last', async () => {
    const m = await Machine.open({ limits: { checkpointBytes: 2_000, checkpointIdleMs: 500 } })
    await m.one(1, message({ user: 'a', to: 'b', msgId: '1' }))
    m.clock.advance(499)
    expect(m.directory.store!.cut).toBeNull()
    m.clock.advance(1)
    await m.machine.close()
    expect(m.directory.store!.cut!.index).toBe(1)
    expect(m.machine.compactableIndex).toBe(0)

    const n = await Machine.open({ limits: { checkpointBytes: 2_000 } })
    await n.one(1, message({ user: 'a', to: 'b', msgId: '1', body: 'x'.repeat(2_000) }))
    await n.machine.checkpoint()
    await n.one(2, message({ user: 'a', to: 'b', msgId: '2' }))
    await n.machine.checkpoint()
    expect(n.directory.store!.cut!.index).toBe(2)
    expect(n.machine.compactableIndex).toBe(1)
  })

  test('[K3] while the log is replayed cuts wait for the first new entry, but not beyond the second bound', async () => {
    const limits = { checkpointBytes: 2_000, dirtyBytes: 4_000 }
    const body = 'x'.repeat(1_000)
    const entry = (n: number) => batch(n, 1, [message({ user: 'a', to: 'b', msgId: `${n}`, body })])
    const m = await Machine.open({ limits })
    m.machine.logPersisted(7)
    for (let n = 1; n <= 7; n += 1) m.machine.apply(entry(n))
    await m.machine.close()
    expect(m.directory.store!.cut).toBeNull()

    const n = await Machine.open({ limits })
    n.machine.logPersisted(7)
    for (let at = 1; at <= 7; at += 1) n.machine.apply(entry(at))
    n.machine.logPersisted(8)
    n.machine.apply(entry(8))
    await n.machine.close()
    expect(n.directory.store!.cut!.index).toBe(8)

    const swamped = await Machine.open({ limits })
    swamped.machine.logPersisted(20)
    for (let at = 1; at <= 8; at += 1) swamped.machine.apply(entry(at))
    await swamped.machine.close()
    expect(swamped.directory.store!.cut!.index).toBe(8)
  })

  test('[K3] too many bytes without a cut turn overloaded on, a cut turns it off', async () => {
    const directory = new PacedDirectory()
    directory.allow(0)
    const limits = { dirtyBytes: 5_000, checkpointBytes: 2_000 }
    const m = await Machine.open({ directory, limits })
    const big = (n: number) =>
      message({ user: 'a', to: 'b', msgId: `${n}`, body: 'x'.repeat(1_000) })
    for (let n = 0; n < 4; n += 1) await m.one(1, big(n))
    expect(m.machine.overloaded).toBe(false)
    for (let n = 4; n < 6; n += 1) await m.one(1, big(n))
    expect(m.machine.overloaded).toBe(true)
    directory.allow(Infinity)
    await m.machine.checkpoint()
    expect(m.machine.overloaded).toBe(false)
  })

  test('[K3] who is overloaded has a cut coming, however many bytes the next one would wait for', async () => {
    const limits = { dirtyBytes: 2_000, checkpointBytes: 1_000_000 }
    const m = await Machine.open({ directory: new MemoryStoreDirectory(), limits })
    const big = (n: number) =>
      message({ user: 'a', to: 'b', msgId: `${n}`, body: 'x'.repeat(1_000) })
    for (let n = 0; n < 3; n += 1) await m.one(1, big(n))
    await expect.poll(() => m.machine.overloaded).toBe(false)
  })

  test('[K3] a failed cut is told once and for all', async () => {
    const directory = new PacedDirectory()
    directory.inner.store.checkpoint = () => Promise.reject(new Error('disk is gone'))
    const told: string[] = []
    const m = await Machine.open({
      directory: directory.inner,
      limits: { checkpointBytes: 1 },
      onFailure: (error) => told.push(error.message),
    })
    for (const msgId of ['1', '2']) await m.one(1, message({ user: 'a', to: 'b', msgId }))
    await m.machine.close()
    expect(told).toEqual(['disk is gone'])
  })

  test('[K3] the same log with cuts at the same places leaves the same store', async () => {
    const contents: string[] = []
    for (let run = 0; run < 2; run += 1) {
      const directory = new MemoryStoreDirectory()
      const m = await Machine.open({ directory, limits: TINY })
      await m.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
      for (let n = 0; n < 60; n += 1) {
        await m.one(
          n,
          message({ user: n % 2 === 0 ? 'alice' : 'bob', conv, msgId: `m${n}`, replyTo: n % 7 }),
        )
        if (n % 3 === 0) await m.machine.checkpoint()
      }
      await m.machine.checkpoint()
      let content = ''
      for await (const { key, value } of (await directory.store.snapshot()).pairs()) {
        content += `${Buffer.from(key).toString('hex')}=${Buffer.from(value).toString('hex')};`
      }
      contents.push(content)
    }
    expect(contents[0]).toBe(contents[1])
    expect(contents[0]!.length).toBeGreaterThan(5_000)
  })
})

describe('cold reads', () => {
  test('[K4] a long history over many cuts is read whole, in pages of any size, both ways', async () => {
    const m = await Machine.open({ limits: { ...TINY, pageBytes: 900 } })
    await m.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
    for (let n = 2; n <= 120; n += 1) {
      await m.one(n, message({ user: 'alice', conv, msgId: `m${n}`, body: `body ${n}` }))
      // Most cuts hold one event: pages of extents fill up.
      if (n % 5 !== 0) await m.machine.checkpoint()
    }
    await m.one(999, message({ user: 'eve', to: 'bob', msgId: 'pushes the tail out' }))
    const { reader } = m.machine
    for (const limit of [1, 3, 50, 1_000]) {
      const seqs: number[] = []
      for (let after = 0, more = true; more;) {
        const page = (await reader.eventsAfter(conv, 'bob', after, limit))!
        seqs.push(...page.events.map(({ seq }) => seq))
        expect(page.events.length).toBeLessThanOrEqual(limit)
        after = page.next
        more = page.hasMore
      }
      expect(seqs).toEqual(Array.from({ length: 120 }, (_, i) => i + 1))
      for (let before = Infinity, more = true; more;) {
        const page = (await reader.eventsBefore(conv, 'bob', before, limit))!
        expect(page.events.map(({ seq }) => seq)).toEqual(seqs.slice(-page.events.length))
        seqs.splice(-page.events.length)
        before = page.next
        more = page.hasMore
      }
      expect(seqs).toEqual([])
    }
    const page = (await reader.eventsAfter(conv, 'bob', 58, 2))!
    expect(page.events.map(({ body }) => Buffer.from(body!).toString())).toEqual([
      'body 59',
      'body 60',
    ])
  })

  test('[K4] a page stops at its bytes, whatever part of it is in memory', async () => {
    const m = await Machine.open({ limits: { pageBytes: 1_000, hotBytes: 1_500 } })
    for (let n = 1; n <= 10; n += 1) {
      await m.one(n, message({ user: 'a', to: 'b', msgId: `${n}`, body: 'x'.repeat(300) }))
      if (n === 6) await m.machine.checkpoint()
    }
    const id = directConversationId('a', 'b')
    const forward = (await m.machine.reader.eventsAfter(id, 'a', 0, 100))!
    expect([forward.events.map(({ seq }) => seq), forward.hasMore]).toEqual([[1, 2, 3], true])
    const middle = (await m.machine.reader.eventsAfter(id, 'a', 4, 100))!
    expect(middle.events.map(({ seq }) => seq)).toEqual([5, 6, 7])
    const backward = (await m.machine.reader.eventsBefore(id, 'a', 8, 100))!
    expect([backward.events.map(({ seq }) => seq), backward.next]).toEqual([[5, 6, 7], 5])
  })

  test('[K4] [B7] reads of unknown conversations, strangers and beyond the head', async () => {
    const m = await Machine.open()
    await m.one(1, message({ user: 'a', to: 'b', msgId: '1' }))
    const id = directConversationId('a', 'b')
    const { reader } = m.machine
    expect(await reader.eventsAfter('nowhere', 'a', 0, 10)).toBeNull()
    expect(await reader.isMember('nowhere', 'a')).toBe(false)
    expect(await reader.wasMember('nowhere', 'a')).toBe(false)
    expect(await reader.eventsAfter(id, 'eve', 0, 10)).toEqual({
      events: [],
      next: 1,
      upTo: 1,
      hasMore: false,
      gap: { from: 1, to: 1, reason: 'membership' },
    })
    expect(await reader.eventsAfter(id, 'a', 5, 10)).toEqual({
      events: [],
      next: 5,
      upTo: 1,
      hasMore: false,
      gap: null,
    })
    expect(await reader.eventsBefore(id, 'a', 1, 10)).toEqual({
      events: [],
      next: 1,
      upTo: 0,
      hasMore: false,
      gap: null,
    })
  })

  test('[K4] writes that name cold things are decided as if all were in memory', async () => {
    const m = await Machine.open({ limits: TINY })
    await m.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
    await m.one(2, message({ user: 'alice', conv, msgId: 'a1' }))
    await m.one(3, message({ user: 'alice', conv, msgId: 'a2', replyTo: 99 }))
    await m.machine.checkpoint()
    await m.one(4, message({ user: 'eve', to: 'zoe', msgId: 'e1' }))
    await m.machine.checkpoint()
    await m.one(5, message({ user: 'eve', to: 'zoe', msgId: 'e2' }))
    expect(m.machine.statistics.conversationsInMemory).toBeLessThan(2)
    const again = batch(6, 6, [
      create({ user: 'alice', msgId: 'g' }, 'bob'),
      message({ user: 'alice', conv, msgId: 'a1' }),
      message({ user: 'alice', conv, msgId: 'a2', replyTo: 99 }),
      message({ user: 'alice', conv, msgId: 'a3', prev: 'a1' }),
      message({ user: 'alice', conv, msgId: 'a4', prev: 'a2' }),
      message({ user: 'alice', conv, msgId: 'a5', prev: 'a1' }),
    ])
    expect(m.machine.prefetch(again)).toBeInstanceOf(Promise)
    expect(
      (await m.apply(again)).map((each) => (each.ok ? [each.seq, each.duplicate] : each.code)),
    ).toEqual([[1, true], [2, true], 'UNKNOWN_REPLY', [3, false], [4, false], [5, false]])
  })

  test('[K5] what must be in the store and is not is damage, never an empty answer', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory, limits: TINY })
    await m.one(1, message({ user: 'a', to: 'b', msgId: '1' }))
    await m.one(2, message({ user: 'eve', conv: 'nowhere', msgId: 'refused' }))
    await m.machine.checkpoint()
    await m.one(3, message({ user: 'c', to: 'd', msgId: '1' }))
    const whole = {
      get: directory.store.get.bind(directory.store),
      getMany: directory.store.getMany.bind(directory.store),
    }
    const hides = (prefix: string) => (key: Uint8Array) => key[0] === prefix.charCodeAt(0)
    const hide = (prefix: string) => {
      const isHidden = hides(prefix)
      directory.store.get = async (key) => (isHidden(key) ? null : whole.get(key))
      directory.store.getMany = async (keys) => {
        const values = await whole.getMany(keys)
        return values.map((value, i) => (isHidden(keys[i]!) ? null : value))
      }
    }
    hide('c')
    await expect(m.machine.reader.conversationsOf('a', 9)).rejects.toThrow(StoreDamagedError)
    await expect(
      m.machine.reader.eventsAfter(directConversationId('a', 'b'), 'a', 0, 9),
    ).rejects.toThrow(StoreDamagedError)
    // It would begin anew at seq 1, on this node alone.
    await expect(
      m.apply(batch(4, 4, [message({ user: 'b', to: 'a', msgId: '2' })])),
    ).rejects.toThrow(StoreDamagedError)
    hide('e')
    await expect(
      m.machine.reader.eventsAfter(directConversationId('a', 'b'), 'a', 0, 9),
    ).rejects.toThrow(StoreDamagedError)
    await expect(
      m.apply(batch(4, 4, [message({ user: 'a', to: 'b', msgId: '1' })])),
    ).rejects.toThrow(StoreDamagedError)
    hide('r')
    await expect(
      m.apply(batch(4, 4, [message({ user: 'eve', conv: 'nowhere', msgId: 'refused' })])),
    ).rejects.toThrow(StoreDamagedError)
    for (const prefix of ['a', 'd']) {
      hide(prefix)
      await expect(Machine.open({ directory })).rejects.toThrow(StoreDamagedError)
    }
  })
})

describe('damage that a read meets', () => {
  const id = directConversationId('a', 'b')

  async function cold(told: string[]) {
    const directory = new MemoryStoreDirectory()
    const onDamage = ({ message: why }: Error) => told.push(why)
    const m = await Machine.open({ directory, limits: TINY, onDamage })
    await m.one(1, message({ user: 'a', to: 'b', msgId: '1' }))
    await m.machine.checkpoint()
    await m.one(2, message({ user: 'eve', to: 'zoe', msgId: 'pushes the tail out' }))
    const getMany = directory.store.getMany.bind(directory.store)
    return { m, read: () => m.machine.reader.eventsAfter(id, 'a', 0, 9), directory, getMany }
  }

  test('[K5] is told, as nobody may be served from such a state', async () => {
    const told: string[] = []
    const { m, read, directory, getMany } = await cold(told)
    const hidden = async (keys: readonly Uint8Array[]) =>
      (await getMany(keys)).map((value, i) => (keys[i]![0] === 0x65 ? null : value))
    directory.store.getMany = hidden
    await expect(read()).rejects.toThrow(StoreDamagedError)
    expect(told).toHaveLength(1)
    await m.machine.close()
    await expect(read()).rejects.toThrow(StoreDamagedError)
    expect(told).toHaveLength(1)
  })

  test('[K5] is none if it is gone at a second look: something was let go of meanwhile', async () => {
    const told: string[] = []
    const { read, directory, getMany } = await cold(told)
    let looks = 0
    directory.store.getMany = async (keys) => {
      const values = await getMany(keys)
      return keys[0]![0] === 0x65 && looks++ === 0 ? values.map(() => null) : values
    }
    expect((await read())!.events.map(({ seq }) => seq)).toEqual([1])
    expect([looks > 1, told]).toEqual([true, []])
  })
})

describe('snapshots', () => {
  async function filled(): Promise<Machine> {
    const m = await Machine.open({ limits: TINY })
    const voter = {
      id: '0123456789abcdef',
      name: 'n1',
      peerAddress: 'h:1',
      clientUrl: 'http://h:2',
    }
    const data = encodeConfiguration({ voters: [voter], outgoing: [], learners: [] })
    await m.apply({ index: 1, term: 1, type: EntryType.configuration, data })
    await m.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
    for (let n = 0; n < 200; n += 1) {
      await m.one(n, message({ user: 'alice', conv, msgId: `m${n}`, body: `${n}`.repeat(4_000) }))
    }
    await m.one(300, message({ user: 'eve', conv, msgId: 'refused' }))
    return m
  }

  test('[K6] an installed snapshot gives the same hash, reads and results, and its log goes on', async () => {
    const m = await filled()
    const source = await m.machine.openSnapshot()
    expect(source.meta.configuration.voters[0]!.name).toBe('n1')
    const hash = m.machine.reader.stateHash
    // What is applied and cut from here on is not in it.
    const next: Entry = batch(m.machine.appliedIndex + 1, 400, [
      message({ user: 'bob', conv, msgId: 'b1' }),
    ])
    await m.apply(next)
    await m.machine.checkpoint()

    const other = await Machine.open({ limits: TINY })
    await other.one(1, message({ user: 'x', to: 'y', msgId: 'own' }))
    const sink = await other.machine.beginInstall(source.meta)
    for (let last = false; !last;) {
      const chunk = await source.read(sink.offset, 100_000)
      expect(chunk.bytes.length).toBeLessThanOrEqual(100_000)
      // Offered twice, a chunk is the same twice.
      expect(await source.read(sink.offset, 100_000)).toEqual(chunk)
      await sink.write(chunk.bytes)
      last = chunk.last
    }
    const first = await source.read(0, 50)
    expect(Buffer.from(first.bytes).length).toBe(50)
    await source.close()
    expect(other.machine.appliedIndex).toBe(1)
    await sink.finish()
    const reading = other.machine.reader.conversation(directConversationId('x', 'y'))
    await sink.activate()
    expect((await reading)!.head).toBe(1)
    expect([other.machine.appliedIndex, other.machine.reader.stateHash]).toEqual([
      source.meta.index,
      hash,
    ])
    expect(await other.machine.reader.conversation(directConversationId('x', 'y'))).toBeNull()
    await other.apply(next)
    expect(other.machine.reader.stateHash).toBe(m.machine.reader.stateHash)
    const copies = [
      message({ user: 'eve', conv, msgId: 'refused' }),
      message({ user: 'alice', conv, msgId: 'm7', body: '7'.repeat(4_000) }),
    ]
    const expected = await m.write(500, ...copies)
    expect(await other.write(500, ...copies)).toEqual(expected)
    const pages = [m, other].map((each) => each.machine.reader.eventsAfter(conv, 'bob', 90, 50))
    expect(await pages[0]).toEqual(await pages[1])
  })

  test('[K6] a stream that is not whole never takes over', async () => {
    const m = await filled()
    const source = await m.machine.openSnapshot()
    const { bytes, last } = await source.read(0, 100_000_000)
    expect(last).toBe(true)
    const attempts: [string, Uint8Array[]][] = [
      ['ended too early', [bytes.subarray(0, bytes.length - 60)]],
      ['a checksum is wrong', [Buffer.from(bytes).fill(0x55, 5_000, 5_001)]],
      ['bytes follow its end', [bytes, Buffer.from([1])]],
      // Two whole frames, one of them missing: each checksum is right, the hash of all is not.
      ['its hash is wrong', withoutSecondFrame(Buffer.from(bytes))],
    ]
    for (const [reason, parts] of attempts) {
      const other = await Machine.open()
      const sink = await other.machine.beginInstall(source.meta)
      const attempt = async () => {
        for (const part of parts) await sink.write(part)
        await sink.finish()
      }
      await expect(attempt()).rejects.toThrow(reason)
      await sink.abort()
    }
    const other = await Machine.open()
    const sink = await other.machine.beginInstall({ ...source.meta, index: 999 })
    await expect(sink.write(bytes)).rejects.toThrow('not the one of index 999')
    await source.close()
  })

  function withoutSecondFrame(bytes: Buffer): Uint8Array[] {
    const second = 8 + bytes.readUInt32LE(0)
    const third = second + 8 + bytes.readUInt32LE(second)
    return [bytes.subarray(0, second), bytes.subarray(third)]
  }
})
