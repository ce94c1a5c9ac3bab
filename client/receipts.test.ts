// What becomes of own messages after they are sent, and what is told of those of others.
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { AckType, type Acknowledgement } from './ack-type.ts'
import { Acks } from './acks.ts'
import type { ChatClient } from './client.ts'
import { ChatError } from './errors.ts'
import { resolveOptions } from './options.ts'
import { OutgoingMessage, type MessageStatus } from './outgoing-message.ts'
import { encodeBody } from './protocol/body-codec.ts'
import type { AckNotice, AckRequest } from './protocol/frames.ts'
import { Receipts, type Receipt } from './receipts.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import { Harness, asked, collect, upTo } from './testing/harness.ts'
import { VirtualClock } from './testing/virtual-clock.ts'

let harness: Harness
let cluster: FakeCluster
beforeEach(() => {
  harness = new Harness()
  cluster = harness.cluster
  cluster.group('team', 'alice', 'bob', 'carol')
})

const acksAsked = () => asked<AckRequest>(cluster, 'ack:R')

const portsOf = (clock: VirtualClock) => ({ ...harness.options('alice').ports!, clock })

const DRAFT = { msgId: 'm1', kind: 'message', body: null, replyTo: null, target: null } as const
/** A client that does nothing for its message. */
const NOBODY: ConstructorParameters<typeof OutgoingMessage>[2] = {
  retry: () => {},
  cancel: () => Promise.resolve(false),
  amend: () => {
    throw new Error('nothing is amended here')
  },
  changed: () => {},
}

/** A receipt as the cluster tells it to everybody. */
const tell = (more: Partial<AckNotice>): void =>
  cluster.broadcast({ t: 'ack:N', conv: 'team', kind: 'delivered', upTo: 1, at: 7, ...more })

