// This device's position in its user's inbox: pushes, pages, gaps, crashes and other histories.
import { beforeEach, describe, expect, test } from 'vitest'
import { ChatClient } from './client.ts'
import { decodeBody, encodeBody } from './protocol/body-codec.ts'
import type { HelloRequest, PingRequest, SyncRequest } from './protocol/frames.ts'
import { MemoryStore } from './store/memory-store.ts'
import type { SyncEvents } from './sync-view.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
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

const posts = (count: number, conv = 'team', from = 'bob') => {
  for (let i = 0; i < count; i++) cluster.post(conv, from, encodeBody(i))
}
const sent = <Frame>(type: string) => asked<Frame>(cluster, type)
const syncs = () => sent<SyncRequest>('sync:R')
/** Alice's phone with a store of its own, which may die; the cluster is that one's. */
const mortal = (): Restarts => {
  const restarts = new Restarts()
  cluster = restarts.cluster
  cluster.hasInboxes = true
  cluster.group('team', 'alice', 'bob')
  return restarts
}
/** The store of a device that was connected before. */
const knownDevice = async (): Promise<MemoryStore> => {
  const store = new MemoryStore()
  const chat = await harness.connect('alice', { store })
  chat.close()
  await chat.closed
  return store
}
const follow = (chat: ChatClient) => {
  const progress: SyncEvents['progress'][] = []
  chat.sync.on('progress', (event) => progress.push(event))
  return progress
}

describe('keeping up', () => {
  test('[IN1] pushed events that follow on each other move the position, without any page', async () => {
    posts(3)
    const chat = await harness.connect('alice')
    const seen = collect(chat.messages())
    await harness.clock.advance(20)
    const pages = syncs().length
    posts(5)
    chat.conversation('team').send('mine')
    posts(5)
    await harness.clock.advance(1000)
    expect(seqs(seen)).toEqual(upTo(11, 4))
    expect(syncs()).toHaveLength(pages)
    expect(sent('pull:R')).toEqual([])
    cluster.disconnect()
    await harness.clock.advance(5000)
    expect(sent<HelloRequest>('hello:R').at(-1)!.resume).toMatchObject({ inbox: 14 })
    chat.close()
  })

  test.each(['notify', 'none'] as const)(
    '[IN2] [M-19] pushed only %s, a page brings it',
    async (push) => {
      const chat = await harness.connect('alice')
      const seen = collect(chat.messages())
      await harness.clock.advance(20)
      cluster.push = push
      posts(250)
      // Nothing but the answer to the next heartbeat tells.
      await harness.clock.advance(push === 'none' ? cluster.heartbeatMs * 1.5 : 500)
      expect(seqs(seen)).toEqual(upTo(250))
      expect(sent<PingRequest>('ping:R').every(({ inbox }) => inbox !== undefined)).toBe(true)
      expect(sent('pull:R')).toEqual([])
      chat.close()
    },
  )

  test('[IN2] many notifies at once cost one page', async () => {
    const chat = await harness.connect('alice')
    const seen = collect(chat.messages())
    await harness.clock.advance(20)
    const pages = syncs().length
    cluster.push = 'notify'
    posts(90)
    await harness.clock.advance(100)
    expect(seqs(seen)).toEqual(upTo(90))
    expect(syncs().length - pages).toBeLessThanOrEqual(2)
    chat.close()
  })

  test('[IN3] a new device begins at the end, and is told of all conversations', async () => {
    posts(300)
    cluster.group('other', 'alice', 'eve')
    await harness.clock.advance(10)
    posts(2, 'other', 'eve')
    const chat = await harness.connect('alice')
    await harness.clock.advance(200)
    expect(syncs()).toEqual([expect.objectContaining({ after: 302, positions: [] })])
    expect(chat.sync.conversations).toEqual([
      { conversation: 'other', head: 2, unread: 2 },
      { conversation: 'team', head: 300, unread: 300 },
    ])
    chat.close()
  })

  test('[IN4] without numbers conversations go by their heads', async () => {
    cluster.inbox.exhausted.add('alice')
    const chat = await harness.connect('alice')
    const seen = collect(chat.messages())
    await harness.clock.advance(20)
    posts(20)
    await harness.clock.advance(100)
    cluster.push = 'none'
    posts(20)
    await harness.clock.advance(cluster.heartbeatMs * 2)
    expect(seqs(seen)).toEqual(upTo(40))
    expect(syncs()).toEqual([])
    chat.close()
  })

  test('[IN4] large conversations go by their heads, also when nothing is pushed', async () => {
    cluster.inbox.large.add('team')
    const chat = await harness.connect('alice')
    const seen = collect(chat.messages())
    await harness.clock.advance(20)
    posts(5)
    await harness.clock.advance(20)
    cluster.push = 'none'
    posts(20)
    await harness.clock.advance(cluster.heartbeatMs * 1.5)
    expect(seqs(seen)).toEqual(upTo(25))
    expect(chat.sync.conversations).toEqual([{ conversation: 'team', head: 25, unread: 25 }])
    chat.close()
  })

  test('[IN5] numbers that are gone are told as a gap, and the conversations are looked at', async () => {
    const store = new MemoryStore()
    const first = await harness.connect('alice', { store })
    posts(10)
    await harness.clock.advance(20)
    first.close()
    await first.closed
    posts(90)
    cluster.inbox.gapUpTo = 60
    const chat = await ChatClient.connect(harness.options('alice', { store, connectTimeoutMs: 0 }))
    const seen = collect(chat.conversation('team').messages({ after: 10 }))
    const gaps: unknown[] = []
    chat.sync.on('gap', (gap) => gaps.push(gap))
    await harness.clock.advance(1000)
    expect(gaps).toEqual([{ from: 11, to: 60, reason: 'retention' }])
    expect(seqs(seen)).toEqual(upTo(90, 11))
    chat.close()
  })
})

