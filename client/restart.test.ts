// What a client keeps over the end of its process, with a database that crashes with it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MessageRequest } from './protocol/frames.ts'
import { EMPTY_SESSION } from './store/client-store.ts'
import { DurableStore } from './store/durable-store.ts'
import type { CrashDatabase } from './testing/crash-database.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import type { Harness } from './testing/harness.ts'
import { Restarts } from './testing/restarts.ts'
import { settled } from './testing/virtual-clock.ts'

let place: Restarts
let harness: Harness
let cluster: FakeCluster
let database: CrashDatabase
const rejections: unknown[] = []
const onRejection = (reason: unknown): void => void rejections.push(reason)

beforeEach(() => {
  place = new Restarts()
  ;({ harness, cluster, database } = place)
  rejections.length = 0
  process.on('unhandledRejection', onRejection)
})

afterEach(() => {
  process.off('unhandledRejection', onRejection)
  if (rejections.length > 0) throw new Error('unhandled rejections', { cause: rejections })
})

describe('the outbox', () => {
  test('[RS1] a message goes out only when the store has it, and `queued` says when that is', async () => {
    cluster.group('team', 'alice')
    const { chat } = await place.live()
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
    const first = await place.live()
    place.dropMessages()
    const messages = Array.from({ length: 5 }, (_, i) =>
      first.chat.conversation('team').send({ i }),
    )
    await harness.clock.advance(20)
    const before = messages.map(({ msgId }) => place.sends(msgId).at(-1)!)
    first.kill()
    await harness.clock.advance(100)
    cluster.fault = () => null
    cluster.requests.length = 0
    const { chat } = await place.live()
    await harness.within(2000, Promise.all(chat.restored.map(({ sent }) => sent)))
    const withoutId = (frame: MessageRequest) => ({ ...frame, id: 0 })
    expect(messages.map(({ msgId }) => withoutId(place.sends(msgId)[0]!))).toEqual(
      before.map(withoutId),
    )
    expect(cluster.bodies('team')).toEqual(messages.map(({ msgId }) => msgId))
    chat.close()
  })

  test('[RS3] what was sent is not sent again; killed before that is on record it is a duplicate', async () => {
    cluster.group('team', 'alice')
    const first = await place.live()
    const room = first.chat.conversation('team')
    await harness.within(1000, room.send('settled').sent)
    first.kill()
    let answered = 0
    const second = await place.live({}, (name, kill) => {
      if (name === 'outbox.answered' && ++answered === 1) kill()
    })
    expect(second.chat.restored).toEqual([])
    const message = second.chat.conversation('team').send('answered')
    await harness.clock.advance(50)
    expect([answered, message.status]).toEqual([1, 'pending'])
    const third = await place.live()
    expect(third.chat.restored.map(({ msgId }) => msgId)).toEqual([message.msgId])
    const result = await harness.within(1000, third.chat.restored[0]!.sent)
    expect(result).toMatchObject({ seq: 2, duplicate: true })
    expect(cluster.bodies('team')).toHaveLength(2)
    third.kill()
    const fourth = await place.live()
    expect(fourth.chat.restored).toEqual([])
    fourth.chat.close()
  })

  test('[RS4] the window counts from the first socket, not from `send`: offline for days is no doubt', async () => {
    cluster.group('team', 'alice')
    for (const node of cluster.nodes) cluster.down.add(node)
    const first = await place.live()
    const message = first.chat.conversation('team').send('written on a plane')
    await harness.clock.advance(100)
    first.kill()
    cluster.logTime += 5 * 24 * 3_600_000
    const now = cluster.logTime
    cluster.down.clear()
    const second = await place.live()
    await harness.within(20_000, second.chat.restored[0]!.sent)
    const [frame] = place.sends(message.msgId)
    expect(frame!.since).toBeGreaterThanOrEqual(now)
    second.chat.close()
  })

  test('[RS4] the `since` is on record before the frame goes out', async () => {
    cluster.group('team', 'alice')
    for (const node of cluster.nodes) cluster.down.add(node)
    const first = await place.live()
    const { msgId } = first.chat.conversation('team').send('x')
    await harness.clock.advance(100)
    place.dropMessages()
    cluster.down.clear()
    await harness.clock.advance(20_000)
    const { since } = place.sends(msgId)[0]!
    first.kill()
    cluster.logTime += 60_000
    const second = await place.live()
    await harness.clock.advance(1000)
    expect(place.sends(msgId).at(-1)!.since).toBe(since)
    second.chat.close()
  })

  test('[RS5] WINDOW_EXPIRED after a restart: found, or proven absent, or unknown; never stored twice', async () => {
    cluster.group('team', 'alice')
    const first = await place.live()
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'dropAnswer' : null)
    const stored = first.chat.conversation('team').send('stored')
    await harness.clock.advance(20)
    first.kill()
    const expire = (msgId: string): void => {
      cluster.fault = (frame) =>
        frame.t === 'msg:R' && frame.msgId === msgId ? FakeCluster.error('WINDOW_EXPIRED') : null
    }
    expire(stored.msgId)
    const second = await place.live()
    const [found] = second.chat.restored
    expect(await harness.within(5000, found!.sent)).toMatchObject({ seq: 1, duplicate: true })
    place.dropMessages()
    const lost = second.chat.conversation('team').send('lost')
    await harness.clock.advance(20)
    second.kill()
    // A part of the history is gone: it may have held the message.
    cluster.gapUpTo.set('team', 1)
    expire(lost.msgId)
    const third = await place.live()
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
    const fourth = await place.live()
    expect(fourth.chat.restored).toEqual([])
    fourth.chat.close()
  })

  test('[RS6] direct messages by user and by id keep their one order over a restart', async () => {
    const first = await place.live()
    await harness.within(1000, first.chat.direct('bob').send(0).sent)
    place.dropMessages()
    const messages = [1, 2, 3, 4].map((n) =>
      (n % 2 === 0 ? first.chat.direct('bob') : first.chat.conversation('d_alice_bob')).send(n),
    )
    await harness.clock.advance(20)
    first.kill()
    cluster.fault = () => null
    const { chat } = await place.live({ window: 2 })
    await harness.within(2000, Promise.all(chat.restored.map(({ sent }) => sent)))
    expect(cluster.bodies('d_alice_bob').slice(1)).toEqual(messages.map(({ msgId }) => msgId))
    chat.close()
  })

  test('[RS2] a repeated message lets no later one overtake after a restart either (OB14)', async () => {
    cluster.group('team', 'alice')
    const first = await place.live()
    const room = first.chat.conversation('team')
    const old = room.send('old')
    await harness.within(1000, old.sent)
    place.dropMessages()
    const messages = [room.send(1), room.send('old', { msgId: old.msgId }), room.send(2)]
    await harness.clock.advance(20)
    first.kill()
    let lost = 0
    cluster.fault = (frame) =>
      frame.t === 'msg:R' && frame.msgId === messages[0]!.msgId && lost++ === 0 ? 'drop' : null
    const { chat } = await place.live({ retry: { initialDelayMs: 50 } })
    await harness.within(5000, Promise.all(chat.restored.map(({ sent }) => sent)))
    const ids = [old, messages[0]!, messages[2]!].map(({ msgId }) => msgId)
    expect(cluster.bodies('team')).toEqual(ids)
    chat.close()
  })

  test('[RS4] a session that ends before its beginning is on record sends nothing', async () => {
    cluster.group('team', 'alice')
    for (const node of cluster.nodes) cluster.down.add(node)
    const { chat } = await place.live()
    const message = chat.conversation('team').send('x')
    await harness.clock.advance(100)
    database.latencyMs = 100_000
    cluster.down.clear()
    while (cluster.sessions.length === 0) await harness.clock.advance(10)
    await harness.clock.advance(10)
    for (const node of cluster.nodes) cluster.down.add(node)
    cluster.disconnect()
    await harness.clock.advance(100_000)
    expect(place.sends(message.msgId)).toEqual([])
    cluster.down.clear()
    await harness.clock.advance(10_000)
    expect(place.sends(message.msgId)).toHaveLength(1)
    chat.close()
  })

  test('[RS8] what waits behind a write that failed is not written', async () => {
    const store = new DurableStore(database.open)
    await harness.within(100, store.open('phone'))
    database.fails = 'before'
    const { writes } = database
    const session = (user: string) => ({ session: { ...EMPTY_SESSION, user } })
    const first = store.write(session('ann'))
    await settled()
    const second = store.write(session('bob'))
    const both = Promise.allSettled([first, second])
    await harness.clock.advance(20)
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await expect(store.write(session('eve'))).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(database.writes - writes).toBe(1)
    await store.close()
  })

  test('[RS7] full is full before anything is promised; what was promised is taken up all the same', async () => {
    cluster.group('team', 'alice')
    const first = await place.live()
    place.dropMessages()
    const messages = [1, 2, 3].map((n) => first.chat.conversation('team').send(n))
    await Promise.all([harness.clock.advance(20), ...messages.map(({ queued }) => queued)])
    first.kill()
    const { chat } = await place.live({ maxPending: 2 })
    expect(chat.restored).toHaveLength(3)
    expect(() => chat.conversation('team').send(4)).toThrow(
      expect.objectContaining({ code: 'OUTBOX_FULL', outcome: 'notApplied' }),
    )
    chat.close()
    await harness.within(100, chat.closed)
    const { chat: last } = await place.live()
    expect(last.restored.map(({ body }) => body)).toEqual([1, 2, 3])
    last.close()
  })

  test.each(['before', 'after'] as const)(
    '[RS8] a store that fails (%s its effect) ends the client; nothing unsaved was promised or sent',
    async (when) => {
      cluster.group('team', 'alice')
      const { chat } = await place.live()
      const kept = chat.conversation('team').send('kept')
      await harness.within(1000, kept.sent)
      database.fails = when
      const message = chat.conversation('team').send('x')
      const failed = { code: 'STORE_FAILED', outcome: 'unknown' }
      await expect(harness.within(1000, message.sent)).rejects.toMatchObject(failed)
      await expect(message.queued).rejects.toMatchObject(failed)
      expect(chat.state).toMatchObject({ state: 'closed', error: { code: 'STORE_FAILED' } })
      expect(place.sends(message.msgId)).toEqual([])
      database.fails = null
      await harness.within(100, chat.closed)
      const next = await place.live()
      expect(next.chat.restored).toHaveLength(when === 'before' ? 0 : 1)
      next.chat.close()
    },
  )

  test('[RS9] a store is not taken up in another user’s name', async () => {
    cluster.group('team', 'alice')
    const first = await place.live()
    first.kill()
    const store = () => new DurableStore(database.open)
    const mismatch = { code: 'STORE_MISMATCH' }
    const more = { device: 'alice-phone', store: store() }
    await expect(harness.connect('mallory', more)).rejects.toMatchObject(mismatch)
    const byToken = { ...more, store: store(), user: undefined, token: 'mallory' }
    await expect(harness.connect('mallory', byToken)).rejects.toMatchObject(mismatch)
    await harness.clock.advance(20)
    const { chat } = await place.live()
    chat.close()
  })

  test('[RS10] a cluster restored meanwhile is noticed, and recorded before anything goes out', async () => {
    cluster.group('team', 'alice')
    const first = await place.live()
    place.dropMessages()
    const { msgId } = first.chat.conversation('team').send('x')
    await harness.clock.advance(20)
    const since = place.sends(msgId)[0]!.since!
    first.kill()
    cluster.epoch = 'epoch-2'
    cluster.logTime = since - 100
    // Killed at any time after, the old `since` must not come back: it lies in the future now.
    const second = await place.live({}, (name, kill) => {
      if (name === 'socket.sent') kill()
    })
    let discontinuities = 0
    second.chat.conversation('team').on('discontinuity', () => discontinuities++)
    await harness.clock.advance(50)
    cluster.logTime += 1000
    cluster.fault = () => null
    const third = await place.live()
    third.chat.conversation('team').on('discontinuity', () => discontinuities++)
    await harness.within(1000, third.chat.restored[0]!.sent)
    expect(place.sends(msgId).at(-1)!.since).toBeLessThan(since)
    expect(discontinuities).toBeLessThanOrEqual(1)
    third.chat.close()
  })

  test('[RS11] the next client resumes from the mark of what was shown', async () => {
    cluster.group('team', 'alice')
    const first = await place.live()
    await harness.within(1000, first.chat.conversation('team').send(1).sent)
    first.kill()
    cluster.requests.length = 0
    const { chat } = await place.live()
    const hello = cluster.requests.find(({ frame }) => frame.t === 'hello:R')!
    expect(hello.frame).toMatchObject({ resume: { epoch: 'epoch-1' } })
    const { mark } = (hello.frame as { resume: { mark: string } }).resume
    expect(Number(mark.split(':')[1])).toBeGreaterThan(5_000_000)
    chat.close()
  })
})
