import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChatError } from './errors.ts'
import { encodeBody } from './protocol/body-codec.ts'
import { MemoryStore } from './store/memory-store.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import { collect, Harness } from './testing/harness.ts'

let harness: Harness
let cluster: FakeCluster
const rejections: unknown[] = []
const onRejection = (reason: unknown): void => void rejections.push(reason)

beforeEach(() => {
  harness = new Harness()
  cluster = harness.cluster
  rejections.length = 0
  process.on('unhandledRejection', onRejection)
})

afterEach(() => {
  process.off('unhandledRejection', onRejection)
  if (rejections.length > 0) throw new Error('unhandled rejections', { cause: rejections })
})

const frames = (type: string) => cluster.requests.filter(({ frame }) => frame.t === type)

describe('sending', () => {
  test('[OB1] a message is pending at once and sent when the log has it', async () => {
    cluster.group('team', 'alice', 'bob')
    const chat = await harness.connect('alice')
    const message = chat.conversation('team').send({ text: 'hi' })
    const statuses: string[] = []
    message.on('status', (status) => statuses.push(status))
    expect(message.status).toBe('pending')
    const result = await harness.within(100, message.sent)
    expect(result).toMatchObject({ conversation: 'team', seq: 1, duplicate: false })
    expect(message.status).toBe('sent')
    expect(statuses).toEqual(['sent'])
    chat.close()
  })

  test('[OB2] many messages are pipelined, in order, each naming the one before', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const messages = Array.from({ length: 200 }, (_, i) => room.send(i))
    await harness.within(1000, Promise.all(messages.map((message) => message.sent)))
    expect(cluster.bodies('team')).toEqual(messages.map((message) => message.msgId))
    const sent = frames('msg:R')
    expect(sent).toHaveLength(200)
    // The first window went out together: only its first has nobody before it.
    expect(sent.slice(0, 64).filter(({ frame }) => 'prev' in frame && frame.prev)).toHaveLength(63)
    chat.close()
  })

  test('[OB3] lost frames, lost answers and lost sessions: once each, in order', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice', { retry: { initialDelayMs: 50 } })
    const room = chat.conversation('team')
    cluster.fault = (frame) => {
      if (frame.t !== 'msg:R') return null
      const dice = cluster.pick(10)
      if (dice < 2) return 'drop'
      if (dice < 4) return 'dropAnswer'
      if (dice < 5) return 'close'
      if (dice < 6) return FakeCluster.error('OUTCOME_UNKNOWN')
      if (dice < 7) return FakeCluster.error('OVERLOADED', 20)
      return null
    }
    const messages = Array.from({ length: 60 }, (_, i) => room.send(i))
    const results = await harness.within(
      10 * 60_000,
      Promise.all(messages.map((message) => message.sent)),
    )
    expect(results.map((result) => result.seq)).toEqual(messages.map((_, i) => i + 1))
    expect(cluster.bodies('team')).toEqual(messages.map((message) => message.msgId))
    chat.close()
  })

  test('[OB4] a resend has the same id, the same bytes and the same since', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice')
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'drop' : null)
    const message = chat.conversation('team').send({ b: 1, a: [2] })
    await harness.clock.advance(3000)
    cluster.fault = () => null
    cluster.logTime += 1000
    await harness.within(10_000, message.sent)
    const sent = frames('msg:R').map(({ frame }) => frame)
    expect(sent.length).toBeGreaterThan(2)
    const essence = sent.map((frame) =>
      frame.t === 'msg:R' ? [frame.msgId, frame.since, [...frame.body]] : null,
    )
    expect(new Set(essence.map((each) => JSON.stringify(each))).size).toBe(1)
    chat.close()
  })

  test('[OB14] a message that was stored before does not let the next one overtake', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice', { retry: { initialDelayMs: 50 } })
    const room = chat.conversation('team')
    const first = room.send('first')
    await harness.within(1000, first.sent)
    let lost = false
    cluster.fault = (frame) => {
      const isSecond = frame.t === 'msg:R' && frame.msgId === 'second'
      const drops = isSecond && !lost
      if (drops) lost = true
      return drops ? 'drop' : null
    }
    const messages = [
      room.send(2, { msgId: 'second' }),
      room.send('first', { msgId: first.msgId }),
      room.send(3, { msgId: 'third' }),
    ]
    await harness.within(5000, Promise.all(messages.map(({ sent }) => sent)))
    expect(lost).toBe(true)
    expect(cluster.bodies('team')).toEqual([first.msgId, 'second', 'third'])
    chat.close()
  })

  test('[M-43] [OB5] the delays between resends are those of RetryConfig, ±30 %', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice')
    const times: number[] = []
    cluster.fault = (frame) => {
      if (frame.t !== 'msg:R') return null
      times.push(harness.clock.monotonicMs())
      return 'drop'
    }
    const message = chat.conversation('team').send(1)
    await harness.clock.advance(600_000)
    expect(message.status).toBe('failed')
    expect(times).toHaveLength(11)
    const nominal = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]
    for (const [i, delay] of nominal.entries()) {
      const actual = times[i + 1]! - times[i]!
      expect(actual).toBeGreaterThanOrEqual(delay * 0.7 - 1)
      expect(actual).toBeLessThanOrEqual(Math.min(delay * 1.3, 60_000) + 1)
    }
    expect(message.status).toBe('failed')
    await expect(message.sent).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      outcome: 'unknown',
    })
    // Taken up again under the same id it reaches its true state.
    cluster.fault = () => null
    message.retry()
    expect(message.status).toBe('pending')
    await harness.clock.advance(100)
    expect(message.status).toBe('sent')
    expect(cluster.bodies('team')).toEqual([message.msgId])
    chat.close()
  })

  test('[OB6] OUTCOME_UNKNOWN, NO_LEADER and OVERLOADED are never a failure', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice')
    let count = 0
    cluster.fault = (frame) => {
      if (frame.t !== 'msg:R' || count++ >= 30) return null
      return FakeCluster.error(
        (['OUTCOME_UNKNOWN', 'NO_LEADER', 'OVERLOADED'] as const)[count % 3]!,
      )
    }
    const message = chat.conversation('team').send(1)
    await harness.within(60 * 60_000, message.sent)
    expect(count).toBe(31)
    chat.close()
  })

  test('[OB7] a verdict is final, costs one attempt, and does not hold up what follows', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    let refused = ''
    cluster.fault = (frame) =>
      frame.t === 'msg:R' && frame.msgId === refused ? FakeCluster.error('REJECTED_SPAM') : null
    const before = room.send('before')
    const spam = room.send('spam')
    refused = spam.msgId
    const after = room.send('after')
    await expect(harness.within(5000, spam.sent)).rejects.toMatchObject({
      code: 'REJECTED_SPAM',
      retryable: false,
      outcome: 'notApplied',
    })
    await harness.within(5000, Promise.all([before.sent, after.sent]))
    expect(cluster.bodies('team')).toEqual([before.msgId, after.msgId])
    expect(() => spam.retry()).toThrow(ChatError)
    const attempts = frames('msg:R').filter(
      ({ frame }) => frame.t === 'msg:R' && frame.msgId === refused,
    )
    expect(attempts).toHaveLength(1)
    chat.close()
  })

  test('[OB8] a full outbox says so, and what cannot be sent is refused at once', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice', { maxPending: 3 })
    const room = chat.conversation('team')
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'drop' : null)
    for (let i = 0; i < 3; i++) room.send(i)
    expect(() => room.send(4)).toThrow(expect.objectContaining({ code: 'OUTBOX_FULL' }))
    expect(() => room.send(() => 1)).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGE' }))
    expect(() => room.send('x'.repeat(70_000))).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }),
    )
    expect(() => room.send(1, { replyTo: 0 })).toThrow(
      expect.objectContaining({ code: 'INVALID_MESSAGE' }),
    )
    expect(() => chat.conversation('no spaces')).toThrow(
      expect.objectContaining({ code: 'INVALID_MESSAGE' }),
    )
    expect(chat.pending).toBe(3)
    chat.close()
  })

  test('[OB9] an own event settles a message whose answer was lost', async () => {
    cluster.group('team', 'alice', 'bob')
    const chat = await harness.connect('alice')
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'drop' : null)
    const message = chat.conversation('team').send('hi')
    await harness.clock.advance(20)
    cluster.broadcast({
      t: 'msg:N',
      conv: 'team',
      seq: 1,
      kind: 'message',
      ord: 1,
      msgId: message.msgId,
      from: 'alice',
      device: 'alice-phone',
      at: 7,
      body: encodeBody('hi'),
    })
    await expect(harness.within(100, message.sent)).resolves.toMatchObject({ seq: 1, at: 7 })
    chat.close()
  })

  test('[OB10] WINDOW_EXPIRED: the history decides', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const expired = new Set<string>()
    cluster.fault = (frame) =>
      frame.t === 'msg:R' && expired.has(frame.msgId) ? FakeCluster.error('WINDOW_EXPIRED') : null
    // Stored, but its answer was lost.
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'dropAnswer' : null)
    const stored = room.send('stored')
    await harness.clock.advance(10)
    cluster.fault = (frame) =>
      frame.t === 'msg:R' && expired.has(frame.msgId) ? FakeCluster.error('WINDOW_EXPIRED') : null
    expired.add(stored.msgId)
    await expect(harness.within(5000, stored.sent)).resolves.toMatchObject({
      seq: 1,
      duplicate: true,
    })
    // Not stored: a complete history lacks it, so it goes out anew.
    let times = 0
    let missingId = ''
    cluster.fault = (frame) =>
      frame.t === 'msg:R' && frame.msgId === missingId && times++ === 0
        ? FakeCluster.error('WINDOW_EXPIRED')
        : null
    const missing = room.send('missing')
    missingId = missing.msgId
    await expect(harness.within(5000, missing.sent)).resolves.toMatchObject({ seq: 2 })
    // Part of the history is gone: nobody can say.
    cluster.gapUpTo.set('team', 1)
    const lost = room.send('lost')
    expired.add(lost.msgId)
    cluster.fault = (frame) =>
      frame.t === 'msg:R' && expired.has(frame.msgId) ? FakeCluster.error('WINDOW_EXPIRED') : null
    await expect(harness.within(5000, lost.sent)).rejects.toMatchObject({ outcome: 'unknown' })
    chat.close()
  })

  test('[OB11] the next client with the same store sends what this one could not', async () => {
    cluster.group('team', 'alice')
    const store = new MemoryStore()
    const first = await harness.connect('alice', { store })
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'dropAnswer' : null)
    const messages = [1, 2, 3].map((i) => first.conversation('team').send(i))
    await harness.clock.advance(10)
    first.close()
    await expect(messages[0]!.sent).rejects.toMatchObject({ code: 'CLOSED', outcome: 'unknown' })
    cluster.fault = () => null
    const second = await harness.connect('alice', { store })
    const { restored } = second
    expect(restored.map((message) => message.body)).toEqual([1, 2, 3])
    await harness.within(1000, Promise.all(restored.map((message) => message.sent)))
    expect(cluster.bodies('team')).toEqual(messages.map((message) => message.msgId))
    // What nobody has yet waits for a receipt, or the word that it is kept.
    expect((await store.open('alice-phone')).messages).toHaveLength(3)
    await harness.clock.advance(45_000)
    expect((await store.open('alice-phone')).messages).toEqual([])
    second.close()
  })

  test('[OB12] direct messages share one order, by user or by id', async () => {
    const chat = await harness.connect('alice')
    const byUser = chat.direct('bob')
    await harness.within(100, byUser.send(1).sent)
    expect(byUser.id).toBe('d_alice_bob')
    const byId = chat.conversation('d_alice_bob')
    const messages = [byUser.send(2), byId.send(3), byUser.send(4)]
    await harness.within(1000, Promise.all(messages.map((message) => message.sent)))
    expect(cluster.bodies('d_alice_bob').slice(1)).toEqual(messages.map(({ msgId }) => msgId))
    chat.close()
  })

  test('[OB13] drain waits for every answer, then closes; close gives up at once', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const message = room.send(1)
    const draining = chat.drain()
    expect(() => room.send(2)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await harness.within(1000, draining)
    expect(message.status).toBe('sent')
    expect(chat.state.state).toBe('closed')
    await harness.clock.advance(60_000)
    expect(harness.clock.pendingTimers).toBe(0)
  })
})

