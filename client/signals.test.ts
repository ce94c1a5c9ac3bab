import { beforeEach, expect, test } from 'vitest'
import type { SignalRequest } from './protocol/frames.ts'
import type { Signal } from './signals.ts'
import type { FakeCluster } from './testing/fake-cluster.ts'
import { Harness, asked } from './testing/harness.ts'

let harness: Harness
let cluster: FakeCluster
beforeEach(() => {
  harness = new Harness()
  cluster = harness.cluster
  cluster.group('team', 'alice', 'bob', 'carol')
})

const signals = () => asked<SignalRequest>(cluster, 'signal:R')

test('[CS1] it goes out once or not at all, and the sender learns which', async () => {
  const chat = await harness.connect('alice')
  const room = chat.conversation('team')
  expect(await harness.within(100, room.signal('ring', { call: 7 }, { ttlMs: 500 }))).toBe(true)
  expect(signals()).toMatchObject([{ conv: 'team', name: 'ring', ttlMs: 500 }])
  // Lost with the session: never again.
  cluster.fault = (frame) => (frame.t === 'signal:R' ? 'close' : null)
  expect(await harness.within(1000, room.signal('ring', 8))).toBe(false)
  expect(await room.signal('ring', 9)).toBe(false)
  cluster.fault = () => null
  await harness.clock.advance(60_000)
  expect(signals()).toHaveLength(2)
  const stranger = chat.conversation('elsewhere')
  await expect(harness.within(100, stranger.signal('ring', 1))).rejects.toMatchObject({
    code: 'NOT_MEMBER',
  })
  expect(() => room.signal('x'.repeat(65), 1)).toThrow(/name/)
  chat.close()
})

test('[CS2] they are numbered in order, over restarts too', async () => {
  for (let life = 0; life < 2; life++) {
    const chat = await harness.connect('alice')
    for (let n = 0; n < 50; n++) void chat.conversation('team').signal('ring', n)
    await harness.clock.advance(100)
    chat.close()
  }
  const numbers = signals().map(({ n }) => n)
  expect(numbers).toHaveLength(100)
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
})

test('[CS3] they come to the conversation and name that they are for', async () => {
  const alice = await harness.connect('alice')
  const bob = await harness.connect('bob')
  const heard: [string, Signal][] = []
  bob.conversation('team').onSignal('ring', (signal) => heard.push(['team', signal]))
  bob.conversation('other').onSignal('ring', (signal) => heard.push(['other', signal]))
  const stop = bob.direct('alice').onSignal('ring', (signal) => heard.push(['alice', signal]))
  bob.direct('carol').onSignal('ring', (signal) => heard.push(['carol', signal]))
  void alice.conversation('team').signal('ring', 1)
  void alice.conversation('team').signal('typing', 2)
  void alice.direct('bob').signal('ring', { call: new Uint8Array([3]) })
  await harness.clock.advance(100)
  stop()
  void alice.direct('bob').signal('ring', 4)
  await harness.clock.advance(100)
  const from = { from: 'alice', device: 'alice-phone', name: 'ring' }
  expect(heard).toEqual([
    ['team', { conversation: 'team', ...from, body: 1 }],
    ['alice', { conversation: null, ...from, body: { call: new Uint8Array([3]) } }],
  ])
  alice.close()
  bob.close()
})

test('[CS4] typing: told seldom, and forgotten when nothing more is told', async () => {
  const alice = await harness.connect('alice')
  const carol = await harness.connect('carol')
  const bob = await harness.connect('bob')
  const seen: (readonly string[])[] = []
  const stop = bob.conversation('team').onTyping((users) => seen.push(users))
  const room = alice.conversation('team')
  for (let key = 0; key < 100; key++) {
    room.typing()
    await harness.clock.advance(100)
  }
  expect(signals().length).toBeLessThanOrEqual(4)
  expect(seen).toEqual([['alice']])
  carol.conversation('team').typing()
  await harness.clock.advance(10)
  room.typing(false)
  room.typing(false)
  await harness.clock.advance(10)
  expect(seen).toEqual([['alice'], ['alice', 'carol'], ['carol']])
  await harness.clock.advance(10_000)
  expect(seen.at(-1)).toEqual([])
  stop()
  for (const chat of [alice, bob, carol]) chat.close()
})
