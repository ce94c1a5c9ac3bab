import { describe, expect, test } from 'vitest'
import { type AckNotice, type MessageNotice, type ServerFrame, wireError } from '#protocol'
import { DEFAULT_GATEWAY_OPTIONS } from '../gateway/gateway-options.ts'
import { formatMark } from '../gateway/mark.ts'
import { SessionRegistry } from '../gateway/session-registry.ts'
import { FakeBackend } from '../gateway/testing/fake-backend.ts'
import { fixture } from '../gateway/testing/fixture.ts'
import { ManualClock } from '../gateway/testing/manual-clock.ts'
import type { MemoryConnection } from '../gateway/testing/memory-connection.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { conversation, errorOf, event, messageFrame, view } from '../gateway/testing/samples.ts'
import type { AppliedReceipt, MemberReceipt } from '../state-machine/types.ts'
import { GatewayReceipts } from './gateway-receipts.ts'

const TRIO = { ...conversation('c1', 'alice', 'ben', 'cy'), large: false }
const LARGE = conversation('big', 'alice', 'ben', 'cy')
const ack = (id: number, upTo: number, conv = 'c1') =>
  ({ t: 'ack:R', id, acks: [{ conv, upTo, kind: 'delivered' }] }) as const
const cursor = (user: string, delivered: number, read = 0): MemberReceipt => ({
  ...{ user, delivered, read, changedIndex: 5 },
})

function receipt(more: Partial<AppliedReceipt>): AppliedReceipt {
  const writers = () => new Set(['alice'])
  const of = { conversation: TRIO, user: 'ben', device: 'd1', kind: 'delivered' } as const
  return { ...of, previous: 0, upTo: 1, at: 77, writers, ...more }
}

const noticesOf = (client: MemoryConnection): Omit<AckNotice, 't' | 'mark'>[] =>
  client.frames
    .filter((frame: ServerFrame): frame is AckNotice => frame.t === 'ack:N')
    .map(({ t: _t, mark: _mark, ...rest }) => rest)
const notifiesOf = (client: MemoryConnection) =>
  client.frames
    .filter((frame: ServerFrame): frame is MessageNotice => frame.t === 'msg:N')
    .map(({ conv, seq }) => [conv, seq])

/** Sends and has it answered. */
async function say(
  { clock, backend }: ReturnType<typeof fixture>,
  client: MemoryConnection,
  { seq = 1, duplicate = false, conv = 'c1' } = {},
): Promise<void> {
  client.write(messageFrame(seq, `m${seq}`, { conv }))
  const msgId = `m${seq}`
  const result = { conv, msgId, seq, ord: seq, at: 7, inbox: null, duplicate, now: 8 }
  backend.submissions.at(-1)!.done({ ok: true, ...result })
  await clock.settle()
}

describe('acknowledging', () => {
  test('[NR1] ack:A follows the apply, failures are passed on', async () => {
    const { clock, backend, open } = fixture()
    const client = await open()
    client.write(ack(1, 3))
    await clock.settle()
    expect(client.frames).toEqual([])
    const { submission, done } = backend.submissions[0]!
    const acks = [{ user: 'alice', device: 'd1', kind: 'delivered', upTo: 3 }]
    expect(submission).toMatchObject({ user: '', conversations: [{ conv: 'c1', acks }] })
    backend.state.appliedIndex = 44
    done({
      ok: true,
      conv: '',
      msgId: '',
      seq: 0,
      ord: 0,
      at: 0,
      inbox: null,
      duplicate: false,
      now: 1,
    })
    await clock.settle()
    expect(client.frames).toEqual([{ t: 'ack:A', id: 1, mark: `e1.${(44).toString(36)}` }])
  })

  test('[NR2] of a stranger nothing is recorded, said only by a node that is up to date', async () => {
    const { clock, backend, open } = fixture()
    const client = await open('eve')
    backend.state.conversations.set('c1', view('c1', 'alice', 'ben'))
    backend.state.strangers.add('eve')
    backend.readIndexAnswer = { index: 20 }
    client.write(ack(1, 3), ack(2, 3, 'nowhere'))
    await clock.settle()
    expect(client.frames).toEqual([])
    backend.apply(20)
    await clock.settle()
    expect(client.frames.map((frame) => errorOf(frame).code)).toEqual([
      'NOT_MEMBER',
      'GROUP_NOT_FOUND',
    ])
    // What was unknown here a moment ago is taken.
    client.write(ack(3, 3))
    backend.state.strangers.delete('eve')
    await clock.settle()
    expect(backend.submissions).toHaveLength(1)
  })
})

