// The second stage of the waiting-ack queue: stored, and not yet acknowledged by anybody.
import { beforeEach, expect, test } from 'vitest'
import { encodeBody } from './protocol/body-codec.ts'
import type { MessageRequest } from './protocol/frames.ts'
import { DurableStore } from './store/durable-store.ts'
import { MemoryStore } from './store/memory-store.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import { type Harness, collect } from './testing/harness.ts'
import { Restarts } from './testing/restarts.ts'

let place: Restarts
let harness: Harness
let cluster: FakeCluster
beforeEach(() => {
  place = new Restarts()
  ;({ harness, cluster } = place)
  cluster.group('team', 'alice', 'bob')
})

/** What the store holds, seen without disturbing who has it. */
const kept = async (store: MemoryStore) => (await store.open('alice-phone')).messages

/** Nobody says anything of any message: no receipt, and not that it is kept. */
const silence = (): void => {
  cluster.receipts.areTold = false
}

test('[WQ1] a stored message waits in the store until anybody says anything of it', async () => {
  const store = new MemoryStore()
  const chat = await harness.connect('alice', { store })
  const message = chat.conversation('team').send('hi')
  await harness.within(100, message.sent)
  const since = place.sends(message.msgId)[0]!.since!
  expect(await kept(store)).toMatchObject([
    { msgId: message.msgId, state: 'answered', since, place: { conv: 'team', seq: 1 } },
  ])
  await harness.clock.advance(1900)
  expect(await kept(store)).toHaveLength(1)
  // The cluster keeps it for bob: nothing more to do, and no second tick for that.
  await harness.clock.advance(200)
  expect(await kept(store)).toEqual([])
  expect(message.status).toBe('sent')
  await harness.clock.advance(3_600_000)
  expect(place.sends(message.msgId)).toHaveLength(1)
  chat.close()
})

test('[WQ2] it is sent again after 30 s × 2ⁿ, at most 10 min, ±30 %, ten times, unchanged', async () => {
  silence()
  const store = new MemoryStore()
  const chat = await harness.connect('alice', { store })
  const times = new Map<string, number[]>()
  cluster.fault = (frame) => {
    if (frame.t !== 'msg:R') return null
    times.set(frame.msgId, [...(times.get(frame.msgId) ?? []), harness.clock.monotonicMs()])
    return null
  }
  const room = chat.conversation('team')
  const [message, next] = [room.send({ a: 1 }), room.send(2)]
  await harness.clock.advance(2 * 3_600_000)
  const sends = place.sends(message.msgId)
  expect(sends).toHaveLength(11)
  const [first] = sends
  for (const frame of sends) expect(frame).toEqual({ ...first, id: frame.id })
  // In place already, it waits for nothing before it.
  const [, ...again] = place.sends(next.msgId)
  expect(again.map(({ prev }) => prev)).toEqual(Array.from({ length: 10 }, () => undefined))
  const at = times.get(message.msgId)!
  const nominal = [30, 60, 120, 240, 480, 600, 600, 600, 600, 600]
  for (const [n, seconds] of nominal.entries()) {
    expect(at[n + 1]! - at[n]!).toBeGreaterThanOrEqual(seconds * 700 - 10)
    expect(at[n + 1]! - at[n]!).toBeLessThanOrEqual(Math.min(seconds * 1300, 600_000) + 500)
  }
  // Let go: it is stored, and that is what it shows.
  expect(await kept(store)).toEqual([])
  expect([message.status, cluster.bodies('team').length]).toEqual(['sent', 2])
  expect(chat.state.state).toBe('connected')
  chat.close()
})

test('[WQ3] the copy makes the cluster push what a recipient lost', async () => {
  cluster.push = 'none'
  silence()
  const chat = await harness.connect('alice')
  const message = chat.conversation('team').send('hi')
  await harness.within(100, message.sent)
  const bob = await harness.connect('bob', { ackDelayMs: 10 })
  const shown = collect(bob.conversation('team').messages({ after: 0 }))
  await harness.clock.advance(10)
  cluster.push = 'event'
  cluster.receipts.areTold = true
  await harness.clock.advance(45_000)
  expect(shown.items.map(({ seq }) => seq)).toEqual([1])
  bob.conversation('team').markRead(1)
  await harness.clock.advance(100)
  expect(message.status).toBe('read')
  chat.close()
  bob.close()
})