describe('own messages', () => {
  test('[RC1] pending, sent, delivered, read: as events, promises and acknowledgements', async () => {
    const chat = await harness.connect('alice')
    const bob = await harness.connect('bob', { ackDelayMs: 10 })
    const message = chat.conversation('team').send('hi')
    const seen: unknown[] = [message.status]
    message.on('status', (status) => seen.push(status))
    message.on('ack', ({ type }) => seen.push(type))
    void message.sent.then(() => seen.push('was sent'))
    void message.delivered.then(() => seen.push('was delivered'))
    void message.read.then(() => seen.push('was read'))
    await harness.clock.advance(100)
    bob.conversation('team').markRead(1)
    await harness.clock.advance(100)
    expect(seen).toEqual([
      ...['pending', 'sent', AckType.ACCEPTED, 'was sent'],
      ...['read', AckType.SEEN, 'was delivered', 'was read'],
    ])
    expect(await message.read).toMatchObject({ seq: 1, conversation: 'team' })
    chat.close()
    bob.close()
  })

  test('[M-34] [RC2] whatever comes in whatever order, a status never goes back', async () => {
    const kinds = ['stored', 'delivered', 'read', 'expired'] as const
    const arbitraryStep = fc.oneof(
      fc.constantFrom('answer' as const, 'unknown' as const, 'refused' as const, 'retry' as const),
      fc.record({ kind: fc.constantFrom(...kinds), upTo: fc.integer({ min: 1, max: 4 }) }),
    )
    const rank = (status: MessageStatus): number =>
      ['failed', 'pending', 'sent', 'delivered', 'read'].indexOf(status)
    let [reads, failures] = [0, 0]
    fc.assert(
      fc.property(fc.array(arbitraryStep, { maxLength: 12 }), (steps) => {
        const clock = new VirtualClock()
        const receipts = new Receipts()
        const message = new OutgoingMessage(DRAFT, clock, NOBODY)
        const changes: MessageStatus[] = []
        message.on('status', (status) => changes.push(status))
        let highest: 'sent' | 'delivered' | 'read' = 'sent'
        let isSettled = false
        let isRefused = false
        for (const step of steps) {
          const before = message.status
          if (step === 'answer') {
            message.settle({ msgId: 'm1', conversation: 'team', seq: 2, at: 1, duplicate: false })
            if (!isSettled && !isRefused) receipts.watch('team', 2, message)
            isSettled ||= !isRefused
          } else if (step === 'retry') {
            if (!isRefused) message.retry()
          } else if (typeof step === 'string') {
            const outcome = step === 'unknown' ? 'unknown' : 'notApplied'
            message.fail(new ChatError('REJECTED_SPAM', 'no', { outcome }))
            isRefused ||= before === 'pending' && step === 'refused'
          } else {
            receipts.notice({
              conversation: 'team',
              at: 1,
              by: 'bob',
              count: null,
              seqs: null,
              ...step,
            })
            if (step.upTo >= 2 && step.kind === 'read') highest = 'read'
            if (step.upTo >= 2 && step.kind === 'delivered' && highest === 'sent') {
              highest = 'delivered'
            }
          }
          const isTakenUp = before === 'failed' && step !== 'refused' && !isRefused
          if (!isTakenUp) {
            expect(rank(message.status) >= rank(before) || before === 'pending').toBe(true)
          }
          if (isSettled) expect(message.status).toBe(highest)
          if (isRefused) expect(message.status).toBe('failed')
        }
        if (message.status === 'read') reads++
        if (message.status === 'failed') failures++
        const settled = changes.filter((status) => rank(status) >= 2)
        expect(settled).toEqual([...new Set(settled)].toSorted((a, b) => rank(a) - rank(b)))
      }),
      { numRuns: 2000 },
    )
    expect(Math.min(reads, failures)).toBeGreaterThan(100)
  })

  test('[RC3] one’s own other devices, and the mere word that it is kept, move nothing', async () => {
    const chat = await harness.connect('alice')
    const receipts: Receipt[] = []
    chat.conversation('team').on('receipt', (receipt) => receipts.push(receipt))
    const message = chat.conversation('team').send('hi')
    await harness.within(100, message.sent)
    tell({ by: 'alice', kind: 'read' })
    tell({ kind: 'stored' })
    tell({ conv: 'elsewhere', by: 'bob', kind: 'read', upTo: 9 })
    await harness.clock.advance(10)
    expect(message.status).toBe('sent')
    tell({ kind: 'delivered', count: 2 })
    await harness.clock.advance(10)
    expect(message.status).toBe('delivered')
    expect(receipts.map(({ kind, by, count }) => [kind, by, count])).toEqual([
      ['read', 'alice', null],
      ['stored', null, null],
      ['delivered', null, 2],
    ])
    chat.close()
  })

  test('[RC4] what was given up as unknown comes to its true state by a late answer or echo', async () => {
    const chat = await harness.connect('alice', { retry: { initialDelayMs: 10, maxRetries: 1 } })
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'dropAnswer' : null)
    const message = chat.conversation('team').send('hi')
    const acks: Acknowledgement[] = []
    message.on('ack', (ack) => acks.push(ack))
    await harness.clock.advance(20_000)
    expect(message.status).toBe('failed')
    await expect(message.sent).rejects.toMatchObject({ outcome: 'unknown' })
    tell({ by: 'bob', kind: 'delivered' })
    const { events } = cluster.conversations.get('team')!
    cluster.broadcast({ t: 'msg:N', conv: 'team', ...events[0]! })
    await harness.clock.advance(10)
    expect(message.status).toBe('delivered')
    expect(await message.sent).toMatchObject({ seq: 1 })
    expect(acks.map(({ type, sender_id, error_code }) => [type, sender_id, error_code])).toEqual([
      [AckType.UNKNOWN, null, 'OUTCOME_UNKNOWN'],
      [AckType.ACCEPTED, null, null],
      [AckType.DELIVERED, 'bob', null],
    ])
    chat.close()
  })

  test('[OB9] the echo of what was sent again under its id does not make it the first copy', async () => {
    const chat = await harness.connect('alice', { retry: { initialDelayMs: 10, maxRetries: 1 } })
    const room = chat.conversation('team')
    const first = room.send('hi', { msgId: 'mine' })
    await harness.clock.advance(50)
    expect((await first.sent).duplicate).toBe(false)
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'dropAnswer' : null)
    const again = room.send('hi', { msgId: 'mine' })
    await harness.clock.advance(20_000)
    expect(again.status).toBe('failed')
    const { events } = cluster.conversations.get('team')!
    cluster.broadcast({ t: 'msg:N', conv: 'team', ...events[0]! })
    await harness.clock.advance(10)
    expect(await again.sent).toMatchObject({ seq: 1, duplicate: true })
    chat.close()
  })

  test('[RC5] each type of acknowledgement has the papers’ number and fields', async () => {
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const acks: Acknowledgement[] = []
    const send = (body: unknown) => {
      const message = room.send(body)
      message.on('ack', (ack) => acks.push(ack))
      return message
    }
    await harness.within(100, send('read').sent)
    tell({ by: 'bob', kind: 'delivered' })
    tell({ by: 'bob', kind: 'read', at: 9 })
    await harness.clock.advance(10)
    await harness.within(100, send('expired').sent)
    tell({ kind: 'expired', upTo: 2 })
    cluster.fault = (frame) => (frame.t === 'msg:R' ? FakeCluster.error('REJECTED_SPAM') : null)
    const refused = send('refused')
    await harness.clock.advance(10)
    expect(acks.map(({ type }) => type)).toEqual([1, 2, 3, 1, 5, 4])
    expect(acks[2]).toEqual({
      ...{ message_id: expect.any(String) as string, type: 3, timestamp: 9 },
      ...{ sender_id: 'bob', error_code: null },
    })
    expect(acks[5]).toMatchObject({ message_id: refused.msgId, error_code: 'REJECTED_SPAM' })
    chat.close()
  })
})