describe('from now on', () => {
  const isQuestion = (type: string) => ['conv:R', 'pull:R', 'sync:R'].includes(type)

  test.each([true, false])(
    '[SU11] what comes after the call is in it, whatever the network does (inboxes: %s)',
    async (hasInboxes) => {
      cluster.hasInboxes = hasInboxes
      const chat = await harness.connect('alice')
      await harness.clock.advance(100)
      posts(3)
      await harness.clock.advance(100)
      cluster.fault = (frame) => (isQuestion(frame.t) ? 'drop' : null)
      cluster.push = 'none'
      const streams = [collect(chat.conversation('team').messages())]
      if (hasInboxes) streams.push(collect(chat.messages()))
      posts(2)
      cluster.disconnect()
      await harness.clock.advance(5000)
      posts(2)
      cluster.fault = () => null
      await harness.clock.advance(cluster.heartbeatMs * 3)
      for (const stream of streams) expect(seqs(stream)).toEqual(upTo(4, 4))
      chat.close()
    },
  )

  test.each(['one', 'all'])(
    '[SU11] with nothing known, it begins at the first contact (%s)',
    async (which) => {
      posts(3)
      const open = (chat: ChatClient) =>
        collect(which === 'one' ? chat.conversation('team').messages() : chat.messages())
      const chat = await ChatClient.connect(harness.options('alice', { connectTimeoutMs: 0 }))
      const stream = open(chat)
      cluster.fault = (frame) => (isQuestion(frame.t) ? 'drop' : null)
      cluster.push = 'none'
      await harness.clock.advance(20)
      posts(2)
      cluster.disconnect()
      await harness.clock.advance(5000)
      posts(2)
      // The heads are told well before the events up to them.
      cluster.fault = (frame) => (frame.t === 'sync:R' ? 'drop' : null)
      await harness.clock.advance(cluster.heartbeatMs * 3)
      cluster.fault = () => null
      await harness.clock.advance(cluster.heartbeatMs * 3)
      expect(seqs(stream)).toEqual(upTo(4, 4))
      chat.close()
    },
  )

  test('[SU11] a restore before it has begun: it begins in the new history', async () => {
    posts(9)
    const chat = await ChatClient.connect(harness.options('alice', { connectTimeoutMs: 0 }))
    const stream = collect(chat.messages())
    cluster.fault = (frame) => (frame.t === 'sync:R' ? 'drop' : null)
    await harness.clock.advance(2000)
    cluster.restore('epoch-2', 4)
    cluster.fault = () => null
    await harness.clock.advance(5000)
    posts(2)
    await harness.clock.advance(1000)
    expect(seqs(stream)).toEqual([5, 6])
    chat.close()
  })
})

