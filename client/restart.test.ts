// What a client keeps over the end of its process, with a database that crashes with it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChatClient } from './client.ts'
import type { ClientFailpoint } from './failpoints.ts'
import type { ChatOptions } from './options.ts'
import { encodeBody } from './protocol/body-codec.ts'
import type { MessageRequest } from './protocol/frames.ts'
import { DurableStore } from './store/durable-store.ts'
import { CrashDatabase } from './testing/crash-database.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import { Harness, collect } from './testing/harness.ts'
import { MortalPorts } from './testing/mortal-ports.ts'
import { SeededRandom } from './testing/virtual-clock.ts'

let harness: Harness
let cluster: FakeCluster
let database: CrashDatabase
const rejections: unknown[] = []
const onRejection = (reason: unknown): void => void rejections.push(reason)

const setUp = (seed: number): void => {
  harness = new Harness(seed)
  cluster = harness.cluster
  database = new CrashDatabase(harness.clock, new SeededRandom(seed))
}

beforeEach(() => {
  setUp(1)
  rejections.length = 0
  process.on('unhandledRejection', onRejection)
})

afterEach(() => {
  process.off('unhandledRejection', onRejection)
  if (rejections.length > 0) throw new Error('unhandled rejections', { cause: rejections })
})

interface Life {
  readonly chat: ChatClient
  /** As SIGKILL does: nothing more is done, and of what was being written some is kept. */
  readonly kill: () => void
}

let lives = 0

/** One life of alice's phone. `onHit` may kill it. */
async function live(
  more: Partial<ChatOptions> = {},
  onHit: (name: ClientFailpoint, kill: () => void) => void = () => {},
): Promise<Life> {
  const options = harness.options('alice')
  const ports = new MortalPorts(
    { ...options.ports!, random: new SeededRandom(1000 + ++lives) },
    { hit: (name) => onHit(name, kill) },
  )
  const kill = (): void => {
    ports.kill()
    database.crash()
  }
  const store = new DurableStore(database.open)
  const connecting = ChatClient.connect({
    ...options,
    ...{ ports, store, connectTimeoutMs: 0, ...more },
  })
  connecting.catch(() => {})
  await harness.clock.advance(30)
  return { chat: await connecting, kill }
}

const sends = (msgId: string): MessageRequest[] =>
  cluster.requests.flatMap(({ frame }) =>
    frame.t === 'msg:R' && frame.msgId === msgId ? [frame] : [],
  )
const dropMessages = (): void => {
  cluster.fault = (frame) => (frame.t === 'msg:R' ? 'drop' : null)
}

