import { describe, expect, test } from 'vitest'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import { StoreDamagedError } from '../store/store.ts'
import { directConversationId, groupConversationId } from './conversation-id.ts'
import { INBOX_PAGE } from './inbox-runs.ts'
import { inboxKey, inboxPageKey, STATE_KEY } from './keys.ts'
import type { StateLimits } from './limits.ts'
import { decodeStateRecord, encodeStateRecord } from './state-record.ts'
import { create, Machine, message, operation } from './testing.ts'
import type { InboxEvent } from './types.ts'
import { LAST_INBOX, UserInbox } from './user-inbox.ts'

const TINY: Partial<StateLimits> = {
  conversations: 0,
  inboxes: 0,
  hotBytes: 0,
  verdicts: 0,
  chunkBytes: 400,
}
const group = groupConversationId('ann', 'g')
const direct = directConversationId('ann', 'ben')
const say = (user: string, msgId: string, conv = group) => message({ user, conv, msgId })
const change = (
  user: string,
  msgId: string,
  op: 'add' | 'remove',
  member: string,
): ReturnType<typeof operation> =>
  operation(
    { user, conv: group, msgId },
    op === 'add' ? { op, member, role: 'member' } : { op, member },
  )

/** The whole inbox in pages of `limit`, as (conv, seq). */
async function inboxOf(m: Machine, user: string, limit = 7): Promise<[string, number][]> {
  const all: InboxEvent[] = []
  for (let after = 0; ;) {
    const page = await m.machine.reader.inboxAfter(user, after, limit)
    expect(page.gap).toBeNull()
    all.push(...page.entries)
    after = page.next
    if (!page.hasMore) break
  }
  expect(all.map(({ inbox }) => inbox)).toEqual(all.map((_, i) => i + 1))
  for (const { seq, event } of all) expect(event!.seq).toBe(seq)
  return all.map(({ conv, seq }) => [conv, seq])
}

