import { describe, expect, it } from 'vitest'
import { encodeBody, type RequestFrame, type ServerFrame } from '#protocol'
import type { GatewayOptions } from './gateway-options.ts'
import { accepted } from './testing/fake-backend.ts'
import { fixture } from './testing/fixture.ts'
import type { MemoryConnection } from './testing/memory-connection.ts'
import {
  conversation,
  errorOf,
  event,
  helloFrame,
  messageFrame,
  numbered,
} from './testing/samples.ts'

const ALICE = ['alice'] as const
const resume = (inbox: number) => ({ resume: { epoch: 'e1', inbox } })

/** Each pushed frame as `inbox`, a bare notify as `?inbox`, any other frame by its type. */
const shown = (frames: readonly ServerFrame[]): string[] =>
  frames.map((frame) => {
    if (frame.t !== 'msg:N' || 'error' in frame) return frame.t
    return `${frame.kind === undefined ? '?' : ''}${frame.inbox ?? `${frame.conv}/${frame.seq}`}`
  })

/** A gateway whose user alice has `entries` in her inbox. */
function withInbox(entries: number, options: Partial<GatewayOptions> = {}) {
  const fixed = fixture(options)
  const { backend, clock, connect, tell } = fixed
  for (let seq = 1; seq <= entries; seq++) tell('c1', ALICE, event(seq))
  /** Says hello and hands over everything that came of it. */
  const greet = async (
    hello: Partial<Extract<RequestFrame, { t: 'hello:R' }>> = {},
  ): Promise<MemoryConnection> => {
    const client = connect()
    client.write(helloFrame(hello))
    await clock.settle()
    return client
  }
  const sync = async (client: MemoryConnection, after: number, more: object = {}) => {
    client.write({ t: 'sync:R', id: 9, after, limit: 100, ...more })
    await clock.settle()
  }
  return { ...fixed, backend, greet, sync, told: () => backend.state.inboxes.get('alice')!.length }
}

