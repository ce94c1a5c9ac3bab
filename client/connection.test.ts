import { beforeEach, describe, expect, test } from 'vitest'
import { ChatClient } from './client.ts'
import { CONNECTION_TABLE, nextState, type ConnectionState } from './connection-states.ts'
import { Endpoints, webSocketUrl } from './endpoints.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import { Harness, collect } from './testing/harness.ts'
import { SeededRandom } from './testing/virtual-clock.ts'

let harness: Harness
let cluster: FakeCluster

beforeEach(() => {
  harness = new Harness()
  cluster = harness.cluster
})

const hellos = () => cluster.requests.filter(({ frame }) => frame.t === 'hello:R')
const nodeOf = (): string => cluster.sessions[0]!.node

describe('[CN1] the state table', () => {
  test('every state but closed can be closed, and closed is the end', () => {
    for (const state of Object.keys(CONNECTION_TABLE) as ConnectionState[]) {
      expect(nextState(state, 'close')).toBe(state === 'closed' ? null : 'closed')
      expect(nextState('closed', 'open')).toBeNull()
    }
  })

  test('a session stands only after socket and hello', () => {
    const path = (['open', 'opened', 'greeted'] as const).reduce<ConnectionState>(
      (state, event) => nextState(state, event)!,
      'idle',
    )
    expect(path).toBe('online')
    expect(() => nextState('idle', 'greeted')).toThrow(/invariant/)
  })

  test('whatever is lost waits for its next attempt', () => {
    for (const state of ['opening', 'greeting', 'online'] as const) {
      expect(nextState(state, 'lost')).toBe('waiting')
      expect(nextState(state, 'refused')).toBe('closed')
    }
    expect(nextState('waiting', 'open')).toBe('opening')
  })
})

describe('connecting', () => {
  test('[CN2] rejects after its limit, and resolves at once without one', async () => {
    for (const node of cluster.nodes) cluster.down.add(node)
    await expect(
      harness.within(2000, harness.connect('alice', { connectTimeoutMs: 1000 })),
    ).rejects.toMatchObject({ code: 'TIMEOUT' })
    await harness.clock.advance(60_000)
    expect(harness.clock.pendingTimers).toBe(0)
    const chat = await harness.connect('alice', { connectTimeoutMs: 0 })
    cluster.group('team', 'alice')
    const message = chat.conversation('team').send('early')
    await harness.clock.advance(3000)
    expect(message.status).toBe('pending')
    cluster.down.clear()
    await harness.within(6000, message.sent)
    chat.close()
  })

  test('[CN3] a refusal for good is final', async () => {
    cluster.fault = (frame) =>
      frame.t === 'hello:R' ? FakeCluster.error('AUTHENTICATION_FAILED') : null
    await expect(harness.connect('alice')).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' })
    expect(hellos()).toHaveLength(1)
  })

  test('[CN3] an expired token is fetched anew, once', async () => {
    let tokens = 0
    cluster.fault = (frame) =>
      frame.t === 'hello:R' && frame.token === 'token-1'
        ? FakeCluster.error('AUTHENTICATION_FAILED')
        : null
    const getToken = (): Promise<string> => Promise.resolve(`token-${++tokens}`)
    const connecting = harness.connect('alice', { user: undefined, getToken })
    const chat = await harness.within(2000, connecting)
    expect(tokens).toBe(2)
    expect(chat.user).toBe('token-2')
    chat.close()
  })

  test('[CN3] a session that ends with its token goes on with a new one', async () => {
    let tokens = 0
    const getToken = (): string => `token-${++tokens}`
    const chat = await harness.connect('alice', { getToken })
    cluster.group('team', 'alice')
    cluster.closeAll(4001)
    const message = chat.conversation('team').send('after')
    await harness.within(5000, message.sent)
    expect(tokens).toBe(2)
    expect(hellos().map(({ frame }) => frame)).toMatchObject([
      { user: 'alice', token: 'token-1' },
      { user: 'alice', token: 'token-2' },
    ])
    chat.close()
  })

  test('[CN3] with one token for ever its end is the end, and says why', async () => {
    const chat = await harness.connect('alice', { token: 'the-only-one' })
    cluster.fault = (frame) =>
      frame.t === 'hello:R' ? FakeCluster.error('AUTHENTICATION_FAILED') : null
    cluster.closeAll(4001)
    await harness.clock.advance(60_000)
    expect(chat.state).toMatchObject({
      state: 'closed',
      error: { code: 'AUTHENTICATION_FAILED', retryable: false },
    })
    expect(hellos()).toHaveLength(2)
  })

  test('[CN4] a crowded node is left alone for as long as it asks', async () => {
    cluster.fault = (frame) =>
      frame.t === 'hello:R' && hellos().length <= 1 ? FakeCluster.error('OVERLOADED', 3000) : null
    const connecting = harness.connect('alice')
    await harness.clock.advance(2900)
    expect(hellos()).toHaveLength(1)
    const chat = await harness.within(2000, connecting)
    chat.close()
  })

  test('[CN4] an unfit node is left for another at once, all of them for as long as they ask', async () => {
    let fit = false
    cluster.fault = (frame) =>
      frame.t === 'hello:R' && !fit ? FakeCluster.error('BEHIND', 3000) : null
    const connecting = harness.connect('alice')
    await harness.clock.advance(2500)
    expect(new Set(hellos().map(({ node }) => node)).size).toBe(3)
    expect(hellos()).toHaveLength(3)
    fit = true
    const chat = await harness.within(2000, connecting)
    chat.close()
  })

  test('[CN5] a node that takes the connection and says nothing is given up', async () => {
    cluster.silent.add('n1')
    cluster.silent.add('n2')
    const chat = await harness.within(
      12_000,
      harness.connect('alice', { connectTimeoutMs: 12_000 }),
    )
    expect(nodeOf()).toBe('n3')
    chat.close()
  })
})

