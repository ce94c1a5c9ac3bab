import { describe, expect, it } from 'vitest'
import { CloseCode, decodeBody, encodeBody, type MessageNotice, type ServerFrame } from '#protocol'
import { accepted } from './testing/fake-backend.ts'
import { fixture } from './testing/fixture.ts'
import { type MemoryConnection } from './testing/memory-connection.ts'
import { conversation, errorOf, event, messageFrame } from './testing/samples.ts'

const seqs = (frames: readonly ServerFrame[]) =>
  frames.map((frame) => ('seq' in frame ? frame.seq : null))

describe('[M-13] push', () => {
  it('[GW22] pushes an event to every session of every member, once', async () => {
    const { clock, open, gateway } = fixture()
    const phone = await open('alice', 'phone')
    const laptop = await open('alice', 'laptop', {}, 'parley.v1.json')
    const bob = await open('bob', 'd1')
    const eve = await open('eve', 'd1')
    gateway.onEvent(conversation('c1', 'alice', 'bob', 'absent'), event(4, { replyTo: 2 }))
    await clock.settle()
    for (const client of [phone, laptop, bob]) {
      expect(client.frames).toEqual([
        {
          t: 'msg:N',
          conv: 'c1',
          seq: 4,
          kind: 'message',
          ord: 4,
          msgId: 'e4',
          from: 'bob',
          device: 'd9',
          at: 7,
          body: expect.anything() as unknown,
          replyTo: 2,
          mark: 'e1.a',
        },
      ])
      expect(decodeBody((client.last('msg:N') as MessageNotice).body!)).toBe('hi')
    }
    expect(eve.frames).toHaveLength(0)
  })

  it('[GW22] pushes an event without a body', async () => {
    const { clock, open, gateway } = fixture()
    const clients = [await open('alice'), await open('bob', 'd1', {}, 'parley.v1.json')]
    gateway.onEvent(conversation('c1', 'alice', 'bob'), event(1, { body: null, kind: 3 }))
    await clock.settle()
    for (const client of clients) {
      expect(client.frames[0]).toMatchObject({ seq: 1, kind: 'recall' })
      expect(client.frames[0]).not.toHaveProperty('body')
    }
  })

  it.each(['event first', 'result first'])(
    '[GW22] tells the sending session by msg:A alone, other devices by msg:N: %s',
    async (order) => {
      const { clock, open, gateway, backend } = fixture()
      const sending = await open('alice', 'phone')
      const other = await open('alice', 'laptop')
      sending.write(messageFrame(1, 'mine'))
      const { submission, done } = backend.submissions[0]!
      const stored = event(1, { from: 'alice', device: 'phone', msgId: 'mine' })
      const steps = [
        () => gateway.onEvent(conversation('c1', 'alice'), stored),
        () => done(accepted(submission)),
      ]
      if (order === 'result first') steps.reverse()
      for (const step of steps) step()
      await clock.settle()
      expect(sending.frames.map(({ t }) => t)).toEqual(['msg:A'])
      expect(other.frames.map(({ t }) => t)).toEqual(['msg:N'])
      // The same msgId decided later, with no answer to come, is news to this session.
      gateway.onEvent(conversation('c2', 'alice'), stored)
      await clock.settle()
      expect(sending.frames.map(({ t }) => t)).toEqual(['msg:A', 'msg:N'])
    },
  )

  it('[GW22] counts copies of one msgId that are in flight together', async () => {
    const { clock, open, gateway, backend } = fixture()
    const client = await open('alice', 'phone')
    client.write(messageFrame(1, 'mine'), messageFrame(2, 'mine'))
    const [first, second] = backend.submissions
    first!.done({ ok: false, msgId: 'mine', code: 'OVERLOADED', message: '', now: 1 })
    await clock.settle()
    const stored = event(1, { from: 'alice', device: 'phone', msgId: 'mine' })
    gateway.onEvent(conversation('c1', 'alice'), stored)
    second!.done(accepted(second!.submission))
    await clock.settle()
    expect(client.frames.map(({ t }) => t)).toEqual(['msg:A', 'msg:A'])
  })

  it('[GW22] pushes nothing to a session that has not been greeted', async () => {
    const { clock, connect, gateway, backend } = fixture()
    const client = connect()
    const resume = { epoch: 'e1', mark: 'e1.b' }
    client.write({ t: 'hello:R', id: 0, v: [1, 1], device: 'd1', user: 'alice', resume })
    gateway.onEvent(conversation('c1', 'alice'), event(1))
    backend.apply(11)
    await clock.settle()
    gateway.onEvent(conversation('c1', 'alice'), event(2))
    await clock.settle()
    expect(client.frames.map(({ t }) => t)).toEqual(['hello:A', 'caughtup:N', 'msg:N'])
    expect(client.last('msg:N').seq).toBe(2)
  })

  it('[GW22] sends bare notifies, merged by conversation, to a session that asked for them', async () => {
    const { clock, open, gateway } = fixture()
    const client = await open('alice', 'd1', { mode: 'notify' })
    gateway.onEvent(conversation('c1', 'alice'), event(1))
    gateway.onEvent(conversation('c2', 'alice'), event(5))
    gateway.onEvent(conversation('c1', 'alice'), event(2))
    await clock.settle()
    expect(client.frames).toEqual([{ t: 'msg:N', conv: 'c1', seq: 1, mark: 'e1.a' }])
    await clock.advance(50)
    expect(client.frames.slice(1)).toEqual([
      { t: 'msg:N', conv: 'c2', seq: 5 },
      { t: 'msg:N', conv: 'c1', seq: 2, mark: 'e1.a' },
    ])
  })

  it('[GW20] keeps apply order over answers and events, in one message', async () => {
    const { clock, open, gateway, backend } = fixture()
    const client = await open('alice', 'phone')
    client.write(messageFrame(1, 'mine'))
    gateway.onEvent(conversation('c1', 'alice'), event(1))
    backend.submissions[0]!.done(accepted(backend.submissions[0]!.submission, 2))
    gateway.onEvent(conversation('c1', 'alice'), event(3))
    await clock.settle()
    expect(client.messages).toHaveLength(1)
    expect(seqs(client.frames)).toEqual([1, 2, 3])
  })

  it('[GW20] splits a burst into bounded messages, each marked at its end', async () => {
    const { clock, open, gateway } = fixture()
    const client = await open('alice')
    const body = encodeBody('x'.repeat(60_000))
    for (let seq = 1; seq <= 10; seq++) {
      gateway.onEvent(conversation('c1', 'alice'), event(seq, { body }))
    }
    await clock.settle()
    expect(client.messages.length).toBeGreaterThan(1)
    expect(Math.max(...client.sizes)).toBeLessThan(400_000)
    expect(seqs(client.frames)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    for (const message of client.messages) expect(message.at(-1)).toHaveProperty('mark', 'e1.a')
  })

  it('[GW21] marks with the state as it is when the message leaves', async () => {
    const { clock, open, gateway, backend } = fixture()
    const client = await open('alice')
    gateway.onEvent(conversation('c1', 'alice'), event(1))
    backend.apply(12)
    await clock.settle()
    expect(client.frames.at(-1)).toHaveProperty('mark', 'e1.c')
  })

  it('[GW21] marks nothing that shows no state', async () => {
    const { clock, open, gateway } = fixture()
    const client = await open('alice')
    gateway.leaderChanged()
    await clock.settle()
    expect(client.frames).toEqual([
      { t: 'leader:N', leader: { id: 'n2', url: 'http://127.0.0.1:7402' } },
    ])
  })

  it('[GW23] shares one encoding among all sessions of a subprotocol', async () => {
    const { clock, open, gateway } = fixture()
    for (let i = 0; i < 50; i++) await open('alice', `d${i}`)
    let bodyReads = 0
    const counted = event(1)
    const observed = new Proxy(counted, {
      get: (target, name) => {
        if (name === 'body') bodyReads++
        return Reflect.get(target, name) as unknown
      },
    })
    gateway.onEvent(conversation('c1', 'bob'), observed)
    await clock.settle()
    expect(bodyReads).toBe(0)
    gateway.onEvent(conversation('c1', 'alice'), observed)
    await clock.settle()
    expect(bodyReads).toBe(1)
  })

  it('[GW23] does not even visit the members while nobody is connected', () => {
    const { gateway } = fixture()
    let visited = false
    const watched = { ...conversation('c1'), forEachMember: () => void (visited = true) }
    gateway.onEvent(watched, event(1))
    expect(visited).toBe(false)
  })

  it('[GW20] writes to so many sessions per turn and no more', async () => {
    const { clock, open, gateway } = fixture({ flushSlice: 10 })
    const clients: MemoryConnection[] = []
    for (let i = 0; i < 25; i++) clients.push(await open('alice', `d${i}`))
    gateway.onEvent(conversation('c1', 'alice'), event(1))
    const written = () => clients.filter((client) => client.frames.length > 0).length
    clock.turn()
    expect(written()).toBe(10)
    clock.turn()
    expect(written()).toBe(20)
    clock.turn()
    expect(written()).toBe(25)
  })

  it('[GW25] tells every open session of a new leader, and of none', async () => {
    const { clock, open, connect, gateway, backend } = fixture()
    const client = await open('alice', 'd1', {}, 'parley.v1.json')
    const silent = connect()
    backend.leaderNode = null
    gateway.leaderChanged()
    await clock.settle()
    expect(client.frames).toEqual([{ t: 'leader:N', leader: null }])
    expect(silent.frames).toHaveLength(0)
  })

  it('[GW26] sends everyone away after a snapshot', async () => {
    const { open, gateway } = fixture()
    const client = await open('alice')
    gateway.resync()
    expect(client.closed?.code).toBe(CloseCode.drain)
    expect(gateway.sessionCount).toBe(0)
  })
})

describe('slow consumers', () => {
  const body = encodeBody('x'.repeat(1_000))
  const group = conversation('c1', 'alice')

  it('[GW24] get merged notifies when they have caught up, then events again', async () => {
    const { clock, open, gateway } = fixture({ slowBytes: 5_000 })
    const client = await open('alice')
    client.reading = false
    for (let seq = 1; seq <= 20; seq++) {
      gateway.onEvent(group, event(seq, { body }))
      await clock.settle()
    }
    gateway.onEvent(conversation('c2', 'alice'), event(7, { body }))
    await clock.settle()
    const full = client.frames.length
    expect(full).toBeLessThan(6)
    expect(client.bufferedBytes()).toBeLessThanOrEqual(5_000)
    await clock.advance(1_000)
    expect(client.frames).toHaveLength(full)
    client.drain()
    await clock.advance(100)
    expect(client.frames.slice(full)).toEqual([
      { t: 'msg:N', conv: 'c1', seq: 20 },
      { t: 'msg:N', conv: 'c2', seq: 7, mark: 'e1.a' },
    ])
    gateway.onEvent(group, event(21, { body }))
    await clock.settle()
    expect(client.last('msg:N')).toMatchObject({ seq: 21, kind: 'message' })
    expect(client.closed).toBeNull()
  })

  it('[GW24] hold up nobody else', async () => {
    const { clock, open, gateway } = fixture({ slowBytes: 5_000 })
    const slow = await open('alice', 'slow')
    const fast = await open('alice', 'fast')
    slow.reading = false
    for (let seq = 1; seq <= 20; seq++) gateway.onEvent(group, event(seq, { body }))
    await clock.settle()
    // Within one turn both are bounded alike; from then on only who does not read stays behind.
    await clock.advance(100)
    for (let seq = 21; seq <= 24; seq++) gateway.onEvent(group, event(seq, { body }))
    await clock.settle()
    expect(seqs(fast.frames).slice(-4)).toEqual([21, 22, 23, 24])
    expect(seqs(slow.frames)).not.toContain(21)
  })

  it('[GW24] are closed past the hard bound, and what waited is dropped', async () => {
    const { clock, open, gateway, backend } = fixture({ slowBytes: 2_000, maxQueuedBytes: 10_000 })
    const client = await open('alice')
    client.reading = false
    backend.answer = (submission) => accepted(submission)
    for (let id = 1; id <= 400; id++) {
      client.write(messageFrame(id))
      await clock.settle()
      if (client.closed !== null) break
    }
    expect(client.closed?.code).toBe(CloseCode.slowConsumer)
    expect(client.bufferedBytes()).toBeLessThan(11_000)
    expect(gateway.sessionCount).toBe(0)
  })

  it('[GW24] get nothing more once they are past it', async () => {
    const { clock, open, gateway } = fixture({ maxQueuedBytes: 5_000 })
    const client = await open('alice')
    for (let seq = 1; seq <= 1_000; seq++) gateway.onEvent(group, event(seq))
    await clock.settle()
    expect(client.closed?.code).toBe(CloseCode.slowConsumer)
    expect(client.frames).toHaveLength(0)
  })

  it('[GW24] are closed when too many conversations wait for a notify', async () => {
    const { clock, open, gateway } = fixture({ slowBytes: 1, maxPendingNotifies: 3 })
    const client = await open('alice')
    for (let i = 1; i <= 3; i++) gateway.onEvent(conversation(`c${i}`, 'alice'), event(1))
    await clock.settle()
    expect(client.closed).toBeNull()
    gateway.onEvent(conversation('c4', 'alice'), event(1))
    await clock.settle()
    expect(client.closed?.code).toBe(CloseCode.slowConsumer)
  })

  it('[GW24] have their reads wait until they have caught up', async () => {
    const { clock, open, backend } = fixture({ slowBytes: 3_000 })
    backend.state.events.set(
      'c1',
      [1, 2, 3, 4, 5].map((seq) => event(seq, { body })),
    )
    const client = await open('alice')
    client.reading = false
    client.write({ t: 'pull:R', id: 1, conv: 'c1', after: 0, limit: 10 })
    await clock.settle()
    client.write({ t: 'pull:R', id: 2, conv: 'c1', after: 0, limit: 10 })
    await clock.advance(1_000)
    expect(client.frames).toHaveLength(1)
    client.drain()
    await clock.advance(100)
    expect(client.last('pull:A')).toMatchObject({ id: 2 })
  })
})

describe('drain', () => {
  it('[GW9] tells everyone where to go, answers what is in flight, then closes', async () => {
    const { clock, open, connect, gateway, backend } = fixture()
    const idle = await open('alice')
    const busy = await open('bob')
    const silent = connect()
    busy.write(messageFrame(1))
    let done = false
    void gateway.drain(10_000).then(() => (done = true))
    await clock.settle()
    expect(silent.closed?.code).toBe(CloseCode.drain)
    expect(errorOf(silent.last('error:N')).code).toBe('DRAINING')
    const urls = [idle, busy].map((client) => client.last('goaway:N').url)
    expect(urls).toEqual(['http://127.0.0.1:7402', 'http://127.0.0.1:7403'])
    await clock.advance(1_000)
    expect(idle.closed?.code).toBe(CloseCode.drain)
    expect(busy.closed).toBeNull()
    busy.write(messageFrame(2))
    await clock.settle()
    expect(busy.last('msg:A')).toMatchObject({ id: 2, error: { code: 'DRAINING' } })
    backend.submissions[0]!.done(accepted(backend.submissions[0]!.submission))
    await clock.advance(100)
    expect(busy.last('msg:A')).toMatchObject({ id: 1, seq: 1 })
    expect(busy.closed?.code).toBe(CloseCode.drain)
    expect(done).toBe(true)
  })

  it('[GW9] ends at the deadline whatever is in flight', async () => {
    const { clock, open, gateway } = fixture()
    const busy = await open('bob')
    busy.write(messageFrame(1))
    let done = false
    void gateway.drain(3_000).then(() => (done = true))
    await clock.advance(2_900)
    expect(done).toBe(false)
    await clock.advance(200)
    expect(busy.closed?.code).toBe(CloseCode.drain)
    expect(done).toBe(true)
  })

  it('[GW9] ends at once if no time is given', async () => {
    const { open, gateway } = fixture()
    const client = await open('alice')
    await gateway.drain(0)
    expect(client.closed?.code).toBe(CloseCode.drain)
  })

  it('[GW9] lets nobody in', async () => {
    const { clock, connect, gateway } = fixture()
    await gateway.drain(1_000)
    expect(gateway.handlers.admit(connect().head, true)?.status).toBe(503)
    expect(gateway.handlers.admit(connect().head, false)).toBeNull()
    const late = connect()
    await clock.settle()
    expect(errorOf(late.last('error:N')).code).toBe('DRAINING')
    expect(late.closed?.code).toBe(CloseCode.drain)
  })

  it('[GW9] refuses a hello:R whose mark came while the drain began', async () => {
    const { clock, connect, gateway, backend } = fixture()
    const client = connect()
    const resume = { epoch: 'e1', mark: 'e1.b' }
    client.write({ t: 'hello:R', id: 0, v: [1, 1], device: 'd1', user: 'alice', resume })
    const drained = gateway.drain(1_000)
    backend.apply(11)
    await clock.settle()
    await drained
    expect(client.closed?.code).toBe(CloseCode.drain)
    expect(client.frames.some((frame) => frame.t === 'hello:A' && !('error' in frame))).toBe(false)
  })

  it('[GW9] spreads the reconnects', async () => {
    let draw = 0
    const random = { uint32: () => (draw += 2 ** 24) >>> 0, bytes: () => new Uint8Array(0) }
    const { clock, open, gateway } = fixture({}, { random })
    const clients: MemoryConnection[] = []
    for (let i = 0; i < 60; i++) clients.push(await open('alice', `d${i}`))
    const drained = gateway.drain(10_000)
    await clock.advance(50)
    const times = new Set(clients.map((client) => client.last('goaway:N').reconnectAfterMs))
    expect(times.size).toBeGreaterThan(20)
    expect(Math.max(...times)).toBeLessThanOrEqual(400)
    await clock.advance(1_000)
    await drained
  })
})