describe('the outbox', () => {
  test('[RS1] a message goes out only when the store has it, and `queued` says when that is', async () => {
    cluster.group('team', 'alice')
    const { chat } = await live()
    const writes = database.writes
    const message = chat.conversation('team').send(1)
    const seen: string[] = []
    void message.queued.then(() => seen.push(`queued ${database.writes - writes}`))
    void message.sent.then(() => seen.push(`sent ${database.writes - writes}`))
    await harness.clock.advance(50)
    // The second write is that it is settled.
    expect(seen).toEqual(['queued 1', 'sent 2'])
    chat.close()
  })

  test('[RS2] after a kill everything queued is sent again: same msgId, prev, body and since', async () => {
    cluster.group('team', 'alice')
    const first = await live()
    dropMessages()
    const messages = Array.from({ length: 5 }, (_, i) =>
      first.chat.conversation('team').send({ i }),
    )
    await harness.clock.advance(20)
    const before = messages.map(({ msgId }) => sends(msgId).at(-1)!)
    first.kill()
    await harness.clock.advance(100)
    cluster.fault = () => null
    cluster.requests.length = 0
    const { chat } = await live()
    await harness.within(2000, Promise.all(chat.restored.map(({ sent }) => sent)))
    const withoutId = (frame: MessageRequest) => ({ ...frame, id: 0 })
    expect(messages.map(({ msgId }) => withoutId(sends(msgId)[0]!))).toEqual(before.map(withoutId))
    expect(cluster.bodies('team')).toEqual(messages.map(({ msgId }) => msgId))
    chat.close()
  })

  test('[RS3] what was sent is not sent again; killed before that is on record it is a duplicate', async () => {
    cluster.group('team', 'alice')
    const first = await live()
    const room = first.chat.conversation('team')
    await harness.within(1000, room.send('settled').sent)
    first.kill()
    let answered = 0
    const second = await live({}, (name, kill) => {
      if (name === 'outbox.answered' && ++answered === 1) kill()
    })
    expect(second.chat.restored).toEqual([])
    const message = second.chat.conversation('team').send('answered')
    await harness.clock.advance(50)
    expect([answered, message.status]).toEqual([1, 'pending'])
    const third = await live()
    expect(third.chat.restored.map(({ msgId }) => msgId)).toEqual([message.msgId])
    const result = await harness.within(1000, third.chat.restored[0]!.sent)
    expect(result).toMatchObject({ seq: 2, duplicate: true })
    expect(cluster.bodies('team')).toHaveLength(2)
    third.kill()
    const fourth = await live()
    expect(fourth.chat.restored).toEqual([])
    fourth.chat.close()
  })

  test('[RS4] the window counts from the first socket, not from `send`: offline for days is no doubt', async () => {
    cluster.group('team', 'alice')
    for (const node of cluster.nodes) cluster.down.add(node)
    const first = await live()
    const message = first.chat.conversation('team').send('written on a plane')
    await harness.clock.advance(100)
    first.kill()
    cluster.logTime += 5 * 24 * 3_600_000
    const now = cluster.logTime
    cluster.down.clear()
    const second = await live()
    await harness.within(20_000, second.chat.restored[0]!.sent)
    const [frame] = sends(message.msgId)
    expect(frame!.since).toBeGreaterThanOrEqual(now)
    second.chat.close()
  })

  test('[RS4] the `since` is on record before the frame goes out', async () => {
    cluster.group('team', 'alice')
    for (const node of cluster.nodes) cluster.down.add(node)
    const first = await live()
    const { msgId } = first.chat.conversation('team').send('x')
    await harness.clock.advance(100)
    dropMessages()
    cluster.down.clear()
    await harness.clock.advance(20_000)
    const { since } = sends(msgId)[0]!
    first.kill()
    cluster.logTime += 60_000
    const second = await live()
    await harness.clock.advance(1000)
    expect(sends(msgId).at(-1)!.since).toBe(since)
    second.chat.close()
  })

  test('[RS5] WINDOW_EXPIRED after a restart: found, or proven absent, or unknown; never stored twice', async () => {
    cluster.group('team', 'alice')
    const first = await live()
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'dropAnswer' : null)
    const stored = first.chat.conversation('team').send('stored')
    await harness.clock.advance(20)
    first.kill()
    const expire = (msgId: string): void => {
      cluster.fault = (frame) =>
        frame.t === 'msg:R' && frame.msgId === msgId ? FakeCluster.error('WINDOW_EXPIRED') : null
    }
    expire(stored.msgId)
    const second = await live()
    const [found] = second.chat.restored
    expect(await harness.within(5000, found!.sent)).toMatchObject({ seq: 1, duplicate: true })
    dropMessages()
    const lost = second.chat.conversation('team').send('lost')
    await harness.clock.advance(20)
    second.kill()
    // A part of the history is gone: it may have held the message.
    cluster.gapUpTo.set('team', 1)
    expire(lost.msgId)
    const third = await live()
    const [unsure] = third.chat.restored
    await expect(harness.within(5000, unsure!.sent)).rejects.toMatchObject({
      code: 'WINDOW_EXPIRED',
      outcome: 'unknown',
    })
    expect(unsure!.msgId).toBe(lost.msgId)
    expect(cluster.bodies('team')).toEqual([stored.msgId])
    // Told once; whether to ask again is the application's to say.
    await harness.clock.advance(50)
    third.kill()
    const fourth = await live()
    expect(fourth.chat.restored).toEqual([])
    fourth.chat.close()
  })

  test('[RS6] direct messages by user and by id keep their one order over a restart', async () => {
    const first = await live()
    await harness.within(1000, first.chat.direct('bob').send(0).sent)
    dropMessages()
    const messages = [1, 2, 3, 4].map((n) =>
      (n % 2 === 0 ? first.chat.direct('bob') : first.chat.conversation('d_alice_bob')).send(n),
    )
    await harness.clock.advance(20)
    first.kill()
    cluster.fault = () => null
    const { chat } = await live({ window: 2 })
    await harness.within(2000, Promise.all(chat.restored.map(({ sent }) => sent)))
    expect(cluster.bodies('d_alice_bob').slice(1)).toEqual(messages.map(({ msgId }) => msgId))
    chat.close()
  })

  test('[RS7] full is full before anything is promised; what was promised is taken up all the same', async () => {
    cluster.group('team', 'alice')
    const first = await live()
    dropMessages()
    const messages = [1, 2, 3].map((n) => first.chat.conversation('team').send(n))
    await Promise.all([harness.clock.advance(20), ...messages.map(({ queued }) => queued)])
    first.kill()
    const { chat } = await live({ maxPending: 2 })
    expect(chat.restored).toHaveLength(3)
    expect(() => chat.conversation('team').send(4)).toThrow(
      expect.objectContaining({ code: 'OUTBOX_FULL', outcome: 'notApplied' }),
    )
    chat.close()
    await harness.within(100, chat.closed)
    const { chat: last } = await live()
    expect(last.restored.map(({ body }) => body)).toEqual([1, 2, 3])
    last.close()
  })

  test.each(['before', 'after'] as const)(
    '[RS8] a store that fails (%s its effect) ends the client; nothing unsaved was promised or sent',
    async (when) => {
      cluster.group('team', 'alice')
      const { chat } = await live()
      const kept = chat.conversation('team').send('kept')
      await harness.within(1000, kept.sent)
      database.fails = when
      const message = chat.conversation('team').send('x')
      const failed = { code: 'STORE_FAILED', outcome: 'unknown' }
      await expect(harness.within(1000, message.sent)).rejects.toMatchObject(failed)
      await expect(message.queued).rejects.toMatchObject(failed)
      expect(chat.state).toMatchObject({ state: 'closed', error: { code: 'STORE_FAILED' } })
      expect(sends(message.msgId)).toEqual([])
      database.fails = null
      await harness.within(100, chat.closed)
      const next = await live()
      expect(next.chat.restored).toHaveLength(when === 'before' ? 0 : 1)
      next.chat.close()
    },
  )

  test('[RS9] a store is not taken up in another user’s name', async () => {
    cluster.group('team', 'alice')
    const first = await live()
    first.kill()
    const store = () => new DurableStore(database.open)
    const mismatch = { code: 'STORE_MISMATCH' }
    const more = { device: 'alice-phone', store: store() }
    await expect(harness.connect('mallory', more)).rejects.toMatchObject(mismatch)
    const byToken = { ...more, store: store(), user: undefined, token: 'mallory' }
    await expect(harness.connect('mallory', byToken)).rejects.toMatchObject(mismatch)
    await harness.clock.advance(20)
    const { chat } = await live()
    chat.close()
  })

  test('[RS10] a cluster restored meanwhile is noticed, and recorded before anything goes out', async () => {
    cluster.group('team', 'alice')
    const first = await live()
    dropMessages()
    const { msgId } = first.chat.conversation('team').send('x')
    await harness.clock.advance(20)
    const since = sends(msgId)[0]!.since!
    first.kill()
    cluster.epoch = 'epoch-2'
    cluster.logTime = since - 100
    // Killed at any time after, the old `since` must not come back: it lies in the future now.
    const second = await live({}, (name, kill) => {
      if (name === 'socket.sent') kill()
    })
    let discontinuities = 0
    second.chat.conversation('team').on('discontinuity', () => discontinuities++)
    await harness.clock.advance(50)
    cluster.logTime += 1000
    cluster.fault = () => null
    const third = await live()
    third.chat.conversation('team').on('discontinuity', () => discontinuities++)
    await harness.within(1000, third.chat.restored[0]!.sent)
    expect(sends(msgId).at(-1)!.since).toBeLessThan(since)
    expect(discontinuities).toBeLessThanOrEqual(1)
    third.chat.close()
  })

  test('[RS11] the next client resumes from the mark of what was shown', async () => {
    cluster.group('team', 'alice')
    const first = await live()
    await harness.within(1000, first.chat.conversation('team').send(1).sent)
    first.kill()
    cluster.requests.length = 0
    const { chat } = await live()
    const hello = cluster.requests.find(({ frame }) => frame.t === 'hello:R')!
    expect(hello.frame).toMatchObject({ resume: { epoch: 'epoch-1' } })
    const { mark } = (hello.frame as { resume: { mark: string } }).resume
    expect(Number(mark.split(':')[1])).toBeGreaterThan(5_000_000)
    chat.close()
  })
})