describe('inboxes', () => {
  test('[B3] each event of a small conversation takes the next number of each present member, the sender too', async () => {
    const m = await Machine.open()
    await m.one(1, create({ user: 'ann', msgId: 'g' }, 'ben'))
    const first = await m.one(2, message({ user: 'ann', to: 'ben', msgId: 'd' }))
    expect(first).toMatchObject({ ok: true, inbox: 2 })
    await m.one(3, change('ann', 'a', 'add', 'cy'))
    await m.one(4, change('ann', 'r', 'remove', 'ben'))
    const last = await m.one(5, say('cy', 'm'))
    expect(last).toMatchObject({ ok: true, inbox: 3 })
    expect(await inboxOf(m, 'ann')).toEqual([
      [group, 1],
      [direct, 1],
      [group, 2],
      [group, 3],
      [group, 4],
    ])
    // Whoever leaves still gets the event that removed him, whoever joins the one that added him.
    expect(await inboxOf(m, 'ben')).toEqual([
      [group, 1],
      [direct, 1],
      [group, 2],
      [group, 3],
    ])
    expect(await inboxOf(m, 'cy')).toEqual([
      [group, 2],
      [group, 3],
      [group, 4],
    ])
    expect(await m.machine.reader.inboxHead('cy')).toBe(3)
    expect(await m.machine.reader.inboxHead('nobody')).toBe(0)
    expect(m.told.at(-1)).toEqual([
      ['ann', 5],
      ['cy', 3],
    ])
    expect(await m.one(6, say('cy', 'm'))).toMatchObject({ duplicate: true, inbox: null })
  })

  test('[B3] [K4] many pages of many conversations read the same from memory, from the store and after a restart', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory, limits: TINY })
    const roomy = await Machine.open()
    const expected: [string, number][] = []
    const heads = new Map<string, number>()
    for (let n = 0; n < 3 * INBOX_PAGE + 5; n += 1) {
      const user = `user${(n * n) % 11}`
      const command = message({ user, to: 'ann', msgId: `m${n}` })
      await roomy.one(n, command)
      expect(await m.one(n, command)).toEqual(roomy.results.at(-1))
      if (n % 50 === 49) await m.machine.checkpoint()
      const conv = directConversationId(user, 'ann')
      heads.set(conv, (heads.get(conv) ?? 0) + 1)
      expected.push([conv, heads.get(conv)!])
    }
    expect(await inboxOf(roomy, 'ann', 100)).toEqual(expected)
    expect(await inboxOf(m, 'ann')).toEqual(expected)
    await m.machine.checkpoint()
    expect(await inboxOf(m, 'ann', 1000)).toEqual(expected)
    const again = await Machine.open({ directory: directory.reopened(), limits: TINY })
    expect(again.machine.statistics).toMatchObject({ users: 7, inboxesInMemory: 0 })
    expect(again.machine.reader.stateHash).toBe(roomy.machine.reader.stateHash)
    expect(await inboxOf(again, 'ann', 33)).toEqual(expected)
  })

  test('[B3] whoever was away for some events has none of them in between', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory })
    await m.one(1, create({ user: 'ann', msgId: 'g' }, 'ben'))
    await m.one(2, change('ann', 'r', 'remove', 'ben'))
    await m.one(3, say('ann', '3'))
    await m.one(4, change('ann', 'a', 'add', 'ben'))
    const expected = [1, 2, 4].map((seq) => [group, seq])
    expect(await inboxOf(m, 'ben')).toEqual(expected)
    await m.machine.checkpoint()
    const again = await Machine.open({ directory: directory.reopened() })
    expect(await inboxOf(again, 'ben')).toEqual(expected)
  })

  test('[M-17] [B3] no number is left: null from then on, and nobody is refused', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory })
    await m.one(1, message({ user: 'ann', to: 'ben', msgId: 'first' }))
    await m.machine.checkpoint()
    // A cut whose `ben` stands three numbers before the end, as after four billion events.
    const { store } = directory
    const ben = new UserInbox('ben')
    ben.head = LAST_INBOX - (LAST_INBOX % INBOX_PAGE)
    ben.firstPage = ben.openPage
    while (ben.head < LAST_INBOX - 3) ben.take(1, 1)
    const key = inboxKey('ben')
    await store.checkpoint({
      index: 2,
      term: 1,
      ahead: [],
      objects: [{ key, value: ben.encode() }, ...(await stateAt(directory, 2))],
    })
    const n = await Machine.open({ directory: directory.reopened() })
    const numbers: (number | null)[] = []
    for (let at = 1; at <= 6; at += 1) {
      const sent = await n.one(2, message({ user: 'ann', to: 'ben', msgId: `m${at}` }))
      expect(sent).toMatchObject({ ok: true, seq: at + 1, inbox: at + 1 })
      numbers.push(n.told.at(-1)![1]![1])
      const isLeft = at < 3
      expect(await n.machine.reader.inboxHead('ben')).toBe(isLeft ? LAST_INBOX - 3 + at : null)
    }
    expect(numbers).toEqual([LAST_INBOX - 2, LAST_INBOX - 1, LAST_INBOX, null, null, null])
    const page = await n.machine.reader.inboxAfter('ben', LAST_INBOX - 2, 10)
    expect(page.entries.map(({ inbox, seq }) => [inbox, seq])).toEqual([
      [LAST_INBOX - 1, 3],
      [LAST_INBOX, 4],
    ])
    expect(page).toMatchObject({ upTo: LAST_INBOX, hasMore: false })
    const hash = n.machine.reader.stateHash
    await n.machine.checkpoint()
    const o = await Machine.open({ directory: (n.directory as MemoryStoreDirectory).reopened() })
    expect(o.machine.reader.stateHash).toBe(hash)
    expect(await o.machine.reader.inboxHead('ben')).toBeNull()
    expect(await o.one(3, say('ben', 'back', direct))).toMatchObject({ ok: true, inbox: null })
  })

  test('[K5] an inbox or a page of it that must be there and is not is damage', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory, limits: TINY })
    for (let n = 0; n < INBOX_PAGE + 1; n += 1) {
      await m.one(n, message({ user: 'ann', to: 'ben', msgId: `m${n}` }))
    }
    await m.machine.checkpoint()
    const without = async (key: Uint8Array): Promise<Machine> => {
      const lossy = directory.reopened()
      const { store } = lossy
      const getMany = store.getMany.bind(store)
      const get = store.get.bind(store)
      const isLost = (each: Uint8Array) => Buffer.compare(each, key) === 0
      store.getMany = async (keys) =>
        (await getMany(keys)).map((value, i) => (isLost(keys[i]!) ? null : value))
      store.get = async (each) => (isLost(each) ? null : get(each))
      return Machine.open({ directory: lossy, limits: TINY })
    }
    const page = await without(inboxPageKey('ben', 0))
    await expect(inboxOf(page, 'ben')).rejects.toThrow(StoreDamagedError)
    const user = await without(inboxKey('ben'))
    await expect(inboxOf(user, 'ben')).rejects.toThrow(StoreDamagedError)
    await expect(user.one(9, message({ user: 'ann', to: 'ben', msgId: 'x' }))).rejects.toThrow(
      StoreDamagedError,
    )
    await expect(user.one(9, message({ user: 'eve', to: 'ben', msgId: 'x' }))).rejects.toThrow(
      StoreDamagedError,
    )
  })

  test('[B3] only so many entries are kept: older ones are a gap', async () => {
    const settings = { inboxEntries: 2 * INBOX_PAGE }
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory, settings })
    const count = 5 * INBOX_PAGE + 3
    for (let n = 1; n <= count; n += 1) {
      await m.one(n, message({ user: 'ann', to: 'ben', msgId: `m${n}` }))
      if (n === 2 * INBOX_PAGE + 1) await m.machine.checkpoint()
    }
    await m.machine.checkpoint()
    for (const each of [m, await Machine.open({ directory: directory.reopened() })]) {
      const page = await each.machine.reader.inboxAfter('ben', 10, 5)
      const kept = 3 * INBOX_PAGE
      expect(page.gap).toEqual({ from: 11, to: kept, reason: 'retention' })
      expect(page.entries.map(({ inbox, seq }) => [inbox, seq])).toEqual(
        [1, 2, 3, 4, 5].map((n) => [kept + n, kept + n]),
      )
      expect(page).toMatchObject({ next: kept + 5, upTo: count, hasMore: true })
    }
    for (const page of [0, 1, 2]) {
      expect(await directory.store.get(inboxPageKey('ben', page))).toBeNull()
    }
    expect(await directory.store.get(inboxPageKey('ben', 3))).not.toBeNull()
  })
})

