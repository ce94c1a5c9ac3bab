import { describe, expect, test } from 'vitest'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import { groupConversationId } from './conversation-id.ts'
import { create, edit, Machine, message, recall, remove } from './testing.ts'

const WINDOW = 1_000
const conv = groupConversationId('alice', 'g')
const settings = { windowMs: WINDOW }
const limits = { hotBytes: 0, chunkBytes: 400, conversations: 1, amendmentBlocks: 0 }

/** Seq 1 the group, then `count` messages that say "secret <seq>", and a conversation beside it. */
async function group(count: number, directory = new MemoryStoreDirectory()): Promise<Machine> {
  const machine = await Machine.open({ directory, settings, limits })
  await machine.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
  for (let seq = 2; seq <= count + 1; seq += 1) {
    await machine.write(
      2,
      message({ user: 'alice', msgId: `m${seq}`, conv, body: `secret ${seq}.` }),
      message({ user: 'alice', msgId: `d${seq}`, to: 'dan', body: 'kept' }),
    )
  }
  return machine
}

/** Cuts until nothing is left to erase. */
async function cuts(machine: Machine, time: number, count = 2): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await machine.one(time + i, message({ user: 'eve', msgId: `t${time + i}`, to: 'eve' }))
    await machine.machine.checkpoint()
  }
}

/** Everything that a snapshot would carry. */
async function stored({ directory }: Machine): Promise<{ text: string; chunks: number }> {
  let text = ''
  let chunks = 0
  for await (const { key, value } of directory.store!.range(Buffer.from([1]), Buffer.from([255]))) {
    text += Buffer.from(value).toString('latin1')
    if (key[0] === 0x65) chunks += 1
  }
  return { text, chunks }
}

const page = async (machine: Machine) =>
  (await machine.machine.reader.eventsAfter(conv, 'bob', 0, 1_000))!

