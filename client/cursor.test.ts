// What an application was shown, over the end of its process.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FakeCluster } from './testing/fake-cluster.ts'
import { collect, type Harness } from './testing/harness.ts'
import { Restarts } from './testing/restarts.ts'
import { SeededRandom } from './testing/virtual-clock.ts'

let place: Restarts
let harness: Harness
let cluster: FakeCluster
const rejections: unknown[] = []
const onRejection = (reason: unknown): void => void rejections.push(reason)

beforeEach(() => {
  place = new Restarts()
  ;({ harness, cluster } = place)
  rejections.length = 0
  process.on('unhandledRejection', onRejection)
})

afterEach(() => {
  process.off('unhandledRejection', onRejection)
  if (rejections.length > 0) throw new Error('unhandled rejections', { cause: rejections })
})

describe('the cursor', () => {
  test('[RS12] goes on after what was acknowledged; what was in hand comes again, marked', async () => {
    cluster.group('team', 'alice', 'bob')
    place.post(5)
    const first = await place.live()
    const seen: number[] = []
    const stream = first.chat.conversation('team').messages({ after: 'cursor' })
    for (let i = 0; i < 3; i++) {
      seen.push((await harness.within(1000, stream.next())).value!.seq)
    }
    first.kill()
    const second = await place.live()
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
    const third = await place.live()
    const { items: rest } = collect(third.chat.messages({ after: 'cursor' }))
    await harness.clock.advance(200)
    place.post(1)
    await harness.clock.advance(200)
    expect(rest.map(({ seq, redelivered }) => [seq, redelivered])).toEqual([[6, false]])
    third.chat.close()
  })

  test('[RS12] is moved by one stream at a time, and free again when that is left', async () => {
    cluster.group('team', 'alice', 'bob')
    place.post(2)
    const { chat } = await place.live()
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

  test('[RS12] ends with the client: what it could not record comes to the next one', async () => {
    cluster.group('team', 'alice', 'bob')
    place.post(5)
    const first = await place.live()
    const stream = first.chat.conversation('team').messages({ after: 'cursor' })
    expect((await harness.within(1000, stream.next())).value).toMatchObject({ seq: 1 })
    const next = stream.next()
    first.chat.close()
    expect(await harness.within(1000, next)).toMatchObject({ done: true })
    await harness.within(1000, first.chat.closed)
    const second = await place.live()
    const { items } = collect(second.chat.conversation('team').messages({ after: 'cursor' }))
    await harness.clock.advance(200)
    expect(items.map(({ seq, redelivered }) => [seq, redelivered])).toEqual([
      [2, false],
      [3, false],
      [4, false],
      [5, false],
    ])
    second.chat.close()
  })

  test('[RS13] a new epoch forgets it', async () => {
    cluster.group('team', 'alice', 'bob')
    place.post(4)
    const first = await place.live()
    collect(first.chat.conversation('team').messages({ after: 'cursor' }))
    await harness.clock.advance(200)
    first.kill()
    cluster.epoch = 'epoch-2'
    const second = await place.live()
    const { items } = collect(second.chat.conversation('team').messages({ after: 'cursor' }))
    await harness.clock.advance(200)
    expect(items.map(({ seq, redelivered }) => [seq, redelivered])).toEqual(
      [1, 2, 3, 4].map((seq) => [seq, false]),
    )
    second.kill()
    cluster.epoch = 'epoch-3'
    const third = await place.live()
    third.kill()
    // It is forgotten for good, not by the one client that noticed.
    const fourth = await place.live()
    const again = collect(fourth.chat.conversation('team').messages({ after: 'cursor' }))
    await harness.clock.advance(200)
    expect(again.items.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
    fourth.chat.close()
  })

  test('[RS13] what was fetched from the old history is not handed over in the new one', async () => {
    cluster.group('team', 'alice', 'bob')
    place.post(5)
    const { chat } = await place.live()
    const stream = chat.conversation('team').messages({ after: 'cursor' })
    expect((await harness.within(1000, stream.next())).value).toMatchObject({ seq: 1 })
    cluster.epoch = 'epoch-2'
    cluster.disconnect()
    await harness.clock.advance(10_000)
    const next = stream.next()
    place.post(1)
    expect((await harness.within(20_000, next)).value).toMatchObject({ seq: 6, redelivered: false })
    chat.close()
  })
})

describe('killed again and again, at any moment', () => {
  const seeds = Array.from({ length: 60 }, (_, i) => i + 1)

  test.each(seeds)('[RS14] seed %i: once, in order, nothing queued is missing', async (seed) => {
    place = new Restarts(seed)
    ;({ harness, cluster } = place)
    cluster.hasInboxes = seed % 2 === 0
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
      const { chat, kill } = await place.live({ retry: { initialDelayMs: 20 } }, (_, end) => {
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
        if (below(3) === 0) place.post(1)
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