describe('large conversations', () => {
  const settings = { largeAbove: 4, smallBelow: 3 }

  test('[B3] above one bound events take no inbox entries, below the other they do again', async () => {
    const directory = new MemoryStoreDirectory()
    let m = await Machine.open({ directory, settings, limits: TINY })
    const roomy = await Machine.open({ settings })
    const step = async (command: ReturnType<typeof say>): Promise<void> => {
      await roomy.one(1, command)
      expect(await m.one(1, command)).toEqual(roomy.results.at(-1))
      await m.machine.checkpoint()
      m = await Machine.open({
        directory: (m.directory as MemoryStoreDirectory).reopened(),
        limits: TINY,
      })
      expect(m.machine.reader.stateHash).toBe(roomy.machine.reader.stateHash)
    }
    const view = async () => {
      const { large, memberCount } = (await m.machine.reader.conversation(group))!
      return [large, memberCount]
    }
    await step(create({ user: 'ann', msgId: 'g' }, 'ben', 'cy', 'dee'))
    expect(await view()).toEqual([false, 4])
    await step(change('ann', '2', 'add', 'eve'))
    // The event that crosses is still told the old way.
    expect(await view()).toEqual([true, 5])
    expect(await inboxOf(m, 'eve')).toEqual([[group, 2]])
    await step(say('ann', '3'))
    await step(change('ann', '4', 'add', 'fay'))
    await step(change('ann', '5', 'remove', 'ben'))
    await step(say('ann', '6'))
    expect(await inboxOf(m, 'ann')).toEqual([
      [group, 1],
      [group, 2],
    ])
    expect(await inboxOf(m, 'fay')).toEqual([])
    expect(await m.machine.reader.largeHeads('ann')).toEqual([{ conv: group, seq: 6 }])
    expect(await m.machine.reader.largeHeads('ben')).toEqual([{ conv: group, seq: 5 }])
    for (const [msgId, member] of [
      ['7', 'cy'],
      ['8', 'dee'],
      ['9', 'eve'],
    ] as const) {
      await step(change('ann', msgId, 'remove', member))
    }
    expect(await view()).toEqual([false, 2])
    await step(say('ann', '10'))
    expect(await inboxOf(m, 'ann')).toEqual([
      [group, 1],
      [group, 2],
      [group, 10],
    ])
    expect(await inboxOf(m, 'fay')).toEqual([[group, 10]])
    // What it left out while it was large is still told by its head.
    expect(await m.machine.reader.largeHeads('fay')).toEqual([{ conv: group, seq: 9 }])
    expect(await m.machine.reader.largeHeads('nobody')).toEqual([])
  })

  test('[B3] [K4] one entry may make it small and go on: whose inboxes that takes is known before', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory, settings, limits: TINY })
    await m.one(1, create({ user: 'ann', msgId: 'g' }, 'ben', 'cy', 'dee', 'eve'))
    await m.one(2, say('ann', '2'))
    await m.machine.checkpoint()
    const again = await Machine.open({ directory: directory.reopened(), limits: TINY })
    const removals = ['ben', 'cy', 'dee'].map((name) => change('ann', `r${name}`, 'remove', name))
    const results = await again.write(3, ...removals, say('ann', '6'))
    expect(results.map((result) => result.ok && result.inbox)).toEqual([null, null, null, 2])
    expect(await inboxOf(again, 'eve')).toEqual([
      [group, 1],
      [group, 6],
    ])
    expect(await inboxOf(again, 'dee')).toEqual([[group, 1]])
  })
})

/** The state record of the newest cut, as of another index. */
async function stateAt(
  { store }: MemoryStoreDirectory,
  index: number,
): Promise<{ key: Uint8Array; value: Uint8Array }[]> {
  const record = decodeStateRecord((await store.get(STATE_KEY))!)
  return [{ key: STATE_KEY, value: encodeStateRecord({ ...record, index }) }]
}