const post = (count: number): void => {
  for (let i = 0; i < count; i++) cluster.post('team', 'bob', encodeBody(i))
}

describe('the cursor', () => {
  test('[RS12] goes on after what was acknowledged; what was in hand comes again, marked', async () => {
    cluster.group('team', 'alice', 'bob')
    post(5)
    const first = await live()
    const seen: number[] = []
    const stream = first.chat.conversation('team').messages({ after: 'cursor' })
    for (let i = 0; i < 3; i++) {
      seen.push((await harness.within(1000, stream.next())).value!.seq)
    }
    first.kill()
    const second = await live()
    const { items } = collect(second.chat.conversation('team').messages({ after: 'cursor' }))
    await harness.clock.advance(200)
    expect(seen).toEqual([1, 2, 3])
    expect(items.map(({ seq, redelivered }) => [seq, redelivered])).toEqual([
      [3, true],
      [4, false],
      [5, false],
    ])
    // All were acknowledged by asking for the next.
    second.kill()
    const third = await live()
    const { items: rest } = collect(third.chat.messages({ after: 'cursor' }))
    await harness.clock.advance(200)
    post(1)
    await harness.clock.advance(200)
    expect(rest.map(({ seq, redelivered }) => [seq, redelivered])).toEqual([[6, false]])
    third.chat.close()
  })

  test('[RS12] is moved by one stream at a time, and free again when that is left', async () => {
    cluster.group('team', 'alice', 'bob')
    post(2)
    const { chat } = await live()
    const room = chat.conversation('team')
    const stream = room.messages({ after: 'cursor' })
    await harness.within(1000, stream.next())
    const refused = { code: 'INVALID_MESSAGE' }
    const again = room.events({ after: 'cursor' }).next()
    await expect(harness.within(1000, again)).rejects.toMatchObject(refused)
    const all = chat.messages({ after: 'cursor' }).next()
    await expect(harness.within(1000, all)).rejects.toMatchObject(refused)
    await stream.return!()
    const next = await harness.within(1000, room.messages({ after: 'cursor' }).next())
    // Leaving is not asking for the next.
    expect(next.value).toMatchObject({ seq: 1, redelivered: true })
    chat.close()
  })

  test('[RS13] a new epoch forgets it', async () => {
    cluster.group('team', 'alice', 'bob')
    post(4)
    const first = await live()
    collect(first.chat.conversation('team').messages({ after: 'cursor' }))
    await harness.clock.advance(200)
    first.kill()
    cluster.epoch = 'epoch-2'
    const second = await live()
    const { items } = collect(second.chat.conversation('team').messages({ after: 'cursor' }))
    await harness.clock.advance(200)
    expect(items.map(({ seq, redelivered }) => [seq, redelivered])).toEqual(
      [1, 2, 3, 4].map((seq) => [seq, false]),
    )
    second.chat.close()
  })
})

