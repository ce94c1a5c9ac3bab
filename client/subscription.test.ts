import { beforeEach, describe, expect, test } from 'vitest'
import { encodeBody } from './protocol/body-codec.ts'
import type { FakeCluster } from './testing/fake-cluster.ts'
import { Harness, collect } from './testing/harness.ts'

let harness: Harness
let cluster: FakeCluster

beforeEach(() => {
  harness = new Harness()
  cluster = harness.cluster
})

const post = (conv: string, from: string, count: number): void => {
  for (let i = 0; i < count; i++) cluster.post(conv, from, encodeBody(`${from} ${i}`))
}
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('messages of one conversation', () => {
  test('[SU1] begin after a seq, or from now on', async () => {
    cluster.group('team', 'alice', 'bob')
    post('team', 'bob', 5)
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const all = collect(room.messages({ after: 0 }))
    const some = collect(room.messages({ after: 3 }))
    const live = collect(room.messages())
    await harness.clock.advance(50)
    post('team', 'bob', 2)
    await harness.clock.advance(50)
    expect(all.items.map((message) => message.seq)).toEqual(range(1, 7))
    expect(some.items.map((message) => message.seq)).toEqual(range(4, 7))
    expect(live.items.map((message) => message.seq)).toEqual(range(6, 7))
    expect(all.items[0]).toMatchObject({ conversation: 'team', from: 'bob', body: 'bob 0' })
    chat.close()
    await Promise.all([all.done, some.done, live.done])
  })

  test.each(['event', 'notify', 'none'] as const)(
    '[SU2] once, in order, without holes, own ones included, when nodes push %s',
    async (push) => {
      cluster.group('team', 'alice', 'bob')
      cluster.push = push
      const chat = await harness.connect('alice')
      const room = chat.conversation('team')
      const { items } = collect(room.messages({ after: 0 }))
      for (let round = 0; round < 15; round++) {
        post('team', 'bob', 3)
        room.send(`own ${round}`)
        if (round % 4 === 3) cluster.disconnect()
        await harness.clock.advance(30)
      }
      // Without a push the heartbeat finds it.
      await harness.clock.advance(2 * cluster.heartbeatMs)
      expect(items.map((message) => message.seq)).toEqual(range(1, 60))
      expect(items.filter((message) => message.from === 'alice')).toHaveLength(15)
      chat.close()
    },
  )

  test('[SU2] an own message is in the stream as soon as it is sent, without a pull', async () => {
    cluster.group('team', 'alice', 'bob')
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const { items } = collect(room.messages({ after: 0 }))
    await harness.clock.advance(50)
    const requests = cluster.requests.length
    const message = room.send({ own: true })
    await harness.clock.advance(5)
    expect(items).toMatchObject([
      { seq: 1, from: 'alice', body: { own: true }, msgId: message.msgId },
    ])
    expect(cluster.requests).toHaveLength(requests + 1)
    chat.close()
  })

  test('[SU3] lost, doubled and reordered pushes change nothing', async () => {
    const conversation = cluster.group('team', 'alice', 'bob')
    const chat = await harness.connect('alice')
    const { items } = collect(chat.conversation('team').messages({ after: 0 }))
    await harness.clock.advance(20)
    cluster.push = 'none'
    for (let i = 0; i < 300; i++) {
      post('team', 'bob', 1)
      const seq = 1 + cluster.pick(conversation.events.length)
      const event = conversation.events[seq - 1]!
      if (cluster.pick(3) > 0) cluster.broadcast({ t: 'msg:N', conv: 'team', ...event })
      if (cluster.pick(3) === 0) await harness.clock.advance(cluster.pick(5))
    }
    cluster.broadcast({ t: 'msg:N', conv: 'team', seq: 300 })
    await harness.clock.advance(100)
    expect(items.map((message) => message.seq)).toEqual(range(1, 300))
    chat.close()
  })

  test('[SU4] a slow reader gets everything, and holds a bounded number meanwhile', async () => {
    cluster.group('team', 'alice', 'bob')
    post('team', 'bob', 200)
    const chat = await harness.connect('alice', { bufferedEvents: 10 })
    const stream = chat.conversation('team').messages({ after: 0 })
    await harness.clock.advance(100)
    post('team', 'bob', 50)
    const asked = (): number =>
      cluster.requests.reduce((n, { frame }) => (frame.t === 'pull:R' ? n + frame.limit : n), 0)
    expect(asked()).toBeLessThanOrEqual(10)
    const seqs: number[] = []
    while (seqs.length < 250) {
      const next = await harness.within(1000, stream.next())
      seqs.push((next.value as { seq: number }).seq)
    }
    expect(seqs).toEqual(range(1, 250))
    chat.close()
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('[SU5] a gap is passed over and told', async () => {
    cluster.group('team', 'alice', 'bob')
    post('team', 'bob', 10)
    cluster.gapUpTo.set('team', 6)
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const gaps: unknown[] = []
    room.on('gap', (gap) => gaps.push(gap))
    const { items } = collect(room.messages({ after: 2 }))
    await harness.clock.advance(50)
    expect(items.map((message) => message.seq)).toEqual(range(7, 10))
    expect(gaps).toEqual([{ from: 3, to: 6, reason: 'retention' }])
    chat.close()
  })

  test('[SU6] a page with a hole that no gap explains is an error, never silence', async () => {
    const conversation = cluster.group('team', 'alice', 'bob')
    post('team', 'bob', 3)
    conversation.events.splice(1, 1)
    const chat = await harness.connect('alice')
    const { items, done } = collect(chat.conversation('team').messages({ after: 0 }))
    await harness.clock.advance(50)
    await expect(done).rejects.toMatchObject({ code: 'INTERNAL' })
    expect(items.map((message) => message.seq)).toEqual([1])
    chat.close()
  })

  test('[SU7] what a node refuses for good ends the loop with its error', async () => {
    cluster.group('secret', 'bob')
    const chat = await harness.connect('alice')
    const { done } = collect(chat.conversation('secret').messages({ after: 0 }))
    await harness.clock.advance(50)
    await expect(done).rejects.toMatchObject({ code: 'NOT_MEMBER' })
    chat.close()
  })

  test('[SU8] leaving the loop ends it for the SDK too', async () => {
    cluster.group('team', 'alice', 'bob')
    post('team', 'bob', 5)
    const chat = await harness.connect('alice')
    const seen: number[] = []
    const reading = (async () => {
      for await (const message of chat.conversation('team').messages({ after: 0 })) {
        seen.push(message.seq)
        if (message.seq === 3) break
      }
    })()
    await harness.clock.advance(50)
    await reading
    const pulls = cluster.requests.length
    cluster.push = 'notify'
    post('team', 'bob', 5)
    await harness.clock.advance(50)
    expect(seen).toEqual([1, 2, 3])
    expect(cluster.requests).toHaveLength(pulls)
    chat.close()
  })

  test('[SU9] a restored cluster is told as a discontinuity and read on from its end', async () => {
    const conversation = cluster.group('team', 'alice', 'bob')
    post('team', 'bob', 10)
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const breaks: unknown[] = []
    room.on('discontinuity', (event) => breaks.push(event))
    const { items } = collect(room.messages())
    await harness.clock.advance(50)
    conversation.events.splice(4)
    cluster.epoch = 'epoch-2'
    cluster.disconnect()
    await harness.clock.advance(cluster.spreadMs + 1000)
    expect(breaks).toEqual([{ epoch: 'epoch-2' }])
    post('team', 'bob', 2)
    await harness.clock.advance(50)
    expect(items.map((message) => message.seq)).toEqual([5, 6])
    chat.close()
  })
})

describe('messages of all conversations', () => {
  test.each(['event', 'notify'] as const)(
    '[SU10] old ones from now on, new ones whole, through lost sessions (%s)',
    async (push) => {
      cluster.push = push
      cluster.group('old', 'alice', 'bob')
      post('old', 'bob', 5)
      const chat = await harness.connect('alice')
      const { items } = collect(chat.messages())
      await harness.clock.advance(50)
      post('old', 'bob', 2)
      cluster.group('new', 'alice', 'carol')
      post('new', 'carol', 2)
      await harness.clock.advance(50)
      cluster.disconnect()
      post('old', 'bob', 1)
      cluster.group('newest', 'alice', 'dave')
      post('newest', 'dave', 2)
      await harness.clock.advance(cluster.spreadMs + 1000)
      const seqs = (conv: string): number[] =>
        items.filter((each) => each.conversation === conv).map((each) => each.seq)
      expect(seqs('old')).toEqual([6, 7, 8])
      expect(seqs('new')).toEqual([1, 2])
      expect(seqs('newest')).toEqual([1, 2])
      chat.close()
    },
  )
})
