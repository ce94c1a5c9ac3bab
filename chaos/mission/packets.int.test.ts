// What goes over the wire, as a client sees it that knows only docs/protocol.md.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { type Frame, type Subprotocol, WireClient } from '../workload/wire-client.ts'
import { codeOf, eventually, readAll, taken } from './mission-clients.ts'

let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(() => cluster.close())

const url = (at: number) => cluster.nodes[at]!.url
const direct = (client: WireClient, to: string, msgId: string, body: unknown = msgId) =>
  taken(client, { t: 'msg:R', to, msgId, body })

async function group(client: WireClient, name: string, members: readonly string[]) {
  const answer = await taken(client, { t: 'conv:R', op: 'create', msgId: name, members })
  return (answer['conversation'] as { id: string }).id
}

const messagesOf = async (client: WireClient, conv: string) =>
  (await readAll(client, conv))
    .flatMap(({ events }) => events)
    .filter(({ kind }) => kind === 'message')

describe('packets', () => {
  test('[M-1] each request gets one answer under its id, in any order; a notice is no answer', async () => {
    const ann = await WireClient.connect(url(0), 'm1-ann', 'phone')
    const ben = await WireClient.connect(url(1), 'm1-ben', 'phone')
    const { conv } = await ann.say({ to: 'm1-ben' }, 'first', 'hello')
    const requests = [
      { t: 'ping:R' },
      { t: 'msg:R', conv, body: 1, msgId: 'a' },
      { t: 'msg:R', conv, body: 1, msgId: 'a' },
      { t: 'msg:R', conv: 'nowhere', body: 1, msgId: 'b' },
      { t: 'pull:R', conv, after: 0, limit: 10 },
      { t: 'conv:R', op: 'list' },
      { t: 'cancel:R', conv, msgId: 'c' },
      { t: 'unknown:R' },
      { t: 'msg:R', conv },
    ].map((frame, at) => ({ ...frame, id: at % 2 === 0 ? 100 + at : `text-${at}` }))
    ann.send(requests)
    for (const { id } of requests) await ann.until((frame) => frame.id === id, `answer ${id}`)
    await ben.until(({ t, seq }) => t === 'msg:N' && seq === 2)
    const last = await ann.ask({ t: 'ping:R' })
    expect(last.t).toBe('ping:A')
    for (const { id, t } of requests) {
      const answers = ann.received.filter((frame) => frame.id === id)
      expect(answers.map((frame) => frame.t)).toEqual([t.replace(':R', ':A')])
    }
    for (const { received } of [ann, ben]) {
      for (const frame of received) expect('id' in frame).toBe(frame.t.endsWith(':A'))
    }
    await Promise.all([ann.leave(), ben.leave()])
  })

  test('[M-2] hello is msg:R, msg:A, msg:N', async () => {
    const [ann, ben] = await Promise.all([
      WireClient.connect(url(0), 'm2-ann', 'phone'),
      WireClient.connect(url(2), 'm2-ben', 'phone'),
    ])
    const about = (frame: Frame) => frame.t.startsWith('msg:')
    const accepted = await ann.ask({ t: 'msg:R', to: 'm2-ben', msgId: 'h', body: 'hello' })
    expect(accepted).toMatchObject({ t: 'msg:A', msgId: 'h', seq: 1, duplicate: false })
    const pushed = await ben.until(about)
    expect(pushed).toMatchObject({ t: 'msg:N', from: 'm2-ann', body: 'hello', seq: 1 })
    await Promise.all([ann.ask({ t: 'ping:R' }), ben.ask({ t: 'ping:R' })])
    expect(ann.received.filter(about).map(({ t }) => t)).toEqual(['msg:A'])
    expect(ben.received.filter(about).map(({ t }) => t)).toEqual(['msg:N'])
    await Promise.all([ann.leave(), ben.leave()])
  })

  test.each<Subprotocol>(['parley.v1.json', 'parley.v1.msgpack'])(
    '[M-30] the msgId 18446744073709551615 comes back as it was in %s',
    async (subprotocol) => {
      const msgId = '18446744073709551615'
      const [user, other] = [`m30-${subprotocol}`, `m30-of-${subprotocol}`]
      const ann = await WireClient.connect(url(0), user, 'phone', { subprotocol })
      const ben = await WireClient.connect(url(1), other, 'phone', { subprotocol })
      const sent = await ann.say({ to: other }, msgId, 'x')
      expect(sent).toMatchObject({ msgId, duplicate: false })
      expect(await ben.until(({ t }) => t === 'msg:N')).toMatchObject({ msgId })
      expect(await ann.say({ to: other }, msgId, 'x')).toMatchObject({ duplicate: true })
      const page = await ben.ask({ t: 'pull:R', conv: sent.conv, after: 0, limit: 10 })
      expect((page.events as Frame[]).map((event) => event.msgId)).toEqual([msgId])
      // A number where a text belongs is refused by name, never rounded.
      const number = await ann.ask({ t: 'msg:R', to: other, msgId: 2 ** 53, body: 1 })
      expect(number.error).toMatchObject({ code: 'INVALID_MESSAGE' })
      for (const seq of [2 ** 53, Number.MAX_VALUE]) {
        const reply = await ann.ask({ t: 'msg:R', to: other, msgId: 'r', body: 1, replyTo: seq })
        expect(reply.error).toMatchObject({ code: 'INVALID_MESSAGE' })
      }
      await Promise.all([ann.leave(), ben.leave()])
    },
  )
})

