// What an application does with messages of its own: look at them, take them back, change them.
import { beforeEach, describe, expect, test } from 'vitest'
import type { OutgoingMessage } from './outgoing-message.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import { collect, type Harness } from './testing/harness.ts'
import { Restarts } from './testing/restarts.ts'

let place: Restarts
let harness: Harness
let cluster: FakeCluster
beforeEach(() => {
  place = new Restarts()
  ;({ harness, cluster } = place)
  cluster.group('team', 'alice', 'bob')
})

const statuses = (messages: readonly OutgoingMessage[]) => messages.map(({ status }) => status)
const dropMessages = (): void => place.dropMessages()
const events = () =>
  cluster.conversations.get('team')!.events.map(({ kind, target = null }) => [kind, target])

describe('the list', () => {
  test('[OL1] a message is in it before anything goes out, and leaves it with its answer', async () => {
    for (const node of cluster.nodes) cluster.down.add(node)
    const chat = await harness.connect('alice', { connectTimeoutMs: 0 })
    const room = chat.conversation('team')
    const changes: string[] = []
    chat.outbox.on('change', ({ status }) => changes.push(status))
    const message = room.send('hi')
    chat.conversation('other').send('elsewhere')
    expect(room.outgoing).toEqual([message])
    expect(chat.outbox.pending()).toHaveLength(2)
    expect([message.status, message.kind, message.body]).toEqual(['pending', 'message', 'hi'])
    await harness.clock.advance(60_000)
    expect(statuses(room.outgoing)).toEqual(['pending'])
    cluster.down.clear()
    await harness.within(10_000, message.sent)
    expect([room.outgoing, changes]).toEqual([[], ['pending', 'pending', 'sent', 'failed']])
    expect(chat.outbox.unacknowledged).toBe(1)
    chat.close()
  })

  test('[OL1] it is the same by user and by id', async () => {
    const chat = await harness.connect('alice')
    const byUser = chat.direct('bob')
    dropMessages()
    const first = byUser.send(1)
    expect(byUser.outgoing).toEqual([first])
    cluster.fault = () => null
    await harness.within(5000, first.sent)
    dropMessages()
    const second = chat.conversation(byUser.id!).send(2)
    const third = byUser.send(3)
    expect(byUser.outgoing).toEqual([second, third])
    expect(chat.conversation(byUser.id!).outgoing).toEqual([second, third])
    expect(chat.direct('carol').outgoing).toEqual([])
    chat.close()
  })

  test('[OL8] what holds it up is told once for each reason, and gone with the verdict', async () => {
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    const told: (string | null)[] = []
    chat.outbox.on('change', ({ heldUpBy }) => told.push(heldUpBy?.code ?? null))
    let code: 'DISK_FULL' | 'OVERLOADED' | null = 'DISK_FULL'
    cluster.fault = (frame) =>
      frame.t === 'msg:R' && code !== null ? FakeCluster.error(code) : null
    const message = room.send('hi')
    expect(message.heldUpBy).toBe(null)
    await harness.clock.advance(60_000)
    expect(message.heldUpBy).toMatchObject({ code, retryable: true, outcome: 'notApplied' })
    expect([message.status, message.error, told]).toEqual(['pending', null, [null, 'DISK_FULL']])
    code = 'OVERLOADED'
    await harness.clock.advance(120_000)
    expect(message.heldUpBy).toMatchObject({ code })
    code = null
    await harness.within(120_000, message.sent)
    expect(message.heldUpBy).toBe(null)
    expect(told).toEqual([null, 'DISK_FULL', 'OVERLOADED', null])
    chat.close()
  })

  test('[OL2] what failed as unknown stays; retryAll takes it up under its id and `since`', async () => {
    const chat = await harness.connect('alice', { retry: { initialDelayMs: 10, maxRetries: 1 } })
    const room = chat.conversation('team')
    dropMessages()
    const messages = [room.send(1), room.send(2)]
    await harness.clock.advance(20_000)
    expect(statuses(chat.outbox.pending())).toEqual(['failed', 'failed'])
    cluster.fault = () => null
    cluster.logTime += 10_000
    expect(chat.outbox.retryAll()).toBe(2)
    // A new promise: the old one stays rejected.
    await harness.within(5000, Promise.all(messages.map(({ sent }) => sent)))
    for (const { msgId } of messages) {
      expect(new Set(place.sends(msgId).map(({ since }) => since)).size).toBe(1)
    }
    expect(chat.outbox.pending()).toEqual([])
    expect(chat.outbox.retryAll()).toBe(0)
    chat.close()
  })

  test('[OL3] discard drops what failed or never went out, and nothing else', async () => {
    for (const node of cluster.nodes) cluster.down.add(node)
    const options = { connectTimeoutMs: 0, retry: { initialDelayMs: 10, maxRetries: 1 } }
    const chat = await harness.connect('alice', options)
    const room = chat.conversation('team')
    const early = room.send('early')
    expect([chat.outbox.discard(early.msgId), early.status]).toEqual([true, 'failed'])
    await expect(early.sent).rejects.toMatchObject({ code: 'CANCELLED', outcome: 'notApplied' })
    cluster.down.clear()
    dropMessages()
    const late = room.send('late')
    while (place.sends(late.msgId).length === 0) await harness.clock.advance(10)
    expect([late.status, chat.outbox.discard(late.msgId)]).toEqual(['pending', false])
    await harness.clock.advance(20_000)
    expect([late.status, chat.outbox.discard(late.msgId)]).toEqual(['failed', true])
    expect([chat.outbox.pending(), chat.outbox.discard(late.msgId)]).toEqual([[], false])
    expect(place.sends(early.msgId)).toEqual([])
    chat.close()
  })
})