describe('ack:N', () => {
  test('[NR3] goes to those who wrote what it covers, to all of them if that is unknown', async () => {
    const { clock, gateway, open } = fixture()
    const alice = await open('alice', 'a')
    const laptop = await open('alice', 'laptop', {}, 'parley.v1.json')
    const cy = await open('cy', 'c')
    const ben = await open('ben', 'd1')
    gateway.onReceipt(receipt({}))
    await clock.settle()
    const told = { conv: 'c1', kind: 'delivered', upTo: 1, at: 77, by: 'ben' }
    expect([alice, laptop, cy, ben].map(noticesOf)).toEqual([[told], [told], [], []])
    gateway.onReceipt(receipt({ upTo: 9, writers: () => null }))
    await clock.settle()
    expect([alice, laptop, cy, ben].map((client) => noticesOf(client).length)).toEqual([2, 2, 1, 0])
  })

  test('[NR3] read goes to the other devices of the reader, never to the one that said it', async () => {
    const { clock, gateway, open } = fixture()
    const phone = await open('ben', 'd1')
    const laptop = await open('ben', 'd2')
    gateway.onReceipt(receipt({}))
    gateway.onReceipt(receipt({ kind: 'read', conversation: LARGE, upTo: 4 }))
    await clock.settle()
    expect(noticesOf(phone)).toEqual([])
    expect(noticesOf(laptop)).toEqual([{ conv: 'big', kind: 'read', upTo: 4, at: 77, by: 'ben' }])
  })

  test('[NR4] in large conversations counts, once a second, while they change', async () => {
    const { clock, backend, gateway, open } = fixture()
    const alice = await open('alice', 'a')
    const cy = await open('cy', 'c')
    const { receipts } = backend.state
    gateway.onEvent(LARGE, event(5, { from: 'alice', device: 'x' }))
    for (const count of [1, 2, 3]) {
      receipts.set('big', [cursor('alice', 0), cursor('ben', 5), cursor('cy', count === 3 ? 5 : 0)])
      for (let n = 0; n < 100; n += 1) {
        gateway.onReceipt(receipt({ conversation: LARGE, upTo: n }))
        await clock.advance(10)
      }
    }
    receipts.set('big', [cursor('alice', 5, 5), cursor('ben', 5, 5), cursor('cy', 5, 5)])
    gateway.onReceipt(receipt({ conversation: LARGE, kind: 'read', upTo: 5 }))
    await clock.advance(1_000)
    const of = { conv: 'big', upTo: 5 }
    expect(noticesOf(alice).map(({ at: _at, ...rest }) => rest)).toEqual([
      { ...of, kind: 'delivered', count: 1 },
      { ...of, kind: 'delivered', count: 2 },
      { ...of, kind: 'delivered', count: 3 },
      { ...of, kind: 'read', count: 3 },
    ])
    expect(noticesOf(cy)).toEqual([])
    // All have read it: nobody counts any more.
    receipts.set('big', [])
    gateway.onReceipt(receipt({ conversation: LARGE, upTo: 6 }))
    await clock.advance(5_000)
    expect(noticesOf(alice)).toHaveLength(4)
  })
})

describe('stored', () => {
  test('[NR5] comes 2 s after msg:A, cumulative, unless somebody else has the message', async () => {
    const f = fixture()
    const { clock, gateway } = f
    const alice = await f.open('alice', 'a')
    await say(f, alice, { seq: 1 })
    await say(f, alice, { seq: 2 })
    await say(f, alice, { seq: 1, conv: 'c2' })
    await clock.advance(1_900)
    gateway.onReceipt(receipt({ conversation: conversation('c2', 'alice', 'ben'), upTo: 1 }))
    // Her own device does not count.
    gateway.onReceipt(receipt({ user: 'alice', upTo: 2 }))
    expect(noticesOf(alice).filter(({ kind }) => kind === 'stored')).toEqual([])
    await clock.advance(200)
    const stored = noticesOf(alice).filter(({ kind }) => kind === 'stored')
    expect(stored).toMatchObject([{ conv: 'c1', upTo: 2 }])
    expect(stored[0]!.by).toBeUndefined()
    await clock.advance(10_000)
    expect(noticesOf(alice).filter(({ kind }) => kind === 'stored')).toHaveLength(1)
  })
})