describe('groups', () => {
  test('[CV1] create, change, list and leave', async () => {
    const chat = await harness.connect('alice')
    const room = await harness.within(
      1000,
      chat.createGroup({ members: ['bob'], name: 'Team', meta: { color: 'red' } }),
    )
    expect(room.id).toMatch(/^g_alice_/)
    const added = await harness.within(1000, room.add('carol'))
    expect(added!.members.map((member) => member.user)).toEqual(['alice', 'bob', 'carol'])
    expect(await harness.within(1000, room.set({ name: 'Crew' }))).toMatchObject({ name: 'Crew' })
    expect(await harness.within(1000, chat.conversations())).toHaveLength(1)
    expect(await harness.within(1000, room.leave())).toBeNull()
    await expect(harness.within(1000, chat.conversation('nope').info())).rejects.toMatchObject({
      code: 'GROUP_NOT_FOUND',
    })
    chat.close()
  })

  test('[CV3] what is kept, who sees it, who is blocked, and all members of a large group', async () => {
    const chat = await harness.connect('alice')
    const within = <T>(promise: Promise<T>): Promise<T> => harness.within(1000, promise)
    const room = await within(chat.createGroup({ members: ['bob', 'carol'] }))
    const plain = { retention: null, history: false, blocked: false, large: false }
    expect(await within(room.info())).toMatchObject({ ...plain, memberCount: 3, nextMembers: null })
    const retention = { preset: 'paper', maxCount: 5000 } as const
    const changed = await within(room.set({ retention, history: true }))
    expect(changed).toMatchObject({ retention, history: true, name: null })
    expect(await within(room.set({ retention: null }))).toMatchObject({ retention: null })

    const direct = chat.direct('bob')
    await within(direct.send('before').sent)
    await within(chat.block('bob'))
    // Blocks are of the user: they neither wait for what is said nor hold it up.
    await within(direct.send('after').sent)
    expect(await within(direct.info())).toMatchObject({ blocked: true })
    await within(chat.unblock('bob'))
    expect(await within(direct.info())).toMatchObject({ blocked: false })

    cluster.conversations.get(room.id!)!.pageMembers = 2
    const first = await within(room.info())
    expect(first).toMatchObject({ large: true, memberCount: 3, nextMembers: 2 })
    const rest = await within(room.info({ membersFrom: first.nextMembers! }))
    expect([...first.members, ...rest.members].map(({ user }) => user)).toEqual([
      ...['alice', 'bob', 'carol'],
    ])
    expect(rest.nextMembers).toBeNull()
    await expect(room.info({ membersFrom: -1 })).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    chat.close()
  })

  test('[CV2] a change whose answer was lost is made once', async () => {
    const chat = await harness.connect('alice')
    let count = 0
    cluster.fault = (frame) => (frame.t === 'conv:R' && count++ === 0 ? 'dropAnswer' : null)
    await harness.within(5000, chat.createGroup({ members: ['bob'] }))
    expect(count).toBe(2)
    expect(cluster.conversations.size).toBe(1)
    chat.close()
  })
})