describe('one who was away', () => {
  /** Away for 10,000 messages in 50 conversations; the newest is `g50`. */
  const away = async () => {
    const store = await knownDevice()
    for (let group = 1; group <= 50; group++) cluster.group(`g${group}`, 'alice', 'bob')
    for (let i = 0; i < 200; i++) {
      for (let group = 1; group <= 50; group++) posts(1, `g${group}`)
      await harness.clock.advance(1)
    }
    return store
  }

  test('[IN6] [M-54] [M-56] 10,000 messages: in order, with progress, the newest conversation before the end', async () => {
    const store = await away()
    cluster.requests.length = 0
    const connecting = harness.connect('alice', { store })
    const chat = await connecting
    const progress = follow(chat)
    const everything = collect(chat.messages())
    const room = chat.conversation('g50')
    const page = await harness.within(500, room.history({ limit: 50 }))
    expect(page.events.map(({ seq }) => seq)).toEqual(upTo(50, 151))
    const { done, total } = progress.at(-1)!
    expect(total).toBe(10_000)
    expect(done).toBeLessThan(total / 2)
    expect(chat.sync.conversations[0]).toMatchObject({ head: 200, unread: 200 })
    expect(chat.sync.conversations).toHaveLength(50)
    await harness.clock.advance(5000)
    expect(progress.at(-1)).toEqual({ done: 10_000, total: 10_000 })
    expect(syncs()).toHaveLength(100)
    const dones = progress.map((each) => each.done)
    expect(dones).toEqual(dones.toSorted((one, other) => one - other))
    chat.close()
    await everything.done
    for (let group = 1; group <= 50; group++) {
      const own = everything.items.filter(({ conversation }) => conversation === `g${group}`)
      const got = own.map(({ seq }) => seq)
      expect(got).toEqual(upTo(got.length, got[0] ?? 1))
    }
  })

  test('[IN6] [SU1] a stream from now on begins with what comes, not with what was missed', async () => {
    const store = await away()
    const chat = await ChatClient.connect(harness.options('alice', { store, connectTimeoutMs: 0 }))
    // One before the session stands, others while it catches up.
    const streams = [collect(chat.messages()), collect(chat.conversation('g7').messages())]
    await harness.clock.advance(10)
    streams.push(collect(chat.messages()), collect(chat.conversation('g7').messages()))
    await harness.clock.advance(5)
    posts(3, 'g7')
    await harness.clock.advance(10_000)
    for (const stream of streams) expect(seqs(stream)).toEqual([201, 202, 203])
    chat.close()
  })

  test('[IN6] who follows one conversation has it before the others are there', async () => {
    const store = await away()
    const chat = await harness.connect('alice', { store, connectTimeoutMs: 0 })
    const progress = follow(chat)
    const one = collect(chat.conversation('g7').messages({ after: 'cursor' }))
    for (let waited = 0; one.items.length < 200 && waited < 2000; waited++) {
      await harness.clock.advance(1)
    }
    expect(seqs(one)).toEqual(upTo(200))
    expect(progress.at(-1)?.done ?? 0).toBeLessThan(10_000)
    chat.close()
  })
})