describe('killed again and again, at any moment', () => {
  const seeds = Array.from({ length: 60 }, (_, i) => i + 1)

  test.each(seeds)('[RS14] seed %i: once, in order, nothing queued is missing', async (seed) => {
    setUp(seed)
    const random = new SeededRandom(seed * 7919)
    const below = (n: number): number => random.uint32() % n
    cluster.group('team', 'alice', 'bob')
    const queued: string[] = []
    const reported = new Map<string, number>()
    const shown: { seq: number; redelivered: boolean; life: number }[] = []
    let count = 0
    for (let life = 1; life <= 6; life++) {
      const isLast = life === 6
      let hitsLeft = isLast ? Infinity : 1 + below(60)
      let isDead = false
      cluster.fault = (frame) => {
        if (isLast || frame.t !== 'msg:R') return null
        return (['drop', 'dropAnswer', 'close', null, null, null] as const)[below(6)]!
      }
      const { chat, kill } = await live({ retry: { initialDelayMs: 20 } }, (_, end) => {
        if (--hitsLeft > 0 || isDead) return
        isDead = true
        end()
      })
      const watch = (message: (typeof chat.restored)[number]): void => {
        message.queued.then(
          () => {
            if (!isDead && !queued.includes(message.msgId)) queued.push(message.msgId)
          },
          () => {},
        )
        message.sent.then(
          ({ seq }) => {
            if (isDead) return
            // Settled for the application means settled for every later life.
            expect(reported.has(message.msgId)).toBe(false)
            reported.set(message.msgId, seq)
          },
          () => {},
        )
      }
      for (const message of chat.restored) watch(message)
      const room = chat.conversation('team')
      void (async () => {
        for await (const { seq, redelivered } of room.events({ after: 'cursor' })) {
          if (isDead) return await new Promise<void>(() => {})
          shown.push({ seq, redelivered, life })
        }
      })().catch(() => {})
      for (let round = 0; round < 8 && !isDead; round++) {
        for (let i = below(4); i > 0 && !isDead; i--) {
          const message = room.send(++count)
          if (!isDead) watch(message)
        }
        if (below(3) === 0) post(1)
        await harness.clock.advance(below(40))
      }
      if (isLast) {
        await harness.clock.advance(60_000)
        expect(chat.pending).toBe(0)
        chat.close()
        await harness.within(100, chat.closed)
      } else if (!isDead) {
        isDead = true
        kill()
      }
    }
    const stored = cluster.conversations.get('team')!.events
    const own = stored.filter(({ from }) => from === 'alice').map(({ msgId }) => msgId)
    expect(new Set(own).size).toBe(own.length)
    // In the order of the calls, and nothing that was promised is missing.
    expect(own.filter((msgId) => queued.includes(msgId))).toEqual(queued)
    for (const [msgId, seq] of reported) expect(stored[seq - 1]!.msgId).toBe(msgId)
    // Every event once, in order; again only what an earlier life had in hand.
    const fresh = shown.filter(({ redelivered }) => !redelivered).map(({ seq }) => seq)
    const all = shown.map(({ seq }) => seq)
    expect([...new Set(all)]).toEqual(stored.map(({ seq }) => seq))
    expect(new Set(fresh).size).toBe(fresh.length)
    shown.forEach(({ seq }, i) => {
      expect(i === 0 || seq === all[i - 1] || seq === all[i - 1]! + 1).toBe(true)
    })
  })
})