describe('session position', () => {
  it('[GW30] pushes on from where the client was, up to 100 behind, then what is new', async () => {
    const { clock, greet, tell } = withInbox(103)
    const client = await greet(resume(3))
    expect(client.last('hello:A')).toMatchObject({ inbox: 103 })
    const numbers = Array.from({ length: 100 }, (_, at) => `${at + 4}`)
    expect(shown(client.frames)).toEqual(['hello:A', ...numbers, 'caughtup:N'])
    expect(client.last('caughtup:N')).toMatchObject({ inbox: 103 })
    tell('c2', ALICE, event(7))
    await clock.settle()
    expect(shown(client.frames).at(-1)).toBe('104')
  })

  it('[GW30] takes one without a position, or with one of another epoch, for new', async () => {
    const { greet } = withInbox(2)
    expect(shown((await greet()).frames)).toEqual(['hello:A', '1', '2', 'caughtup:N'])
    const other = await greet({ device: 'd2', resume: { epoch: 'before', inbox: 2 } })
    expect(shown(other.frames)).toEqual(['hello:A', '1', '2', 'caughtup:N'])
  })

  it('[GW30] sends one that is further behind notifies until it has synced', async () => {
    const { clock, greet, sync, tell } = withInbox(104)
    const client = await greet(resume(3))
    expect(shown(client.frames)).toEqual(['hello:A', '?104'])
    tell('c1', ALICE, event(105))
    await clock.advance(200)
    expect(shown(client.frames).slice(2)).toEqual(['?105'])
    await sync(client, 3)
    expect(client.last('sync:A')).toMatchObject({ next: 103, hasMore: true, upTo: 105 })
    tell('c1', ALICE, event(106))
    await clock.advance(200)
    expect(shown(client.frames).slice(3)).toEqual(['sync:A', '?106'])
    await sync(client, 103)
    expect(client.last('sync:A')).toMatchObject({ next: 106, hasMore: false })
    tell('c1', ALICE, event(107))
    await clock.settle()
    expect(shown(client.frames).slice(5)).toEqual(['sync:A', 'caughtup:N', '107'])
  })

  it('[GW30] writes what it reads before what is new, whatever comes meanwhile', async () => {
    const { backend, clock, greet, tell } = withInbox(3)
    let release = () => {}
    backend.state.slowInbox = new Promise((resolve) => (release = resolve))
    const client = await greet(resume(1))
    for (let seq = 4; seq <= 6; seq++) tell('c1', ALICE, event(seq))
    await clock.settle()
    expect(shown(client.frames)).toEqual(['hello:A'])
    release()
    await clock.settle()
    tell('c1', ALICE, event(7))
    await clock.settle()
    const rest = shown(client.frames).filter((one) => one !== 'caughtup:N')
    expect(rest).toEqual(['hello:A', '2', '3', '4', '5', '6', '7'])
  })

  it('[GW30] misses nothing that is applied between the position read and the greeting', async () => {
    const { backend, clock, connect, tell } = withInbox(3)
    const { state } = backend
    const read = state.inboxHead.bind(state)
    state.inboxHead = async (user) => {
      const head = await read(user)
      tell('c1', ALICE, event(4))
      return head
    }
    const client = connect()
    client.write(helloFrame(resume(3)))
    await clock.settle()
    expect(client.last('hello:A')).toMatchObject({ inbox: 3 })
    expect(shown(client.frames)).toEqual(['hello:A', 'caughtup:N', '4'])
  })

  it('[GW30] answers a position above its own BEHIND, after asking for the newest', async () => {
    const { backend, clock, connect, greet } = withInbox(3)
    const client = await greet(resume(4))
    expect(errorOf(client.last('hello:A'))).toMatchObject({ code: 'BEHIND', retryable: true })
    expect(client.closed).not.toBeNull()
    backend.readIndexAnswer = { index: 99 }
    const patient = connect()
    patient.write(helloFrame({ device: 'd2', ...resume(4) }))
    await clock.settle()
    expect(patient.frames).toHaveLength(0)
    backend.state.entered('alice', 'c1', event(4))
    backend.apply(99)
    await clock.settle()
    expect(patient.last('hello:A')).toMatchObject({ inbox: 4 })
  })

  it('[GW31] pushes whole while so many are unacknowledged, then notifies until a sync', async () => {
    const { clock, greet, sync, tell, told } = withInbox(0, { maxUnackedEvents: 3 })
    const client = await greet()
    for (let seq = 1; seq <= 5; seq++) tell('c1', ALICE, event(seq))
    await clock.advance(200)
    expect(shown(client.frames).slice(2)).toEqual(['1', '2', '3', '?4', '?5'])
    client.messages.length = 0
    await sync(client, 3, { ack: 3 })
    expect(client.last('sync:A')).toMatchObject({ next: 5, hasMore: false })
    for (let seq = 6; seq <= 9; seq++) tell('c1', ALICE, event(seq))
    await clock.settle()
    expect(shown(client.frames)).toEqual(['sync:A', '6', '7', '8', '?9'])
    expect(told()).toBe(9)
  })

  it('[GW31] goes on at once when a client that has everything acknowledges', async () => {
    const { clock, greet, sync, tell } = withInbox(0, { maxUnackedEvents: 3 })
    const client = await greet()
    for (let seq = 1; seq <= 3; seq++) tell('c1', ALICE, event(seq))
    await sync(client, 0)
    client.messages.length = 0
    client.write({ t: 'ack:R', id: 8, acks: [], inbox: 3 })
    tell('c1', ALICE, event(4))
    await clock.settle()
    expect(shown(client.frames).filter((one) => one !== 'ack:A')).toEqual(['4'])
  })

  it('[GW31] counts bytes as well', async () => {
    const body = encodeBody('x'.repeat(1_000))
    const { clock, greet, tell } = withInbox(0, { maxUnackedBytes: 2_500 })
    const client = await greet()
    for (let seq = 1; seq <= 4; seq++) tell('c1', ALICE, event(seq, { body }))
    await clock.settle()
    expect(shown(client.frames).slice(2)).toEqual(['1', '2', '3', '?4'])
  })

  it('[GW31] goes on without a break while the client tells in its pings how far it is', async () => {
    const { clock, greet, tell } = withInbox(0, { maxUnackedEvents: 3 })
    const client = await greet()
    for (let seq = 1; seq <= 9; seq++) {
      tell('c1', ALICE, event(seq))
      client.write({ t: 'ping:R', id: seq, inbox: seq })
      await clock.settle()
    }
    const numbers = shown(client.frames).filter((one) => /^\d+$/.test(one))
    expect(numbers).toHaveLength(9)
  })

  it('[GW31] stops pushing on where the window is full', async () => {
    const { clock, greet } = withInbox(5, { maxUnackedEvents: 3 })
    const client = await greet()
    await clock.advance(100)
    expect(shown(client.frames)).toEqual(['hello:A', '1', '2', '3', '?5'])
  })

  it('[GW22] counts an own event that msg:A tells, and pushes the next', async () => {
    const { backend, clock, greet, tell } = withInbox(0)
    const client = await greet({ device: 'phone' })
    client.write(messageFrame(1, 'mine'))
    tell('c1', ALICE, event(1, { from: 'alice', device: 'phone', msgId: 'mine' }))
    const { submission, done } = backend.submissions[0]!
    done({ ...accepted(submission), inbox: 1 } as never)
    tell('c1', ALICE, event(2))
    await clock.settle()
    expect(client.last('msg:A')).toMatchObject({ inbox: 1 })
    expect(shown(client.frames).slice(2)).toEqual(['msg:A', '2'])
  })

  it('[GW22] gives each member the event with its own inbox number', async () => {
    const { clock, open, gateway } = fixture()
    const json = await open('bob', 'd1', {}, 'parley.v1.json')
    const binary = await open('alice')
    gateway.onEvent(numbered('c1', { alice: 1, bob: 1 }), event(1))
    gateway.onEvent(numbered('c2', { bob: 2, alice: 2 }), event(1))
    gateway.onEvent(numbered('c3', { bob: 3 }), event(1))
    gateway.onEvent(numbered('c1', { alice: 3, bob: 4 }), event(2))
    await clock.settle()
    expect(shown(binary.frames)).toEqual(['1', '2', '3'])
    expect(shown(json.frames)).toEqual(['1', '2', '3', '4'])
  })

  it('[GW30] reads on where a number passed it by', async () => {
    const { backend, clock, greet, tell } = withInbox(0)
    const client = await greet()
    backend.state.entered('alice', 'c1', event(1))
    tell('c1', ALICE, event(2))
    await clock.settle()
    expect(shown(client.frames).slice(2)).toEqual(['1', '2'])
  })

  it('[GW32] merges notifies by conversation', async () => {
    const { clock, greet, tell } = withInbox(0)
    const client = await greet({ mode: 'notify' })
    expect(shown(client.frames)).toEqual(['hello:A', 'caughtup:N'])
    for (let seq = 1; seq <= 50; seq++) {
      tell('c1', ALICE, event(seq))
      tell('c2', ALICE, event(seq))
      await clock.advance(1)
    }
    await clock.advance(200)
    const notifies = shown(client.frames).slice(2)
    expect(notifies.length).toBeLessThanOrEqual(5)
    expect(notifies.slice(-2)).toEqual(['?99', '?100'])
    expect(client.frames.at(-1)).toMatchObject({ conv: 'c2', seq: 50 })
  })

  it('[GW32] keeps to notifies in that mode, whatever is synced', async () => {
    const { clock, greet, sync, tell } = withInbox(3)
    const client = await greet({ mode: 'notify' })
    await sync(client, 0)
    await clock.advance(100)
    tell('c1', ALICE, event(4))
    await clock.settle()
    expect(shown(client.frames)).toEqual(['hello:A', '?3', 'sync:A', 'caughtup:N', '?4'])
  })

  it('[GW24] has a slow client sync before events go out whole again', async () => {
    const { clock, greet, sync, tell } = withInbox(0, { slowBytes: 5_000 })
    const body = encodeBody('x'.repeat(1_000))
    const client = await greet()
    client.messages.length = 0
    client.reading = false
    for (let seq = 1; seq <= 20; seq++) tell('c1', ALICE, event(seq, { body }))
    await clock.advance(500)
    client.drain()
    await clock.advance(500)
    expect(shown(client.frames)).toEqual(['1', '2', '3', '4', '?20'])
    tell('c1', ALICE, event(21))
    await clock.settle()
    expect(shown(client.frames).at(-1)).toBe('?21')
    await sync(client, 4)
    tell('c1', ALICE, event(22))
    await clock.settle()
    expect(shown(client.frames).slice(-2)).toEqual(['sync:A', '22'])
  })

  it('[GW33] falls back to heads where the numbers ran out before the hello', async () => {
    const { backend, clock, gateway, greet } = withInbox(2)
    backend.state.exhausted.add('alice')
    const client = await greet(resume(2))
    expect(client.last('hello:A')).toMatchObject({ inbox: null })
    expect(errorOf(client.last('error:N')).code).toBe('SEQ_EXHAUSTED')
    gateway.onEvent(numbered('c1', { alice: null }), event(3))
    await clock.settle()
    expect(shown(client.frames)).toEqual(['hello:A', 'error:N', 'caughtup:N', '?c1/3'])
  })

  it('[GW33] says once that the numbers ran out during the session', async () => {
    const { clock, gateway, greet } = withInbox(2)
    const client = await greet(resume(2))
    gateway.onEvent(numbered('c1', { alice: null }), event(3))
    gateway.onEvent(numbered('c2', { alice: null }), event(8))
    await clock.advance(100)
    expect(shown(client.frames).slice(2)).toEqual(['error:N', '?c1/3', '?c2/8'])
  })

  it('[GW34] pushes events of large conversations whole to whom is not behind', async () => {
    const { clock, gateway, greet, sync } = withInbox(200)
    const client = await greet()
    client.messages.length = 0
    gateway.onEvent(conversation('big', 'alice'), event(1))
    await clock.advance(100)
    expect(shown(client.frames)).toEqual(['?big/1'])
    await sync(client, 100)
    gateway.onEvent(conversation('big', 'alice'), event(2))
    await clock.settle()
    expect(shown(client.frames).slice(1)).toEqual(['sync:A', 'caughtup:N', 'big/2'])
  })

  it('[GW34] looks at the sessions here where the members are more', async () => {
    const { clock, gateway, greet } = withInbox(0)
    const client = await greet()
    const big = conversation('big', 'alice', ...Array.from({ length: 999 }, (_, i) => `u${i}`))
    const asked: string[] = []
    const told = {
      ...big,
      isMember: (user: string) => asked.push(user) > 0 && big.isMember(user),
      forEachMember: () => expect.unreachable('every member is visited'),
    }
    gateway.onEvent(told, event(1))
    await clock.settle()
    expect(asked).toEqual(['alice'])
    expect(shown(client.frames).at(-1)).toBe('big/1')
  })

  it('[GW30] goes on with notifies when the inbox cannot be read', async () => {
    const { backend, clock, greet, logger, tell } = withInbox(3)
    const { state } = backend
    state.inboxAfter = () => Promise.reject(new Error('checksum'))
    const client = await greet(resume(1))
    expect(logger.events).toContain('replay.failed')
    tell('c1', ALICE, event(4))
    await clock.settle()
    expect(shown(client.frames)).toEqual(['hello:A', '?4'])
  })
})