test('[RC6] what retention took from the middle says nothing of what it kept', async () => {
  const chat = await harness.connect('alice')
  const room = chat.conversation('team')
  const failed: string[] = []
  const messages = upTo(4).map((n) => {
    const message = room.send(n)
    message.on('ack', ({ type }) => {
      if (type === AckType.FAILED) failed.push(message.msgId)
    })
    return message
  })
  await harness.clock.advance(100)
  const idsOf = (...at: number[]) => at.map((seq) => messages[seq - 1]!.msgId)
  tell({ kind: 'expired', upTo: 3, seqs: [1, 3] })
  await harness.clock.advance(10)
  expect(failed).toEqual(idsOf(1, 3))
  expect(chat.outbox.unacknowledged).toBe(2)
  tell({ kind: 'expired', upTo: 2 })
  await harness.clock.advance(10)
  expect(failed).toEqual(idsOf(1, 3, 2))
  chat.close()
})

describe('receipts for others', () => {
  const converse = (count: number): string[] =>
    Array.from({ length: count }, (_, n) => {
      cluster.group(`c${n}`, 'alice', 'bob')
      cluster.post(`c${n}`, 'bob', encodeBody(n))
      return `c${n}`
    })
  /** Marks one message after another as read, `everyMs` apart. */
  async function readAll(chat: ChatClient, convs: readonly string[], everyMs: number) {
    const asked = new Map<string, number>()
    const added: number[] = []
    cluster.fault = (frame) => {
      if (frame.t !== 'ack:R') return null
      for (const { conv } of frame.acks) {
        added.push(harness.clock.monotonicMs() - cluster.latencyMs - asked.get(conv)!)
      }
      return null
    }
    for (const conv of convs) {
      asked.set(conv, harness.clock.monotonicMs())
      chat.conversation(conv).markRead(1)
      await harness.clock.advance(everyMs)
    }
    await harness.clock.advance(1000)
    return added
  }

  test('[M-41] [AB1] 1,000 receipts take at most 100 frames and wait 300 ms on average', async () => {
    const convs = converse(1000)
    const chat = await harness.connect('alice')
    for (const everyMs of [2, 10]) {
      cluster.requests.length = 0
      const added = await readAll(chat, convs, everyMs)
      expect(added).toHaveLength(1000)
      expect(acksAsked().length).toBeLessThanOrEqual(100)
      const mean = added.reduce((sum, ms) => sum + ms, 0) / added.length
      expect(mean).toBeGreaterThan(0)
      expect(mean).toBeLessThanOrEqual(300)
    }
    chat.close()
  })

  test('[AB2] one names all before it, and only the newest of a conversation goes out', async () => {
    for (let n = 0; n < 47; n++) cluster.post('team', 'bob', encodeBody(n))
    const chat = await harness.connect('alice')
    const bob = await harness.connect('bob')
    const read: number[] = []
    bob.conversation('team').on('receipt', ({ upTo }) => read.push(upTo))
    for (let seq = 1; seq <= 47; seq++) chat.conversation('team').markRead({ seq })
    chat.conversation('team').markRead(12)
    await harness.clock.advance(600)
    expect(acksAsked().map(({ acks }) => acks)).toEqual([
      [{ conv: 'team', kind: 'read', upTo: 47 }],
    ])
    expect(read).toEqual([47])
    expect(() => chat.conversation('team').markRead(0)).toThrow(/seq/)
    chat.close()
    bob.close()
  })

  test('[AB3] lost frames, sessions and retryable refusals delay a receipt, nothing more', async () => {
    const convs = converse(20)
    const chat = await harness.connect('alice')
    cluster.fault = (frame) => {
      if (frame.t !== 'ack:R') return null
      const dice = cluster.pick(5)
      if (dice === 0) return 'drop'
      if (dice === 1) return 'dropAnswer'
      if (dice === 2) return 'close'
      return dice === 3 ? FakeCluster.error('RATE_LIMITED', 700) : null
    }
    for (const conv of convs) {
      chat.conversation(conv).markRead(1)
      await harness.clock.advance(300)
    }
    await harness.clock.advance(300_000)
    for (const conv of convs) {
      expect(cluster.conversations.get(conv)!.receipts.get('alice')).toMatchObject({ read: 1 })
    }
    const count = acksAsked().length
    await harness.clock.advance(60_000)
    expect(acksAsked()).toHaveLength(count)
    chat.close()
    await harness.clock.advance(10)
    expect(harness.clock.pendingTimers).toBe(0)
  })

  test('[AB4] a conversation that one has left takes no other receipt down with it', async () => {
    const convs = converse(3)
    const chat = await harness.connect('alice')
    cluster.conversations.get('c1')!.members.delete('alice')
    for (const conv of convs) chat.conversation(conv).markRead(1)
    await harness.clock.advance(1000)
    const read = convs.map((conv) => cluster.conversations.get(conv)!.receipts.get('alice')?.read)
    expect(read).toEqual([1, undefined, 1])
    const count = acksAsked().length
    await harness.clock.advance(60_000)
    expect(acksAsked()).toHaveLength(count)
    chat.close()
  })

  test('[AB3] what was answered is not said again on the next session', async () => {
    const clock = new VirtualClock()
    const asked: unknown[] = []
    let answers = true
    const acks = new Acks(resolveOptions(harness.options('alice', { ports: portsOf(clock) })), {
      isOnline: () => true,
      request: (frame, onAnswer) => {
        asked.push('inbox' in frame ? frame.inbox : null)
        if (answers) onAnswer({ t: 'ack:A', id: 1 })
      },
    })
    acks.inbox(7, true)
    await clock.advance(500)
    acks.online()
    expect(asked).toEqual([7])
    answers = false
    // One of one's own waits for a frame to go along with.
    acks.inbox(8, false)
    await clock.advance(60_000)
    expect(asked).toEqual([7])
    acks.delivered('team', 3)
    await clock.advance(500)
    acks.online()
    expect(asked).toEqual([7, 8, 8])
    acks.offline()
    expect(clock.pendingTimers).toBe(0)
  })

  test('[AB6] what waits for others goes out when the client is closed', async () => {
    const chat = await harness.connect('alice')
    cluster.post('team', 'bob', encodeBody(1))
    chat.conversation('team').markRead(1)
    await harness.clock.advance(1)
    chat.close()
    await harness.clock.advance(10)
    expect(cluster.conversations.get('team')!.receipts.get('alice')).toMatchObject({ read: 1 })
    expect(harness.clock.pendingTimers).toBe(0)
  })

  test('[AB5] a receipt makes no idle client hurry to reconnect', async () => {
    const chat = await harness.connect('alice')
    cluster.fault = (frame) => (frame.t === 'ack:R' ? 'drop' : null)
    cluster.post('team', 'bob', encodeBody(1))
    chat.conversation('team').markRead(1)
    await harness.clock.advance(600)
    const statuses = collect(chat.status())
    cluster.disconnect()
    await harness.clock.advance(10)
    const waits = statuses.items.flatMap((s) => (s.state === 'disconnected' ? [s.retryInMs] : []))
    expect(waits.length).toBeGreaterThan(0)
    expect(Math.max(...waits)).toBeGreaterThan(100)
    cluster.fault = () => null
    await harness.clock.advance(cluster.spreadMs + 1000)
    expect(cluster.conversations.get('team')!.receipts.get('alice')).toMatchObject({ read: 1 })
    chat.close()
  })
})