describe('history', () => {
  test('[HI1] pages backwards, ascending within a page, complete', async () => {
    cluster.group('team', 'alice', 'bob')
    for (let i = 1; i <= 25; i++) cluster.post('team', 'bob', encodeBody(i))
    const chat = await harness.connect('alice')
    const seqs: number[][] = []
    let page = await harness.within(100, chat.conversation('team').history({ limit: 10 }))
    seqs.push(page.events.map((event) => event.seq))
    while (page.hasMore) {
      page = await harness.within(100, page.next())
      seqs.push(page.events.map((event) => event.seq))
    }
    expect(seqs.map((each) => each.length)).toEqual([10, 10, 5])
    expect([...seqs[2]!, ...seqs[1]!, ...seqs[0]!]).toEqual(
      Array.from({ length: 25 }, (_, i) => i + 1),
    )
    expect((await harness.within(100, page.next())).events).toEqual([])
    chat.close()
  })

  test('[HI4] a stream goes on from a page without a hole, whatever came in between', async () => {
    cluster.group('team', 'alice', 'bob')
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const post = () => cluster.post('team', 'bob', encodeBody('hi'))
    expect(await harness.within(100, room.history())).toMatchObject({ events: [], upTo: 0 })
    for (let i = 1; i <= 5; i++) post()
    const page = await harness.within(100, room.history({ limit: 2 }))
    expect(page).toMatchObject({ events: [{ seq: 4 }, { seq: 5 }], upTo: 5 })
    expect(await harness.within(100, page.next())).toMatchObject({ upTo: 3 })
    post()
    await harness.clock.advance(50)
    const { items } = collect(room.messages({ after: page.upTo }))
    post()
    await harness.clock.advance(50)
    expect(items.map(({ seq }) => seq)).toEqual([6, 7])
    chat.close()
  })

  test('[HI2] a read outlives the session, and has a limit', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice', { readTimeoutMs: 5000 })
    let count = 0
    cluster.fault = (frame) => (frame.t === 'pull:R' && count++ < 2 ? 'close' : null)
    const page = await harness.within(5000, chat.conversation('team').history())
    expect(page.events).toEqual([])
    cluster.fault = (frame) => (frame.t === 'pull:R' ? 'drop' : null)
    await expect(harness.within(10_000, chat.conversation('team').history())).rejects.toMatchObject(
      { code: 'TIMEOUT' },
    )
    chat.close()
  })

  test('[HI3] too many reads are refused, and take no stream with them', async () => {
    cluster.group('team', 'alice', 'bob')
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const { items } = collect(room.events())
    cluster.fault = (frame) => (frame.t === 'pull:R' ? 'drop' : null)
    const asked = Array.from({ length: 1_200 }, () => room.history().then(null, codeOf))
    await harness.clock.advance(100)
    const bob = await harness.connect('bob')
    bob.conversation('team').send('hello')
    cluster.disconnect()
    await harness.clock.advance(2_000)
    cluster.fault = () => null
    await harness.clock.advance(60_000)
    const refused = (await Promise.all(asked)).filter((answer) => answer === 'OVERLOADED')
    expect(refused).toHaveLength(200)
    expect(items.map((event) => event.body)).toContain('hello')
    chat.close()
    bob.close()
  })
})

const codeOf = (error: unknown): string => (error as { code: string }).code

test('[CN9] with nobody listening to anything it still heals, and ends without a trace', async () => {
  cluster.group('team', 'alice')
  const chat = await harness.connect('alice')
  const room = chat.conversation('team')
  for (let i = 0; i < 20; i++) {
    room.send(i)
    cluster.disconnect()
    await harness.clock.advance(50)
  }
  await harness.clock.advance(60_000)
  expect(cluster.bodies('team')).toHaveLength(20)
  chat.close()
})