describe('a message that is sent again', () => {
  test('[NR6] is notified to those here who have not acknowledged it', async () => {
    const { clock, backend, gateway, open } = fixture()
    const alice = await open('alice', 'a')
    const ben = await open('ben', 'b')
    const cy = await open('cy', 'c')
    backend.state.receipts.set('c1', [cursor('alice', 0), cursor('ben', 3), cursor('cy', 2)])
    gateway.onDuplicate(TRIO, 2, 'alice')
    gateway.onDuplicate(TRIO, 3, 'alice')
    gateway.onDuplicate(LARGE, 3, 'alice')
    await clock.settle()
    expect([alice, ben, cy].map(notifiesOf)).toEqual([[], [], [['c1', 3]]])
  })

  test('[NR6] is notified like everything else: merged, never further back than a notify that waits', async () => {
    const { clock, backend, gateway, open } = fixture()
    const ben = await open('ben', 'b')
    backend.state.receipts.set('c1', [cursor('ben', 0)])
    for (const seq of [2, 7, 3]) {
      gateway.onDuplicate(TRIO, seq, 'alice')
      await clock.settle()
    }
    expect(notifiesOf(ben)).toEqual([['c1', 2]])
    await clock.advance(60)
    expect(notifiesOf(ben)).toEqual([
      ['c1', 2],
      ['c1', 7],
    ])
  })

  test('[NR6] of several senders each is told of what the others sent', async () => {
    const { clock, backend, gateway, open } = fixture()
    const alice = await open('alice', 'a')
    backend.state.receipts.set('c1', [cursor('alice', 0), cursor('ben', 0)])
    gateway.onDuplicate(TRIO, 2, 'alice')
    gateway.onDuplicate(TRIO, 3, 'ben')
    await clock.settle()
    expect(notifiesOf(alice)).toEqual([['c1', 3]])
  })

  test('[NR6] is answered with the receipts there are; without any it is stored in the end', async () => {
    const f = fixture()
    const { clock, backend } = f
    const alice = await f.open('alice', 'a')
    backend.state.conversations.set('c1', view('c1', 'alice', 'ben', 'cy'))
    backend.state.receipts.set('c1', [cursor('alice', 9), cursor('ben', 4, 1), cursor('cy', 3, 3)])
    await say(f, alice, { seq: 2, duplicate: true })
    const seen = noticesOf(alice).map(({ at: _at, ...rest }) => rest)
    expect(seen).toEqual([
      { conv: 'c1', kind: 'delivered', upTo: 4, by: 'ben' },
      { conv: 'c1', kind: 'read', upTo: 3, by: 'cy' },
    ])
    expect(alice.frames.map(({ t }) => t)).toEqual(['msg:A', 'ack:N', 'ack:N'])
    await say(f, alice, { seq: 5, duplicate: true })
    await clock.advance(2_100)
    expect(noticesOf(alice).slice(2)).toMatchObject([{ kind: 'stored', upTo: 5 }])
  })
})