describe('reconnecting', () => {
  test('[M-46] [CN6] with a write under way and the node gone: within 100 ms to another one', async () => {
    cluster.group('team', 'alice')
    for (let seed = 1; seed <= 20; seed++) {
      const chat = await harness.connect('alice', {
        ports: {
          clock: harness.clock,
          random: new SeededRandom(seed),
          openSocket: cluster.openSocket,
        },
      })
      const node = nodeOf()
      cluster.fault = (frame) => (frame.t === 'msg:R' ? 'drop' : null)
      const message = chat.conversation('team').send(seed)
      await harness.clock.advance(5)
      cluster.fault = () => null
      cluster.down.add(node)
      cluster.disconnect(node)
      await harness.within(120, message.sent)
      expect(nodeOf()).not.toBe(node)
      cluster.down.clear()
      chat.close()
      await harness.clock.advance(10)
    }
  })

  test('[CN7] idle: spread over spreadMs, but at once when there is something to send', async () => {
    cluster.group('team', 'alice')
    const waits: number[] = []
    for (let seed = 1; seed <= 20; seed++) {
      const chat = await harness.connect('alice', {
        ports: {
          clock: harness.clock,
          random: new SeededRandom(seed),
          openSocket: cluster.openSocket,
        },
      })
      cluster.disconnect()
      await harness.clock.advance(5)
      const { state } = chat
      if (state.state !== 'disconnected') throw new Error(state.state)
      waits.push(state.retryInMs)
      if (seed % 2 === 0) await harness.within(120, chat.conversation('team').send(1).sent)
      chat.close()
      await harness.clock.advance(10)
    }
    expect(Math.max(...waits)).toBeLessThanOrEqual(cluster.spreadMs)
    expect(Math.max(...waits)).toBeGreaterThan(cluster.spreadMs / 2)
    expect(Math.min(...waits)).toBeLessThan(cluster.spreadMs / 2)
  })

  test('[M-46] [CN16] 2,000 idle clients of a cluster that restarts come back spread out', async () => {
    cluster.spreadMs = Math.min(15_000, Math.floor((2000 / 150) * 1000))
    // What they ask for once they are back is not the matter here.
    cluster.heartbeatMs = 1_000_000
    const clients = await Promise.all(
      Array.from({ length: 2000 }, (_, n) =>
        ChatClient.connect({
          ...harness.options(`u${n}`, { connectTimeoutMs: 0 }),
          ports: {
            clock: harness.clock,
            random: new SeededRandom(n),
            openSocket: cluster.openSocket,
          },
        }),
      ),
    )
    await harness.clock.advance(10)
    expect(cluster.sessions).toHaveLength(2000)
    const started = harness.clock.monotonicMs()
    for (const node of cluster.nodes) cluster.down.add(node)
    cluster.disconnect()
    await harness.clock.advance(2000)
    cluster.down.clear()
    const bins: number[] = []
    cluster.fault = (frame) => {
      if (frame.t !== 'hello:R') return null
      const bin = Math.trunc((harness.clock.monotonicMs() - started) / 1000)
      bins[bin] = (bins[bin] ?? 0) + 1
      return null
    }
    await harness.clock.advance(40_000)
    expect(cluster.sessions).toHaveLength(2000)
    expect(Math.max(...bins.filter((count) => count > 0))).toBeLessThanOrEqual(200)
    for (const chat of clients) chat.close()
  })

  test('[CN8] a node that falls silent is left, with work and without', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice')
    cluster.silent.add(nodeOf())
    const message = chat.conversation('team').send(1)
    await harness.within(3000, message.sent)
    cluster.silent.clear()
    cluster.silent.add(nodeOf())
    const before = hellos().length
    await harness.clock.advance(3 * cluster.heartbeatMs + cluster.spreadMs)
    expect(hellos().length).toBeGreaterThan(before)
    expect(chat.state.state).toBe('connected')
    chat.close()
  })

  test('[CN10] the mark and the epoch of the last session go into the next hello', async () => {
    const chat = await harness.connect('alice')
    await harness.clock.advance(cluster.heartbeatMs + 100)
    const { logTime } = cluster
    cluster.disconnect()
    await harness.clock.advance(cluster.spreadMs + 1000)
    const [first, second] = hellos().map(({ frame }) => frame)
    expect(first).not.toHaveProperty('resume.epoch')
    expect(second).toMatchObject({ resume: { epoch: 'epoch-1', mark: `epoch-1:${logTime}` } })
    chat.close()
  })

  test('[CN11] goaway moves within its time, before the node ends', async () => {
    const chat = await harness.connect('alice')
    const node = nodeOf()
    const url = cluster.urls.find((each) => !each.includes(node))
    cluster.broadcast({ t: 'goaway:N', reconnectAfterMs: 500, url })
    await harness.clock.advance(600)
    expect(nodeOf()).not.toBe(node)
    chat.close()
  })

  test('[CN12] another client with this device ends this one for good', async () => {
    const chat = await harness.connect('alice')
    const statuses = collect(chat.status())
    cluster.closeAll(4002)
    await harness.clock.advance(60_000)
    expect(chat.state).toMatchObject({ state: 'closed', error: { code: 'REPLACED' } })
    expect(hellos()).toHaveLength(1)
    await statuses.done
    expect(statuses.items.map((status) => status.state)).toEqual(['connected', 'closed'])
    expect(harness.clock.pendingTimers).toBe(0)
  })

  test('[CN13] a working connection is kept when the leader moves; what waits goes out', async () => {
    cluster.group('team', 'alice')
    const chat = await harness.connect('alice')
    cluster.fault = (frame) => (frame.t === 'msg:R' ? FakeCluster.error('NO_LEADER', 60_000) : null)
    const message = chat.conversation('team').send(1)
    await harness.clock.advance(100)
    cluster.fault = () => null
    cluster.broadcast({ t: 'leader:N', leader: { id: 'n2', url: 'http://n2.test:7400' } })
    await harness.within(50, message.sent)
    expect(hellos()).toHaveLength(1)
    expect(chat.state).toMatchObject({ state: 'connected', leader: 'n2' })
    chat.close()
  })

  test('[CN17] a node that is cut off is left for one that knows a leader, idle or not', async () => {
    cluster.group('team', 'alice')
    for (const isActive of [true, false]) {
      const chat = await harness.connect(`alice${isActive ? '' : '-2'}`)
      const cut = chat.state.state === 'connected' ? chat.state.node : ''
      cluster.cutOff.add(cut)
      cluster.fault = (frame, node) =>
        frame.t === 'msg:R' && cluster.cutOff.has(node) ? FakeCluster.error('NO_LEADER') : null
      cluster.broadcast({ t: 'leader:N', leader: null })
      const sent = isActive ? chat.conversation('team').send(1).sent : null
      await harness.clock.advance(900)
      expect(chat.state).toMatchObject({ state: 'connected', node: cut, leader: null })
      await harness.clock.advance(1_300 + (isActive ? 0 : cluster.spreadMs))
      expect(chat.state).toMatchObject({ state: 'connected', leader: 'n1' })
      expect(chat.state).not.toMatchObject({ node: cut })
      if (sent !== null) await harness.within(10, sent)
      chat.close()
      cluster.cutOff.clear()
    }
  })

  test('[CN17] an election costs no connection', async () => {
    const chat = await harness.connect('alice')
    for (const leader of ['n2', 'n3']) {
      cluster.broadcast({ t: 'leader:N', leader: null })
      await harness.clock.advance(900)
      cluster.broadcast({
        t: 'leader:N',
        leader: { id: leader, url: `http://${leader}.test:7400` },
      })
      await harness.clock.advance(20_000)
    }
    expect(hellos()).toHaveLength(1)
    chat.close()
  })

  test('[CN17] while no node knows a leader the client stays ever longer with each', async () => {
    cluster.leader = null
    const chat = await harness.connect('alice')
    await harness.clock.advance(120_000)
    expect(new Set(hellos().map(({ node }) => node)).size).toBe(3)
    const inTheFirst = hellos().length
    expect(inTheFirst).toBeLessThan(25)
    await harness.clock.advance(120_000)
    expect(hellos().length - inTheFirst).toBeLessThan(9)
    cluster.leader = 'n1'
    cluster.broadcast({ t: 'leader:N', leader: { id: 'n1', url: 'http://n1.test:7400' } })
    await harness.clock.advance(60_000)
    const settled = hellos().length
    await harness.clock.advance(60_000)
    expect(hellos()).toHaveLength(settled)
    expect(chat.state).toMatchObject({ state: 'connected', leader: 'n1' })
    chat.close()
  })

  test('[CN17] the only node there is is not left', async () => {
    cluster.leader = null
    cluster.nodes.splice(1)
    const chat = await harness.connect('alice')
    await harness.clock.advance(60_000)
    expect(hellos()).toHaveLength(1)
    chat.close()
  })

  test('[CN14] of nodes that failed equally often the leader is tried first', () => {
    const urls = ['http://a:1', 'http://b:1', 'http://c:1']
    const endpoints = new Endpoints(urls, new SeededRandom(1))
    endpoints.learnLeader({ id: 'b', url: 'http://b:1' })
    expect(endpoints.next()).toBe('ws://b:1/v1/ws')
    endpoints.failed('ws://b:1/v1/ws')
    const other = endpoints.next()
    expect(other).not.toBe('ws://b:1/v1/ws')
    endpoints.failed(other)
    endpoints.failed(endpoints.next())
    expect(endpoints.next()).toBe('ws://b:1/v1/ws')
  })

  test('[CN15] URLs of any scheme lead to the same place', () => {
    expect(webSocketUrl('http://h:1')).toBe('ws://h:1/v1/ws')
    expect(webSocketUrl('https://h/')).toBe('wss://h/v1/ws')
    expect(webSocketUrl('ws://h:1/other')).toBe('ws://h:1/other')
    expect(() => webSocketUrl('ftp://h')).toThrow(/http/)
    expect(() => webSocketUrl('nonsense')).toThrow(/URL/)
  })
})