describe('order', () => {
  test('[M-22] [M-62] three gateways at once: every replica and every member has one order', async () => {
    const users = ['m22-ann', 'm22-ben', 'm22-cy']
    const clients = await Promise.all(
      users.map((user, at) => WireClient.connect(url(at), user, 'phone')),
    )
    const conv = await group(clients[0]!, 'm22', users.slice(1))
    // In rounds: nobody is done before the others begin.
    for (let first = 0; first < 100; first += 10) {
      await Promise.all(
        clients.flatMap((client, at) =>
          Array.from({ length: 10 }, (_, n) => `${at}-${first + n}`).map((msgId) =>
            taken(client, { t: 'msg:R', conv, msgId, body: msgId }),
          ),
        ),
      )
    }
    const hashes = new Set<string>()
    const seqs = Array.from({ length: 300 }, (_, n) => n + 2)
    for (const user of users) {
      for (const { url: node } of cluster.nodes) {
        const reader = await WireClient.connect(node, user, 'reader')
        const events = await messagesOf(reader, conv)
        expect(events.map(({ seq }) => seq)).toEqual(seqs)
        const text = JSON.stringify(events.map(({ seq, msgId, from }) => [seq, msgId, from]))
        hashes.add(createHash('sha256').update(text).digest('hex'))
        reader.close()
      }
    }
    expect(hashes.size).toBe(1)
    // What was pushed has the same order, with the writer's own where msg:A put them.
    for (const client of clients) {
      const pushed = client.pushed.filter(({ kind }) => kind === 'message').map(({ seq }) => seq)
      expect(pushed).toEqual([...pushed].sort((a, b) => Number(a) - Number(b)))
      client.close()
    }
  })

  test('[M-47] what overtakes the message before it is held off: the order is that of its device', async () => {
    const [first, second] = await Promise.all(
      [0, 1].map((at) => WireClient.connect(url(at), 'm47-ann', `phone-${at}`)),
    )
    const conv = await group(first!, 'm47', [])
    const message = (n: number, prev?: string) => ({
      ...{ t: 'msg:R', conv, msgId: `w${n}`, body: n },
      ...(prev === undefined ? {} : { prev }),
    })
    // Of three that are under way the later ones come in first, also by another way.
    expect(await codeOf(second!, message(3, 'w2'))).toBe('OUT_OF_ORDER')
    expect(await codeOf(first!, message(2, 'w1'))).toBe('OUT_OF_ORDER')
    await taken(first!, message(1))
    expect(await codeOf(second!, message(3, 'w2'))).toBe('OUT_OF_ORDER')
    await taken(second!, message(2, 'w1'))
    await taken(first!, message(3, 'w2'))
    // A copy of an early one is no way around it.
    await taken(second!, message(1))
    expect((await messagesOf(first!, conv)).map(({ body }) => body)).toEqual([1, 2, 3])
    first!.close()
    second!.close()
  })

  test('[M-48] a reply names an event that exists and that its writer may see', async () => {
    const ann = await WireClient.connect(url(0), 'm48-ann', 'phone')
    const ben = await WireClient.connect(url(1), 'm48-ben', 'phone')
    const conv = await group(ann, 'm48', [])
    await taken(ann, { t: 'msg:R', conv, msgId: 'before', body: 1 })
    await taken(ann, { t: 'conv:R', op: 'add', conv, msgId: 'add', user: 'm48-ben' })
    const reply = (client: WireClient, msgId: string, replyTo: number) =>
      codeOf(client, { t: 'msg:R', conv, msgId, body: 1, replyTo })
    expect(await reply(ann, 'r1', 4)).toBe('UNKNOWN_REPLY')
    expect(await reply(ann, 'r2', 2)).toBe('taken')
    // Of what was before he joined he knows nothing.
    expect(await reply(ben, 'r3', 2)).toBe('UNKNOWN_REPLY')
    expect(await reply(ben, 'r4', 4)).toBe('taken')
    const events = await messagesOf(ann, conv)
    expect(events.map(({ msgId, replyTo }) => [msgId, replyTo])).toEqual([
      ['before', undefined],
      ['r2', 2],
      ['r4', 4],
    ])
    ann.close()
    ben.close()
  })
})

describe('once', () => {
  test('[M-60] the same id through three gateways at once is one message', async () => {
    const clients = await Promise.all(
      [0, 1, 2].map((at) => WireClient.connect(url(at), 'm60-ann', `phone-${at}`)),
    )
    for (let round = 0; round < 20; round += 1) {
      const msgId = `m${round}`
      const answers = await Promise.all(
        clients.map((client) => direct(client, 'm60-ben', msgId, round)),
      )
      expect(new Set(answers.map(({ seq }) => seq)).size).toBe(1)
      expect(new Set(answers.map(({ at }) => at)).size).toBe(1)
      expect(answers.filter(({ duplicate }) => duplicate === false).length).toBe(1)
    }
    const { conv } = await direct(clients[0]!, 'm60-ben', 'last')
    expect((await messagesOf(clients[0]!, conv as string)).length).toBe(21)
    for (const client of clients) client.close()
  })

  test('[M-35] the sender is gone after ✓: who was away gets it', async () => {
    const ann = await WireClient.connect(url(0), 'm35-ann', 'phone')
    const { conv } = await direct(ann, 'm35-ben', 'm', 'kept')
    ann.close()
    await cluster.kill('n1')
    await cluster.healthy()
    const ben = await WireClient.connect(url(1), 'm35-ben', 'phone')
    const events = await eventually(
      () => messagesOf(ben, conv as string),
      (found) => found.length > 0,
    )
    expect(events).toMatchObject([{ from: 'm35-ann', body: 'kept' }])
    ben.close()
    await cluster.start('n1')
    await cluster.healthy()
  })
})
