// The two phases of receiving: kept by the store, then acknowledged by the application.
import { beforeEach, describe, expect, test } from 'vitest'
import { encodeBody } from './protocol/body-codec.ts'
import type { AckRequest, SyncRequest } from './protocol/frames.ts'
import type { FakeCluster } from './testing/fake-cluster.ts'
import { Harness, asked, collect, seqs, upTo } from './testing/harness.ts'
import { Restarts } from './testing/restarts.ts'

let harness: Harness
let cluster: FakeCluster
beforeEach(() => {
  harness = new Harness()
  cluster = harness.cluster
  cluster.hasInboxes = true
  cluster.group('team', 'alice', 'bob')
})

const posts = (count: number) => {
  for (let i = 0; i < count; i++) cluster.post('team', 'bob', encodeBody(i))
}
const sent = <Frame>(type: string) => asked<Frame>(cluster, type)
const syncs = () => sent<SyncRequest>('sync:R')
const deliveredOf = (conv: string) =>
  Math.max(
    0,
    ...sent<AckRequest>('ack:R').flatMap(({ acks }) =>
      acks.flatMap((ack) => (ack.conv === conv && ack.kind === 'delivered' ? [ack.upTo] : [])),
    ),
  )

describe('received and consumed', () => {
  test('[IN7] [M-10] [M-11] what the store has is delivered, and what it has not is asked for again', async () => {
    const restarts = new Restarts()
    cluster = restarts.cluster
    cluster.hasInboxes = true
    cluster.group('team', 'alice', 'bob')
    const seen: number[] = []
    const first = await restarts.live()
    restarts.post(3)
    await restarts.harness.clock.advance(1000)
    expect(deliveredOf('team')).toBe(3)
    restarts.post(3)
    // The events are on the way to the store when the device dies: nobody was told that it has them.
    await restarts.harness.clock.advance(2)
    first.kill()
    expect(deliveredOf('team')).toBe(3)
    const pulls = sent('pull:R').length
    const second = await restarts.live()
    await restarts.harness.clock.advance(1000)
    expect(deliveredOf('team')).toBe(6)
    const stream = second.chat.messages({ after: 'cursor' })
    for (let n = 0; n < 6; n++) {
      seen.push((await restarts.harness.within(1000, stream.next())).value!.seq)
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6])
    // All of it was here already.
    expect(sent('pull:R').length - pulls).toBeLessThanOrEqual(1)
    second.kill()
    const third = await restarts.live()
    const again = collect(third.chat.messages({ after: 'cursor' }))
    await restarts.harness.clock.advance(1000)
    expect(again.items.map(({ seq, redelivered }) => [seq, redelivered])).toEqual([[6, true]])
    third.chat.close()
  })

  test('[IN8] [M-7] [M-28] each phase three times over: once to the application', async () => {
    const restarts = new Restarts(3)
    cluster = restarts.cluster
    cluster.hasInboxes = true
    cluster.group('team', 'alice', 'bob')
    const { chat } = await restarts.live()
    const seen = collect(chat.messages({ after: 'cursor' }))
    await restarts.harness.clock.advance(100)
    restarts.post(4)
    await restarts.harness.clock.advance(100)
    for (let times = 0; times < 3; times++) {
      for (const event of cluster.conversations.get('team')!.events) {
        cluster.broadcast({ t: 'msg:N', conv: 'team', ...event, inbox: event.seq })
      }
      await restarts.harness.clock.advance(50)
      cluster.disconnect()
      await restarts.harness.clock.advance(5000)
    }
    expect(seqs(seen)).toEqual([1, 2, 3, 4])
    chat.close()
  })

  test('[IN9] [M-29] with the position lost and the events kept, nothing is shown twice', async () => {
    const restarts = new Restarts()
    cluster = restarts.cluster
    cluster.hasInboxes = true
    cluster.group('team', 'alice', 'bob')
    const first = await restarts.live()
    const seen = collect(first.chat.messages({ after: 'cursor' }))
    restarts.post(150)
    await restarts.harness.clock.advance(2000)
    expect(seqs(seen)).toEqual(upTo(150))
    first.chat.close()
    await first.chat.closed
    await restarts.forgetInbox()
    restarts.post(5)
    const second = await restarts.live()
    const rest = collect(second.chat.messages({ after: 'cursor' }))
    await restarts.harness.clock.advance(2000)
    expect(syncs().some(({ after }) => after === 0)).toBe(true)
    expect(seqs(rest)).toEqual(upTo(5, 151))
    second.chat.close()
  })

  test('[IN10] the store is bounded: the oldest leave, and come again when they are wanted', async () => {
    const restarts = new Restarts()
    cluster = restarts.cluster
    cluster.hasInboxes = true
    cluster.group('team', 'alice', 'bob')
    const first = await restarts.live({ maxReceived: 10 })
    restarts.post(40)
    await restarts.harness.clock.advance(2000)
    expect(deliveredOf('team')).toBe(40)
    expect(restarts.database.keys().filter((key) => key.startsWith('e/'))).toEqual(
      upTo(10, 31).map((seq) => `e/team/${String(seq).padStart(16, '0')}`),
    )
    first.kill()
    const second = await restarts.live()
    const seen = collect(second.chat.messages({ after: 'cursor' }))
    await restarts.harness.clock.advance(2000)
    expect(seqs(seen)).toEqual(upTo(40))
    second.chat.close()
    await second.chat.closed
    expect(restarts.database.keys().filter((key) => key.startsWith('e/'))).toEqual([])
  })

  test('[IN11] without a store that keeps events they are delivered when they were handled', async () => {
    const chat = await harness.connect('alice')
    posts(2)
    await harness.clock.advance(2000)
    expect(deliveredOf('team')).toBe(0)
    const stream = chat.conversation('team').messages({ after: 0 })
    await harness.within(100, stream.next())
    await harness.clock.advance(2000)
    expect(deliveredOf('team')).toBe(0)
    await harness.within(100, stream.next())
    await harness.clock.advance(2000)
    expect(deliveredOf('team')).toBe(1)
    chat.close()
  })

  test('[IN12] what is kept shows its present content', async () => {
    const restarts = new Restarts()
    cluster = restarts.cluster
    cluster.hasInboxes = true
    const { events } = cluster.group('team', 'alice', 'bob')
    const first = await restarts.live()
    restarts.post(2)
    const change = (kind: 'edit' | 'recall', target: number, body?: Uint8Array) => {
      const seq = events.length + 1
      const event = {
        seq,
        kind,
        ord: 2,
        msgId: `c${seq}`,
        from: 'bob',
        device: 'pc',
        at: 1,
      } as const
      events.push({ ...event, target, body })
      const inbox = cluster.inbox.add('alice', 'team', events.at(-1)!)
      cluster.broadcast({ t: 'msg:N', conv: 'team', ...events.at(-1)!, inbox })
    }
    change('edit', 1, encodeBody('better'))
    change('recall', 2)
    await restarts.harness.clock.advance(1000)
    first.kill()
    const second = await restarts.live()
    const seen = collect(second.chat.messages({ after: 'cursor' }))
    await restarts.harness.clock.advance(1000)
    expect(seen.items).toMatchObject([
      { seq: 1, body: 'better', edited: 3, recalled: false },
      { seq: 2, body: undefined, recalled: true },
    ])
    second.chat.close()
  })
})