test('[M-6] [WQ4] killed with 100 in flight: the same ids again, and the queue drains to 0', async () => {
  const { chat, kill } = await place.live()
  // Some unanswered, some answered and not acknowledged, some not even asked.
  cluster.fault = (frame) =>
    frame.t === 'msg:R' && cluster.pick(3) === 0
      ? (['drop', 'dropAnswer'] as const)[cluster.pick(2)]!
      : null
  const room = chat.conversation('team')
  const messages = Array.from({ length: 100 }, (_, n) => room.send(n))
  await harness.clock.advance(40)
  const settled = messages.filter(({ status }) => status === 'sent')
  kill()
  cluster.requests.length = 0
  cluster.fault = () => null
  const next = await place.live()
  expect(settled.length).toBeGreaterThan(0)
  expect(next.chat.restored.length + settled.length).toBeGreaterThanOrEqual(100)
  await harness.clock.advance(5000)
  expect(cluster.bodies('team')).toEqual(messages.map(({ msgId }) => msgId))
  for (const { msgId } of settled) expect(place.sends(msgId).length).toBeGreaterThan(0)
  for (const { status } of next.chat.restored) expect(status).toBe('sent')
  next.chat.close()
  await next.chat.closed
  const { messages: left } = await new DurableStore(place.database.open).open('alice-phone')
  expect(left).toEqual([])
})

test('[WQ5] it is bounded, and gives way to what is not stored yet', async () => {
  silence()
  const store = new MemoryStore({ maxMessages: 5 })
  const chat = await harness.connect('alice', { store, maxPending: 4 })
  const room = chat.conversation('team')
  const msgIds: string[] = []
  for (let n = 0; n < 8; n++) {
    const message = room.send(n)
    msgIds.push(message.msgId)
    await harness.within(100, message.sent)
  }
  expect((await kept(store)).map(({ msgId }) => msgId)).toEqual(msgIds.slice(4))
  cluster.fault = (frame) => (frame.t === 'msg:R' ? 'drop' : null)
  const pending = Array.from({ length: 4 }, (_, n) => room.send(n).msgId)
  expect((await kept(store)).map(({ msgId }) => msgId)).toEqual([msgIds[7], ...pending])
  expect(() => room.send('one more')).toThrow(/4 writes wait/)
  chat.close()
})

test('[WQ6] what might be stored a second time is not sent again: no since, another history', async () => {
  silence()
  const store = new MemoryStore()
  const chat = await harness.connect('alice', { store })
  const room = chat.conversation('team')
  await harness.within(100, room.send('of unknown age', { msgId: 'mine' }).sent)
  expect(await kept(store)).toEqual([])
  await harness.within(100, room.send('of the old history').sent)
  expect(await kept(store)).toHaveLength(1)
  cluster.epoch = 'epoch-2'
  cluster.disconnect()
  await harness.clock.advance(cluster.spreadMs + 1000)
  expect(await kept(store)).toEqual([])
  const asked = cluster.requests.filter(({ frame }) => frame.t === 'msg:R').length
  await harness.clock.advance(3_600_000)
  expect(cluster.requests.filter(({ frame }) => frame.t === 'msg:R')).toHaveLength(asked)
  chat.close()
})

test('[WQ7] a refusal, a lost session and an overloaded node change nothing of `sent`', async () => {
  silence()
  const chat = await harness.connect('alice')
  const message = chat.conversation('team').send('hi')
  await harness.within(100, message.sent)
  let copies = 0
  cluster.fault = (frame) => {
    if (frame.t !== 'msg:R') return null
    return [FakeCluster.error('OVERLOADED'), 'close', 'drop', FakeCluster.error('WINDOW_EXPIRED')][
      Math.min(3, copies++)
    ] as never
  }
  await harness.clock.advance(3_600_000)
  expect(copies).toBe(4)
  expect([message.status, chat.pending]).toEqual(['sent', 0])
  const frames = cluster.requests.filter(({ frame }) => frame.t === 'msg:R')
  expect(new Set(frames.map(({ frame }) => (frame as MessageRequest).msgId)).size).toBe(1)
  cluster.post('team', 'bob', encodeBody(1))
  chat.close()
})