describe('[M-53] what retention took away leaves the store', () => {
  test('[A3] bodies stay until the window has passed them, as copies are compared with them', async () => {
    const m = await group(10)
    await m.one(10, remove({ op: 'truncate', from: conv, upTo: 6 }))
    await cuts(m, 20)
    expect((await stored(m)).text).toContain('secret 5.')
    const other = message({ user: 'alice', msgId: 'm5', conv, body: 'another' })
    expect(await m.one(30, other)).toMatchObject({ code: 'PAYLOAD_MISMATCH' })
    await cuts(m, 2 * WINDOW)
    const { text } = await stored(m)
    for (let seq = 2; seq <= 6; seq += 1) expect(text).not.toContain(`secret ${seq}.`)
    for (let seq = 7; seq <= 11; seq += 1) expect(text).toContain(`secret ${seq}.`)
    expect(await page(m)).toMatchObject({ gap: { from: 1, to: 6 }, hasMore: false })
    expect((await page(m)).events.map(({ seq }) => seq)).toEqual([7, 8, 9, 10, 11])
  })

  test('[A1] [A2] chunks in which nothing is left are deleted; copies are judged alike, the group is known', async () => {
    const m = await group(60)
    await cuts(m, 5, 1)
    const before = await stored(m)
    await m.one(10, remove({ op: 'truncate', from: conv, upTo: 61 }))
    const direct = (await m.machine.reader.conversationsOf('dan', 9)).conversations[0]!
    await m.one(10, remove({ op: 'truncate', from: direct.id, upTo: 60 }))
    await m.machine.checkpoint()
    // No write with a key came since: the newest results are looked at, and are too old.
    await m.one(2 * WINDOW, remove({ op: 'truncate', from: conv, upTo: 1 }))
    await m.machine.checkpoint()
    await m.one(2 * WINDOW, remove({ op: 'truncate', from: conv, upTo: 1 }))
    await m.machine.checkpoint()
    const after = await stored(m)
    expect(after.text).not.toContain('secret')
    expect(after.chunks).toBeLessThan(before.chunks / 4)
    const again = message({ user: 'alice', msgId: 'm30', conv, body: 'secret 30.' })
    expect(await m.one(2 * WINDOW, again)).toMatchObject({ seq: 62, duplicate: false })
    const copy = create({ user: 'alice', msgId: 'g' }, 'bob')
    expect(await m.one(3 * WINDOW, copy)).toMatchObject({ seq: 1, duplicate: true })
  })

  test('[B7] an expired or recalled body is overwritten where it lies; its stub reads as before', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await group(5, directory)
    await m.write(
      3,
      edit({ user: 'alice', msgId: 'e', conv, target: 3, body: 'secret edit' }),
      edit({ user: 'alice', msgId: 'f', conv, target: 5, body: 'secret too' }),
      recall({ user: 'alice', msgId: 'r', conv, target: 5 }),
      remove({ op: 'expire', from: conv, seqs: [3, 7] }),
    )
    const before = await page(m)
    await cuts(m, 2 * WINDOW, 3)
    const { text } = await stored(m)
    for (const body of ['secret 3.', 'secret edit', 'secret 5.', 'secret too']) {
      expect(text).not.toContain(body)
    }
    expect(text).toContain('secret 4.')
    expect(await page(m)).toEqual(before)
    expect(before.events[2]).toMatchObject({ seq: 3, expired: true, msgId: 'm3', body: null })
    await m.machine.close()
    const again = await Machine.open({ directory: directory.reopened(), settings, limits })
    expect((await again.machine.reader.eventsAfter(conv, 'bob', 0, 99))!.events).toEqual(
      before.events,
    )
  })

  test('[K3] much is erased a part with each cut, and goes on after a start', async () => {
    const directory = new MemoryStoreDirectory()
    let m = await group(1_500, directory)
    await m.one(10, remove({ op: 'truncate', from: conv, upTo: 1_400 }))
    await cuts(m, 2 * WINDOW)
    const secrets = async () => [...(await stored(m)).text.matchAll(/secret (\d+)\./g)].length
    const first = await secrets()
    expect(first).toBeLessThan(1_500)
    expect(first).toBeGreaterThan(101)
    await m.machine.close()
    m = await Machine.open({ directory: directory.reopened(), settings, limits })
    await cuts(m, 3 * WINDOW, 8)
    expect(await secrets()).toBe(101)
    expect((await page(m)).events[0]).toMatchObject({ seq: 1_401, recalled: false })
  })

  test('[K3] a cut takes more of it the later it comes', async () => {
    const left: number[] = []
    for (const late of [1, 5 * 60_000]) {
      const m = await group(1_500)
      await m.one(10, remove({ op: 'truncate', from: conv, upTo: 1_501 }))
      await cuts(m, 10 + WINDOW + late)
      left.push([...(await stored(m)).text.matchAll(/secret (\d+)\./g)].length)
    }
    expect(left[0]).toBeGreaterThan(0)
    expect(left[1]).toBeLessThan(left[0]! / 2)
  })

  test('[B1] with a message every edit of it is erased, however far away, and nothing else', async () => {
    const directory = new MemoryStoreDirectory()
    let m = await group(3_000, directory)
    await m.write(
      3,
      edit({ user: 'alice', msgId: 'e', conv, target: 2, body: 'hidden one' }),
      edit({ user: 'alice', msgId: 'f', conv, target: 3, body: 'shown' }),
      edit({ user: 'alice', msgId: 'g', conv, target: 2, body: 'hidden two' }),
      edit({ user: 'alice', msgId: 'h', conv, target: 2, body: 'hidden three' }),
      recall({ user: 'alice', msgId: 'r', conv, target: 2 }),
    )
    await cuts(m, 2 * WINDOW)
    expect((await stored(m)).text).toContain('hidden one')
    await m.machine.close()
    m = await Machine.open({ directory: directory.reopened(), settings, limits })
    await cuts(m, 3 * WINDOW, 8)
    const { text } = await stored(m)
    expect(text).not.toContain('hidden')
    expect(text).not.toContain('secret 2.')
    expect(text).toContain('shown')
    for (let seq = 3; seq <= 3_001; seq += 1) expect(text).toContain(`secret ${seq}.`)
    expect((await page(m)).events[1]).toMatchObject({ seq: 2, recalled: true, body: null })
  })
})
