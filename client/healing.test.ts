import { expect, test } from 'vitest'
import { encodeBody } from './protocol/body-codec.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import { Harness, collect } from './testing/harness.ts'

const SEEDS = Array.from({ length: 25 }, (_, i) => i + 1)

/** Everything that a cluster may do to a client for a while, then peace: nothing is lost or doubled. */
test.each(SEEDS)('[OB3] [SU2] [CN9] whatever happens, it ends well: seed %i', async (seed) => {
  const harness = new Harness(seed)
  const { cluster, clock } = harness
  cluster.hasInboxes = seed % 2 === 0
  cluster.group('team', 'alice', 'bob')
  const alice = await harness.connect('alice', { window: 1 + (seed % 7) })
  const bob = await harness.connect('bob', { bufferedEvents: 1 + (seed % 20) })
  const seen = collect(bob.conversation('team').messages({ after: 0 }))
  const own = collect(alice.messages())
  await clock.advance(20)
  cluster.fault = (frame) => {
    if (frame.t === 'hello:R') {
      return cluster.pick(6) === 0 ? FakeCluster.error('OVERLOADED', 50) : null
    }
    const dice = cluster.pick(20)
    if (dice === 0) return 'drop'
    if (dice === 1) return 'dropAnswer'
    if (dice === 2) return 'close'
    if (dice === 3) return FakeCluster.error('OUTCOME_UNKNOWN')
    if (dice === 4) return FakeCluster.error('NO_LEADER', 10)
    if (dice === 5) return FakeCluster.error('RATE_LIMITED')
    return null
  }
  const room = alice.conversation('team')
  const messages = []
  for (let step = 0; step < 60; step++) {
    const count = cluster.pick(4)
    for (let i = 0; i < count; i++) messages.push(room.send(messages.length))
    if (cluster.pick(3) === 0) cluster.post('team', 'carol', encodeBody(step))
    if (cluster.pick(10) === 0) cluster.disconnect(cluster.nodes[cluster.pick(3)])
    const node = cluster.nodes[cluster.pick(3)]!
    if (cluster.pick(12) === 0) cluster.silent.add(node)
    else if (cluster.pick(4) === 0) cluster.silent.clear()
    if (cluster.pick(12) === 0) cluster.down.add(node)
    else if (cluster.pick(4) === 0) cluster.down.clear()
    cluster.push = (['event', 'notify', 'none'] as const)[cluster.pick(3)]!
    await clock.advance(cluster.pick(300))
  }
  cluster.fault = () => null
  cluster.silent.clear()
  cluster.down.clear()
  cluster.push = 'event'
  const results = await harness.within(10 * 60_000, Promise.all(messages.map(({ sent }) => sent)))
  await clock.advance(3 * cluster.heartbeatMs + cluster.spreadMs)

  const { events } = cluster.conversations.get('team')!
  const mine = events.filter((event) => event.from === 'alice').map((event) => event.msgId)
  expect(mine).toEqual(messages.map((message) => message.msgId))
  expect(results.map(({ seq }) => events[seq - 1]!.msgId)).toEqual(mine)
  const all = events.map((event) => event.seq)
  expect(seen.items.map((message) => message.seq)).toEqual(all)
  expect(own.items.map((message) => message.seq)).toEqual(all)
  alice.close()
  bob.close()
  await Promise.all([seen.done, own.done])
  await clock.advance(60_000)
  expect(clock.pendingTimers).toBe(0)
})