describe('reading receipts', () => {
  test('[NR7] statuses go back to where the session resumed, whatever mark the sync waits for', async () => {
    const { clock, backend, open } = fixture()
    backend.state.conversations.set('c1', view('c1', 'alice', 'ben'))
    backend.state.receipts.set('c1', [cursor('ben', 3)])
    const resume = { epoch: 'e1', inbox: 0, mark: formatMark('e1', 4) }
    const client = await open('alice', 'a', { resume })
    client.write({ t: 'sync:R', id: 1, after: 0, limit: 10, mark: formatMark('e1', 9) })
    await clock.settle()
    expect(client.last('sync:A').statuses).toMatchObject([{ conv: 'c1', user: 'ben', upTo: 3 }])
  })

  test('[NR7] statuses are what changed after the mark; one of another epoch binds nothing', async () => {
    const backend = new FakeBackend()
    const receipts = new GatewayReceipts({
      backend,
      clock: new ManualClock(),
      logger: new RecordingLogger(),
      options: DEFAULT_GATEWAY_OPTIONS,
      registry: new SessionRegistry(),
    })
    backend.state.receipts.set('c1', [cursor('alice', 9), cursor('ben', 4)])
    const all = [{ conv: 'c1', user: 'ben', kind: 'delivered', upTo: 4 }]
    expect(await receipts.statuses('alice', undefined)).toEqual(all)
    expect(await receipts.statuses('alice', formatMark('e1', 4))).toEqual(all)
    expect(await receipts.statuses('alice', formatMark('e1', 5))).toEqual([])
    expect(await receipts.statuses('alice', formatMark('e2', 5))).toEqual(all)
  })

  test('[NR8] an inbox position is delivered in all that it came by since the last one', async () => {
    const backend = new FakeBackend()
    const clock = new ManualClock()
    const context = { backend, clock, logger: new RecordingLogger() }
    const options = DEFAULT_GATEWAY_OPTIONS
    const receipts = new GatewayReceipts({ ...context, options, registry: new SessionRegistry() })
    const entry = (conv: string, seq: number) => ({ conv, seq, event: null })
    backend.state.inboxes.set('ben', [entry('a', 1), entry('b', 1), entry('a', 2), entry('c', 1)])
    backend.state.devices.set('ben', [{ device: 'd', inbox: 1, seen: 0 }])
    void receipts.ackInbox({ user: 'ben', device: 'd' }, 3)
    await clock.settle()
    const acked = (upTo: number) => [{ user: 'ben', device: 'd', kind: 'delivered', upTo }]
    expect(backend.submissions[0]!.submission).toMatchObject({
      conversations: [
        { conv: 'b', acks: acked(1) },
        { conv: 'a', acks: acked(2) },
      ],
      inboxes: [{ user: 'ben', device: 'd', inbox: 3 }],
    })
  })

  test('[NR8] an inbox position that covers more than one entry holds goes with the last of them', async () => {
    const backend = new FakeBackend()
    const clock = new ManualClock()
    const context = { backend, clock, logger: new RecordingLogger() }
    const options = DEFAULT_GATEWAY_OPTIONS
    const receipts = new GatewayReceipts({ ...context, options, registry: new SessionRegistry() })
    const entries = Array.from({ length: 1_500 }, (_, i) => ({
      conv: `c${i}`,
      seq: 1,
      event: null,
    }))
    backend.state.inboxes.set('ben', entries)
    void receipts.ackInbox({ user: 'ben', device: 'd' }, 1_500)
    // Each conversation is looked up before.
    for (let turn = 0; turn < 100; turn += 1) await clock.settle()
    await clock.advance(200)
    const inbox = { user: 'ben', device: 'd', inbox: 1_500 }
    expect(backend.submissions.map(({ submission }) => submission)).toEqual([
      expect.objectContaining({ inboxes: [] }),
      expect.objectContaining({ inboxes: [inbox] }),
    ])
  })

  test('[NR8] of positions that come faster than they are looked up the highest counts', async () => {
    const { backend, clock, open } = fixture()
    const client = await open()
    const { state } = backend
    state.inboxes.set(
      'alice',
      [1, 2, 3].map((seq) => ({ conv: 'c1', seq, event: event(seq) })),
    )
    const looked: number[] = []
    const real = state.inboxReach.bind(state)
    state.inboxReach = (user, device, upTo) => {
      looked.push(upTo)
      return real(user, device, upTo)
    }
    for (const upTo of [1, 2, 3, 2]) {
      client.write({ t: 'sync:R', id: upTo, after: upTo, limit: 9, ack: upTo })
    }
    await clock.settle()
    expect(looked).toEqual([1])
    backend.submissions[0]!.done({ error: wireError('NO_QUORUM', 'nobody took it') })
    await clock.settle()
    expect(looked).toEqual([1, 3])
  })

  test('[NR8] ack on a pull is delivered', async () => {
    const { clock, backend, open } = fixture()
    const client = await open()
    backend.state.events.set('c1', [event(1), event(2)])
    client.write({ t: 'pull:R', id: 1, conv: 'c1', after: 1, limit: 10, ack: 1 })
    await clock.settle()
    expect(client.last('pull:A').events).toHaveLength(1)
    const acks = [{ user: 'alice', device: 'd1', kind: 'delivered', upTo: 1 }]
    expect(backend.submissions[0]!.submission).toMatchObject({
      conversations: [{ conv: 'c1', acks }],
    })
  })

  test('[NR3][NR4] conv:R receipts names members of small conversations and counts those of large', async () => {
    const { clock, backend, open } = fixture()
    const client = await open()
    backend.state.conversations.set('c1', view('c1', 'alice', 'ben'))
    backend.state.conversations.set('big', { ...view('big', 'alice', 'ben'), large: true })
    for (const conv of ['c1', 'big']) {
      backend.state.receipts.set(conv, [cursor('alice', 0), cursor('ben', 4, 1)])
      client.write({ t: 'conv:R', id: 1, op: 'receipts', conv, seq: 2 })
    }
    await clock.settle()
    const [small, large] = client.frames
    expect(small).toMatchObject({
      conversation: { id: 'c1' },
      receipts: {
        ...{ seq: 2, delivered: 1, read: 0 },
        members: [
          { user: 'alice', delivered: 0, read: 0 },
          { user: 'ben', delivered: 4, read: 1 },
        ],
      },
    })
    expect(large).toMatchObject({ receipts: { seq: 2, delivered: 1, read: 0 } })
    expect(large).not.toHaveProperty('receipts.members')
  })
})