test('[IN17] own messages that a restore took are listed, even to a later client (K8)', async () => {
  const restarts = mortal()
  cluster.group('gone', 'alice')
  const first = await restarts.live()
  const messages = upTo(6).map((n) => first.chat.conversation('team').send(n))
  const other = first.chat.conversation('gone').send('gone')
  await restarts.harness.clock.advance(1000)
  expect(other.status).toBe('sent')
  const missing: SyncEvents['missing'][] = []
  const listen = (chat: ChatClient) => chat.sync.on('missing', (event) => missing.push(event))
  listen(first.chat)
  cluster.fault = (frame) => (frame.t === 'pull:R' ? 'drop' : null)
  cluster.conversations.delete('gone')
  cluster.restore('epoch-2', 4)
  // Somebody else is at one of their places now.
  restarts.post(1)
  await restarts.harness.clock.advance(5000)
  expect(missing).toEqual([])
  first.kill()
  cluster.fault = () => null
  const second = await restarts.live()
  await restarts.harness.clock.advance(1000)
  // Nobody listened until now.
  listen(second.chat)
  cluster.disconnect()
  await restarts.harness.clock.advance(5000)
  expect(missing).toEqual([
    {
      epoch: 'epoch-2',
      messages: [
        { conversation: 'team', seq: 5, msgId: messages[4]!.msgId },
        { conversation: 'team', seq: 6, msgId: messages[5]!.msgId },
        { conversation: 'gone', seq: 1, msgId: other.msgId },
      ],
    },
  ])
  second.chat.close()
  await second.chat.closed
  const third = await restarts.live()
  listen(third.chat)
  await restarts.harness.clock.advance(1000)
  expect(missing).toHaveLength(1)
  third.chat.close()
})

test('[IN17] what no node could tell is not missing, and is looked for again', async () => {
  const restarts = mortal()
  cluster.group('shut', 'alice', 'bob')
  const { chat } = await restarts.live()
  const [lost, kept] = ['team', 'shut'].map((conv) => chat.conversation(conv).send(conv))
  await restarts.harness.clock.advance(1000)
  const missing: string[][] = []
  chat.sync.on('missing', ({ messages }) => missing.push(messages.map(({ msgId }) => msgId)))
  cluster.fault = (frame) =>
    frame.t === 'pull:R' && frame.conv === 'shut' ? FakeCluster.error('FORBIDDEN') : null
  cluster.conversations.get('team')!.events.length = 0
  cluster.restore('epoch-2', 1)
  await restarts.harness.clock.advance(5000)
  expect(missing).toEqual([[lost!.msgId]])
  // Meanwhile it turns out that it is not there either.
  cluster.fault = () => null
  cluster.conversations.get('shut')!.events.length = 0
  cluster.disconnect()
  await restarts.harness.clock.advance(5000)
  expect(missing).toEqual([[lost!.msgId], [kept!.msgId]])
  chat.close()
})

test('[IN15] [M-55] receipts that came while it was away move its messages on', async () => {
  const chat = await harness.connect('alice')
  const message = chat.conversation('team').send('hello')
  await harness.within(100, message.sent)
  expect(message.status).toBe('sent')
  cluster.inbox.statuses = [{ conv: 'team', user: 'bob', kind: 'read', upTo: 1 }]
  cluster.disconnect()
  await harness.clock.advance(5000)
  expect(message.status).toBe('read')
  chat.close()
})

test('[IN16] [M-59] away for 25 hours with outcomes unknown: each stands there once', async () => {
  const restarts = mortal()
  const window = 24 * 3_600_000
  const first = await restarts.live()
  const room = first.chat.conversation('team')
  let times = 0
  cluster.fault = (frame) => {
    if (frame.t !== 'msg:R') return null
    return (['dropAnswer', 'dropAnswer', 'drop'] as const)[times++] ?? 'drop'
  }
  for (const body of ['stored 1', 'stored 2', 'lost 1', 'lost 2']) room.send(body)
  await restarts.harness.clock.advance(20)
  first.kill()
  restarts.post(120)
  cluster.logTime += window + 3_600_000
  await restarts.harness.clock.advance(window + 3_600_000)
  cluster.fault = (frame) =>
    frame.t === 'msg:R' && frame.since! < cluster.logTime - window
      ? FakeCluster.error('WINDOW_EXPIRED')
      : null
  const second = await restarts.live()
  const seen = collect(second.chat.messages({ after: 'cursor' }))
  const fresh = second.chat.conversation('team').send('fresh')
  await restarts.harness.clock.advance(60_000)
  expect(second.chat.pending).toBe(0)
  const own = cluster.conversations.get('team')!.events.filter(({ from }) => from === 'alice')
  expect(own.map(({ body }) => decodeBody(body!))).toEqual([
    ...['stored 1', 'stored 2', 'lost 1', 'lost 2', 'fresh'],
  ])
  expect(fresh.status).toBe('sent')
  expect(seqs(seen)).toEqual(upTo(cluster.conversations.get('team')!.events.length))
  second.chat.close()
})