describe('cancel', () => {
  test('[OL4] what never went out is taken back here; what did, by the log’s verdict', async () => {
    for (const node of cluster.nodes) cluster.down.add(node)
    const chat = await harness.connect('alice', { connectTimeoutMs: 0 })
    const room = chat.conversation('team')
    const [first, second] = [room.send(1), room.send(2)]
    expect(await first.cancel()).toBe(true)
    expect(first.error).toMatchObject({ code: 'CANCELLED', outcome: 'notApplied' })
    expect(await first.cancel()).toBe(true)
    cluster.down.clear()
    await harness.within(10_000, second.sent)
    expect(await second.cancel()).toBe(false)
    // On its way: the first copy was lost, and the verdict comes before the second.
    dropMessages()
    const lost = room.send(3)
    const after = room.send(4)
    await harness.clock.advance(20)
    expect(await harness.within(1000, lost.cancel())).toBe(true)
    cluster.fault = () => null
    await harness.within(5000, after.sent)
    expect(cluster.bodies('team')).toEqual([second.msgId, after.msgId])
    // Stored, but the answer was lost: too late.
    cluster.fault = (frame) => (frame.t === 'msg:R' ? 'dropAnswer' : null)
    const stored = room.send(5)
    await harness.clock.advance(20)
    expect(await harness.within(1000, stored.cancel())).toBe(false)
    cluster.fault = () => null
    await harness.within(5000, stored.sent)
    chat.close()
  })

  test('[OL4] of an unknown outcome it says so: it is taken up first', async () => {
    const chat = await harness.connect('alice', { retry: { initialDelayMs: 10, maxRetries: 1 } })
    dropMessages()
    const message = chat.conversation('team').send('hi')
    await harness.clock.advance(20_000)
    await expect(message.cancel()).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    message.retry()
    await harness.clock.advance(10)
    expect(await harness.within(1000, message.cancel())).toBe(true)
    cluster.fault = () => null
    await harness.clock.advance(60_000)
    expect(cluster.bodies('team')).toEqual([])
    chat.close()
  })
})

describe('edits, recalls and reactions', () => {
  test('[OL5] they are events in the order of the calls, each once, shown to oneself too', async () => {
    const chat = await harness.connect('alice', { retry: { initialDelayMs: 50 } })
    const room = chat.conversation('team')
    const shown = collect(room.events({ after: 0 }))
    const message = room.send('hi')
    expect(() => message.edit('early')).toThrow(/not sent yet/)
    await harness.within(1000, message.sent)
    cluster.fault = () =>
      (['drop', 'dropAnswer', 'close', null, null] as const)[cluster.pick(5)] ?? null
    const amendments = [
      message.edit('hello'),
      message.react('👍'),
      room.react(1, '👍', false),
      room.edit({ seq: 1 }, { text: 'hello!' }),
      room.send('between', { replyTo: { seq: 1 } }),
      room.recall(1),
    ]
    expect(amendments.map(({ kind, target }) => [kind, target])).toEqual([
      ...[
        ['edit', 1],
        ['reaction', 1],
        ['reaction', 1],
        ['edit', 1],
      ],
      ...[
        ['message', null],
        ['recall', 1],
      ],
    ])
    await harness.within(600_000, Promise.all(amendments.map(({ sent }) => sent)))
    cluster.fault = () => null
    const wanted = [
      ...[
        ['message', null],
        ['edit', 1],
        ['reaction', 1],
        ['reaction', 1],
        ['edit', 1],
      ],
      ...[
        ['message', null],
        ['recall', 1],
      ],
    ]
    expect(events()).toEqual(wanted)
    await harness.clock.advance(30_000)
    expect(shown.items.map(({ kind, target }) => [kind, target])).toEqual(wanted)
    chat.close()
  })

  test('[OL6] they survive the process as messages do', async () => {
    const first = await place.live()
    const room = first.chat.conversation('team')
    await harness.within(1000, room.send('hi').sent)
    cluster.fault = (frame) => (frame.t === 'hello:R' ? null : 'drop')
    const left = [room.edit(1, 'hello'), room.react(1, '🎉'), room.recall(1)]
    await harness.clock.advance(50)
    first.kill()
    cluster.fault = () => null
    const second = await place.live()
    const { restored } = second.chat
    expect(restored.map(({ msgId, kind, body, target }) => [msgId, kind, body, target])).toEqual([
      [left[0]!.msgId, 'edit', 'hello', 1],
      [left[1]!.msgId, 'reaction', null, 1],
      [left[2]!.msgId, 'recall', null, 1],
    ])
    await harness.within(5000, Promise.all(restored.map(({ sent }) => sent)))
    expect(events().slice(1)).toEqual([
      ['edit', 1],
      ['reaction', 1],
      ['recall', 1],
    ])
    second.chat.close()
  })

  test('[OL7] what is wrong is refused at once, what is refused is failed', async () => {
    const chat = await harness.connect('alice')
    const room = chat.conversation('team')
    expect(() => room.react(1, 'x'.repeat(70))).toThrow(/reaction/)
    expect(() => room.edit(0, 'x')).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGE' }))
    expect(() => chat.direct('zoe').recall(1)).toThrow(/direct conversation/)
    cluster.fault = (frame) => (frame.t === 'edit:R' ? FakeCluster.error('FORBIDDEN') : null)
    const edit = room.edit(1, 'not mine')
    await expect(harness.within(1000, edit.sent)).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(room.outgoing).toEqual([])
    chat.close()
  })
})
