import { expect, test } from 'vitest'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import { StoreDamagedError } from '../store/store.ts'
import { groupConversationId } from './conversation-id.ts'
import { FEED_PAGE } from './feed-index.ts'
import { FEED_KEY, feedPageKey, STATE_KEY } from './keys.ts'
import type { StateLimits } from './limits.ts'
import { decodeStateRecord, encodeStateRecord } from './state-record.ts'
import { create, Machine, message, operation, setting } from './testing.ts'
import type { FeedEntry } from './types.ts'

const TINY: Partial<StateLimits> = { conversations: 0, inboxes: 0, hotBytes: 0, chunkBytes: 400 }
const groups = ['g1', 'g2', 'g3'].map((msgId) => groupConversationId('ann', msgId))

/** Groups, and `count` messages to them in a mix, with what is no event in between. */
async function fill(m: Machine, count: number, from = 0): Promise<void> {
  if (from === 0) {
    for (const msgId of ['g1', 'g2', 'g3']) await m.one(1, create({ user: 'ann', msgId }, 'ben'))
  }
  for (let at = from; at < from + count;) {
    const commands = Array.from({ length: Math.min(100, from + count - at) }, () => {
      at += 1
      return message({ user: 'ann', conv: groups[(at * at) % 3]!, msgId: `m${at}` })
    })
    await m.write(2, ...commands, message({ user: 'eve', conv: groups[0]!, msgId: `no${at}` }))
  }
}

async function feedOf(m: Machine, after = 0, limit = 200): Promise<FeedEntry[]> {
  const all: FeedEntry[] = []
  for (let next = after; ;) {
    const page = await m.machine.reader.feedAfter(next, limit)
    expect(page.gap).toBeNull()
    all.push(...page.entries)
    next = page.next
    if (next === page.head) break
  }
  expect(all.map(({ number }) => number)).toEqual(all.map((_, i) => after + i + 1))
  for (const { seq, event } of all) expect(event!.seq).toBe(seq)
  return all
}

const told = (m: Machine) => m.events.map(({ conv, seq, msgId }) => ({ conv, seq, msgId }))
const shown = (entries: readonly FeedEntry[]) =>
  entries.map(({ conv, seq, event }) => ({ conv, seq, msgId: event!.msgId }))

test('[HT7] the feed has every event of every conversation once, in the order of the log', async () => {
  const m = await Machine.open()
  await fill(m, 700)
  await m.one(3, operation({ user: 'ann', conv: groups[0]!, msgId: 'x' }, { op: 'leave' }))
  expect(m.machine.reader.feedHead).toBe(m.events.length)
  expect(shown(await feedOf(m))).toEqual(told(m))
  // Who reads it is no member of anything, and it has no end at which it could not go on.
  expect(shown(await feedOf(m, 640, 7))).toEqual(told(m).slice(640))
  const end = await m.machine.reader.feedAfter(m.events.length, 10)
  expect(end).toMatchObject({ entries: [], next: m.events.length, gap: null })
})

test('[HT7] it is the same after checkpoints, from the store alone, and after a restart', async () => {
  const directory = new MemoryStoreDirectory()
  const m = await Machine.open({ directory, limits: TINY })
  for (let from = 0; from < 4 * 300; from += 300) {
    await fill(m, 300, from)
    await m.machine.checkpoint()
    expect(shown(await feedOf(m))).toEqual(told(m))
  }
  const again = await Machine.open({ directory, limits: TINY })
  expect(shown(await feedOf(again))).toEqual(told(m))
  await fill(again, 600, 1_200)
  expect(shown(await feedOf(again))).toEqual([...told(m), ...told(again)])
  await again.machine.close()
})

test('[HT7] it is read while a cut is written', async () => {
  const m = await Machine.open({ limits: TINY })
  await fill(m, FEED_PAGE)
  const cut = m.machine.checkpoint()
  const reads = [feedOf(m), feedOf(m, 100)]
  await fill(m, FEED_PAGE, FEED_PAGE)
  reads.push(feedOf(m))
  await cut
  const [first, part, second] = (await Promise.all(reads)).map(shown)
  expect(first!.length).toBeGreaterThan(FEED_PAGE)
  expect(first).toEqual(told(m).slice(0, first!.length))
  expect(part).toEqual(told(m).slice(100, 100 + part!.length))
  expect(second).toEqual(told(m))
  expect(shown(await feedOf(m))).toEqual(told(m))
})

test('[HT7] the newest events are kept, so many as the setting says; the rest is a gap', async () => {
  const m = await Machine.open({ limits: TINY })
  await m.one(1, setting({ feedEvents: 1_000 }))
  await fill(m, 2_000)
  await m.machine.checkpoint()
  const head = m.machine.reader.feedHead
  const page = await m.machine.reader.feedAfter(10, 5)
  expect(page.gap).toMatchObject({ from: 11 })
  const kept = head - page.gap!.to
  expect(kept).toBeGreaterThanOrEqual(1_000)
  expect(kept).toBeLessThan(1_000 + FEED_PAGE)
  expect(page.entries[0]!.number).toBe(page.gap!.to + 1)
  expect(shown(await feedOf(m, page.gap!.to))).toEqual(told(m).slice(page.gap!.to))
  const dropped = (page.gap!.to - FEED_PAGE) / FEED_PAGE
  const { store } = m.directory
  expect(await store!.get(feedPageKey(dropped))).toBeNull()
  expect(await store!.get(feedPageKey(dropped + 1))).not.toBeNull()
})

test.each([
  ['a page', feedPageKey(0)],
  ['the record', FEED_KEY],
])('[HT7] %s that is lost is damage, not the end', async (_, key) => {
  const directory = new MemoryStoreDirectory()
  const m = await Machine.open({ directory, limits: TINY })
  await fill(m, 600)
  await m.machine.checkpoint()
  const { store } = directory
  const index = store.cut!.index + 1
  const state = decodeStateRecord((await store.get(STATE_KEY))!)
  const moved = { key: STATE_KEY, value: encodeStateRecord({ ...state, index }) }
  await store.checkpoint({ index, term: 1, ahead: [], objects: [moved, { key, value: null }] })
  const read = Machine.open({ directory, limits: TINY }).then(({ machine }) =>
    machine.reader.feedAfter(0, 10),
  )
  await expect(read).rejects.toThrow(StoreDamagedError)
})