test('[IN13] another epoch drops position and events, and goes on from its end (K8)', async () => {
  const restarts = mortal()
  const { chat } = await restarts.live()
  restarts.post(30)
  await restarts.harness.clock.advance(1000)
  cluster.restore('epoch-2', 10)
  await restarts.harness.clock.advance(5000)
  expect(restarts.database.keys().filter((key) => key.startsWith('e/'))).toEqual([])
  expect(chat.sync.conversations).toEqual([{ conversation: 'team', head: 10, unread: 10 }])
  const seen = collect(chat.messages())
  restarts.post(3)
  await restarts.harness.clock.advance(1000)
  expect(seqs(seen)).toEqual([11, 12, 13])
  chat.close()
})

test('[IN13] a catch-up that another epoch cut short tells nothing of the conversations it named', async () => {
  const store = await knownDevice()
  cluster.group('gone', 'alice', 'bob')
  posts(300)
  posts(1, 'gone')
  let pages = 0
  cluster.fault = (frame) => (frame.t === 'sync:R' && ++pages > 1 ? 'drop' : null)
  const chat = await harness.connect('alice', { store })
  const seen = collect(chat.messages())
  await harness.clock.advance(100)
  cluster.fault = () => null
  cluster.conversations.delete('gone')
  cluster.restore('epoch-2', 0)
  const from = cluster.requests.length
  await harness.clock.advance(10_000)
  const asked = cluster.requests
    .slice(from)
    .flatMap(({ frame }) => ('conv' in frame ? [frame] : []))
  expect(asked.filter(({ t, conv }) => t === 'pull:R' && conv === 'gone')).toEqual([])
  posts(1)
  await harness.clock.advance(100)
  expect(seqs(seen)).toEqual([1])
  chat.close()
})

test('[IN14] a conversation that the user left is not in the list', async () => {
  const chat = await harness.connect('alice')
  cluster.group('gone', 'alice', 'bob')
  posts(1)
  posts(1, 'gone')
  await harness.clock.advance(20)
  const lists: number[] = []
  chat.sync.on('conversations', (rows) => lists.push(rows.length))
  const end = {
    seq: 2,
    kind: 'member',
    ord: 1,
    msgId: 'm',
    from: 'bob',
    device: 'pc',
    at: 1,
  } as const
  const body = encodeBody({ op: 'remove', user: 'alice' })
  cluster.broadcast({ t: 'msg:N', conv: 'gone', ...end, body, inbox: 3 })
  await harness.clock.advance(20)
  expect(chat.sync.conversations.map(({ conversation }) => conversation)).toEqual(['team'])
  expect(lists).toEqual([1])
  chat.close()
})

test('[IN14] unread is what others wrote behind the last read, on whichever device', async () => {
  const chat = await harness.connect('alice')
  await harness.clock.advance(20)
  const row = () => chat.sync.conversations[0]
  posts(5)
  await harness.clock.advance(20)
  expect(row()).toEqual({ conversation: 'team', head: 5, unread: 5 })
  chat.conversation('team').send('mine')
  await harness.clock.advance(20)
  expect(row()).toEqual({ conversation: 'team', head: 6, unread: 5 })
  cluster.broadcast({ t: 'ack:N', conv: 'team', kind: 'read', upTo: 3, at: 1, by: 'alice' })
  await harness.clock.advance(20)
  expect(row()).toEqual({ conversation: 'team', head: 6, unread: 2 })
  expect(chat.conversation('team').unread).toBe(2)
  expect(chat.conversation('other').unread).toBeNull()
  posts(1)
  chat.conversation('team').markRead(7)
  await harness.clock.advance(20)
  expect(row()).toEqual({ conversation: 'team', head: 7, unread: 0 })
  chat.close()
})
