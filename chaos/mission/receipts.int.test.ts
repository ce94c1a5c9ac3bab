// What becomes of a message after it is sent: packets, their loss, and what the sender learns.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ChatClient, type ChatMessage, type ChatOptions, type StreamOptions } from '#client'
import { FrameRelay, type RelayedFrame } from '../processes/frame-relay.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'
import { sendMany } from './inbox-client.ts'
import { eventually } from './mission-clients.ts'

let cluster: ProcessCluster
const ended: (() => void | Promise<void>)[] = []
let names = 0

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(() => cluster.close())
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const newName = (name: string): string => `${name}${(names += 1)}`

async function stranger(user: string, node: string): Promise<WireClient> {
  const client = await WireClient.connect(cluster.node(node).url, user, `${user}-${node}`)
  ended.push(() => client.close())
  await client.until(({ t }) => t === 'caughtup:N')
  return client
}

async function relayTo(node: string): Promise<FrameRelay> {
  const relay = await FrameRelay.to(cluster.node(node).url)
  ended.push(() => relay.close())
  return relay
}

/** A client of the SDK whose frames pass the relay. */
async function through(relay: FrameRelay, user: string, more: Partial<ChatOptions> = {}) {
  const options = { urls: [relay.url], user, device: user, ackDelayMs: 20 }
  const client = await ChatClient.connect({ ...options, ...more })
  ended.push(() => client.close())
  await eventually(
    () => relay.types,
    (types) => types.includes('caughtup:N'),
  )
  return client
}

/** Everything of the other one that is shown to the application, as it comes. */
function shown(client: ChatClient, other: string, options: StreamOptions = {}): ChatMessage[] {
  const messages: ChatMessage[] = []
  void (async () => {
    for await (const message of client.direct(other).messages(options)) messages.push(message)
  })().catch(() => {})
  return messages
}

const PACKETS = ['msg:R', 'msg:A', 'msg:N', 'ack:R', 'ack:A', 'ack:N']
/** Says only how far the device has its inbox. */
const isPosition = ({ t, acks }: RelayedFrame): boolean =>
  t === 'ack:R' && (acks as unknown[]).length === 0

describe('the six packets', () => {
  test('[M-3] one hello is six frames, in their order, and nothing after them', async () => {
    const [ann, ben] = [newName('ann'), newName('ben')]
    const sender = await stranger(ann, 'n1')
    const receiver = await stranger(ben, 'n2')
    const [before, beforeOfReceiver] = [sender.received.length, receiver.received.length]
    const { seq, conv } = await sender.say({ to: ben }, newName('m'), 'hello')
    const pushed = await receiver.until(({ t }) => t === 'msg:N')
    expect(pushed).toMatchObject({ conv, seq, from: ann, body: 'hello' })
    const acks = [{ conv, upTo: seq, kind: 'delivered' }]
    const answer = await receiver.ask({ t: 'ack:R', acks })
    expect(answer.error).toBeUndefined()
    const told = await sender.until(({ t }) => t === 'ack:N')
    expect(told).toMatchObject({ conv, upTo: seq, kind: 'delivered', by: ben })
    // Longer than the node waits before it says that the message is stored.
    await sleep(2_500)
    expect(sender.received.slice(before).map(({ t }) => t)).toEqual(['msg:A', 'ack:N'])
    expect(receiver.received.slice(beforeOfReceiver).map(({ t }) => t)).toEqual(['msg:N', 'ack:A'])
  })

  test('[M-33] the life of a message: stored, accepted, pushed, delivered, told, seen, told', async () => {
    const [ann, ben] = [newName('ann'), newName('ben')]
    const relays = [await relayTo('n1'), await relayTo('n2')] as const
    // Nothing is sent again, however long the machine takes.
    const patient = { initialDelayMs: 60_000, maxDelayMs: 60_000 }
    const sender = await through(relays[0], ann, { retry: patient, ackRetry: patient })
    const receiver = await through(relays[1], ben)
    shown(receiver, ann)
    const message = sender.direct(ben).send('hello')
    const log: string[] = [message.status]
    message.on('status', (status) => log.push(status))
    const { conversation, seq } = await message.sent
    await message.delivered
    receiver.conversation(conversation).markRead(seq)
    await message.read
    expect(log).toEqual(['pending', 'sent', 'delivered', 'read'])
    const packets = relays
      .flatMap(({ passed }) => passed)
      .filter(({ frame }) => PACKETS.includes(frame.t) && !isPosition(frame))
      .sort((a, b) => a.atMs - b.atMs)
      .map(({ frame }) => (frame.t === 'ack:N' ? `ack:N ${frame['kind'] as string}` : frame.t))
      // Which of the two comes first does not matter: both follow the same apply, on two nodes.
      .filter((packet) => packet !== 'ack:A' && packet !== 'msg:A')
      // Said after two seconds, if a machine needs them.
      .filter((packet) => packet !== 'ack:N stored')
    expect(packets).toEqual([
      ...['msg:R', 'msg:N', 'ack:R', 'ack:N delivered'],
      ...['ack:R', 'ack:N read'],
    ])
  })

  test.each(PACKETS)(
    '[M-5] without one %s: delivered in the end, stored once, shown once',
    async (lost) => {
      const [ann, ben] = [newName('ann'), newName('ben')]
      const relays = [await relayTo('n1'), await relayTo('n3')] as const
      const ackRetry = { initialDelayMs: 1_000, maxDelayMs: 1_000 }
      const sender = await through(relays[0], ann, { ackRetry })
      const receiver = await through(relays[1], ben)
      const messages = shown(receiver, ann)
      const first = sender.direct(ben).send('first')
      const { conversation } = await first.sent
      await first.delivered
      let losses = 0
      for (const relay of relays) {
        relay.loseOne((frame) => {
          if (frame.t !== lost) return false
          losses += 1
          return true
        })
      }
      const message = sender.direct(ben).send('hello')
      await message.delivered
      expect(message.status).toBe('delivered')
      await eventually(
        () => messages.map(({ body }) => body),
        (bodies) => bodies.includes('hello'),
      )
      // Its node may answer later than the other one tells the sender.
      await eventually(
        () => losses,
        (count) => count > 0,
      )
      const reader = await stranger(ben, 'n2')
      const page = await reader.ask({ t: 'pull:R', conv: conversation, after: 0, limit: 9 })
      expect(page['events'].map(({ body }: { body: string }) => body)).toEqual(['first', 'hello'])
      expect(messages.map(({ body }) => body)).toEqual(['first', 'hello'])
    },
  )
})

describe('what msg:A does not say', () => {
  test('[M-4] a recipient who acknowledges nothing: the message stays sent', async () => {
    const [ann, ben] = [newName('ann'), newName('ben')]
    const relay = await relayTo('n1')
    const sender = await through(relay, ann)
    const receiver = await stranger(ben, 'n2')
    const message = sender.direct(ben).send('hello')
    await message.sent
    await receiver.until(({ t }) => t === 'msg:N')
    await eventually(
      () => relay.passed.map(({ frame }) => frame['kind']),
      (kinds) => kinds.includes('stored'),
    )
    expect(message.status).toBe('sent')
    const told = relay.passed.filter(({ frame }) => frame.t === 'ack:N')
    expect(told.map(({ frame }) => frame['kind'])).toEqual(['stored'])
  })

  test('[M-9] an absent recipient: stored ends the sending again, and is no delivery', async () => {
    const [ann, ben] = [newName('ann'), newName('ben')]
    const relay = await relayTo('n2')
    const sender = await through(relay, ann, {
      ackRetry: { initialDelayMs: 6_000, jitter: 0 },
    })
    const message = sender.direct(ben).send('hello')
    const { seq, conversation } = await message.sent
    const stored = await eventually(
      () => relay.passed.find(({ frame }) => frame.t === 'ack:N'),
      (found) => found !== undefined,
    )
    expect(stored!.frame).toMatchObject({ conv: conversation, kind: 'stored', upTo: seq })
    expect(stored!.frame['by'] ?? null).toBeNull()
    // Past the time at which it would be sent again.
    await sleep(5_000)
    expect(relay.types.filter((type) => type === 'msg:R')).toHaveLength(1)
    expect(message.status).toBe('sent')
    // A new device: what came before it is behind its cursor, at the beginning.
    const device = await through(await relayTo('n3'), ben)
    const messages = shown(device, ann, { after: 'cursor' })
    expect(await message.delivered).toMatchObject({ seq })
    expect(messages.map(({ body }) => body)).toEqual(['hello'])
  })
})

describe('acknowledgements', () => {
  test('[M-42] one frame marks 47 messages', async () => {
    const [ann, ben] = [newName('ann'), newName('ben')]
    const sender = await stranger(ann, 'n1')
    const receiver = await stranger(ben, 'n3')
    const writer = await through(await relayTo('n2'), ann)
    const messages = Array.from({ length: 50 }, (_, n) => writer.direct(ben).send(n))
    const { conversation: conv } = await messages[0]!.sent
    await Promise.all(messages.map(({ sent }) => sent))
    const acks = [{ conv, upTo: 47, kind: 'delivered' }]
    expect((await receiver.ask({ t: 'ack:R', acks })).error).toBeUndefined()
    const told = await sender.until(({ t }) => t === 'ack:N')
    expect(told).toMatchObject({ conv, kind: 'delivered', upTo: 47, by: ben })
    const answer = await sender.ask({ t: 'conv:R', op: 'receipts', conv, seq: 47 })
    expect(answer['receipts']).toMatchObject({ seq: 47, delivered: 1, read: 0 })
    expect(answer['receipts'].members).toContainEqual({ user: ben, delivered: 47, read: 0 })
    await eventually(
      () => messages.filter(({ status }) => status === 'delivered').length,
      (count) => count === 47,
    )
    expect(messages.slice(47).map(({ status }) => status)).toEqual(['sent', 'sent', 'sent'])
    const later = await sender.ask({ t: 'conv:R', op: 'receipts', conv, seq: 48 })
    expect(later['receipts']).toMatchObject({ seq: 48, delivered: 0 })
    expect(sender.received.filter(({ t }) => t === 'ack:N')).toHaveLength(1)
  })

  test('[M-41] 1,000 receipts of one device are 100 frames at most', async () => {
    const [ann, ben] = [newName('ann'), newName('ben')]
    const relay = await relayTo('n3')
    const receiver = await through(relay, ben, { ackDelayMs: 500 })
    const messages = shown(receiver, ann)
    const sender = await stranger(ann, 'n1')
    await sendMany(sender, { to: ben }, 1_000, { name: newName('m') })
    const acked = () =>
      relay.passed.flatMap(({ frame, atMs }) =>
        frame.t === 'ack:R'
          ? (frame['acks'] as { upTo: number; kind: string }[]).map(({ upTo }) => ({ upTo, atMs }))
          : [],
      )
    await eventually(
      () => acked().at(-1)?.upTo,
      (upTo) => upTo === 1_000,
    )
    expect(messages).toHaveLength(1_000)
    const came = relay.passed.filter(({ frame }) => frame.t === 'msg:N' && 'kind' in frame)
    const waits = came.map(({ frame, atMs }) => {
      const seq = frame['seq'] as number
      return acked().find(({ upTo }) => upTo >= seq)!.atMs - atMs
    })
    // How long is the machine's matter, too: what the SDK adds is measured by a clock of its own.
    const mean = waits.reduce((sum, each) => sum + each, 0) / waits.length
    console.log(`1,000 receipts: ${acked().length} frames, ${mean.toFixed(0)} ms on average`)
    expect(relay.types.filter((type) => type === 'ack:R').length).toBeLessThanOrEqual(100)
  })

  test('[M-41] 1,000 receipts of 50 clients are few entries of the log, and none waits long', async () => {
    const users = Array.from({ length: 50 }, () => newName('ben'))
    const sender = await stranger(newName('ann'), 'n1')
    const convs: string[] = []
    for (const user of users) convs.push((await sender.say({ to: user }, newName('m'), 0)).conv)
    for (let n = 1; n < 20; n += 1) {
      await Promise.all(users.map((to) => sender.say({ to }, newName('m'), n)))
    }
    const receivers = await Promise.all(users.map((user) => stranger(user, 'n2')))
    await cluster.converged()
    const before = (await cluster.state('n2'))!.applied
    const beginMs = performance.now()
    const waitedMs = await Promise.all(
      receivers.map(async (receiver, i) => {
        const waits: number[] = []
        for (let upTo = 1; upTo <= 20; upTo += 1) {
          const askedMs = performance.now()
          const acks = [{ conv: convs[i], upTo, kind: 'delivered' }]
          expect((await receiver.ask({ t: 'ack:R', acks })).error).toBeUndefined()
          waits.push(performance.now() - askedMs)
        }
        return waits
      }),
    )
    const tookMs = performance.now() - beginMs
    const entries = (await cluster.state('n2'))!.applied - before
    // One entry in 100 ms, however many clients acknowledge meanwhile.
    expect(entries).toBeLessThanOrEqual(3 + tookMs / 100)
    expect(entries).toBeLessThanOrEqual(100)
    const mean = waitedMs.flat().reduce((sum, each) => sum + each, 0) / 1_000
    console.log(
      `1,000 receipts: ${entries} entries, an answer after ${mean.toFixed(0)} ms on average`,
    )
    const last = convs.map((conv) =>
      sender.until(
        (frame) => frame.t === 'ack:N' && frame['conv'] === conv && frame['upTo'] === 20,
      ),
    )
    expect(await Promise.all(last)).toHaveLength(50)
  })

  test('in a large group the sender hears how many, once a second at most', async () => {
    const sender = await stranger(newName('ann'), 'n1')
    const others = Array.from({ length: 6 }, () => newName('ben'))
    const absent = Array.from({ length: 550 }, (_, n) => `absent${n}`)
    const create = { op: 'create', members: [...others, ...absent], msgId: newName('m') }
    const { conversation } = await sender.ask({ t: 'conv:R', ...create })
    const { id: conv } = conversation as { id: string }
    const { seq } = await sender.say({ conv }, newName('m'), 'hello')
    const beginMs = performance.now()
    for (const [i, user] of others.entries()) {
      const receiver = await stranger(user, `n${(i % 3) + 1}`)
      const kind = i < 2 ? 'read' : 'delivered'
      await receiver.ask({ t: 'ack:R', acks: [{ conv, upTo: seq, kind }] })
      await sleep(150)
    }
    const told = (kind: string) =>
      sender.received.filter((frame) => frame.t === 'ack:N' && frame['kind'] === kind)
    const delivered = await eventually(
      () => told('delivered'),
      (notices) => notices.at(-1)?.['count'] === 6,
    )
    expect(delivered.length).toBeLessThanOrEqual(1 + (performance.now() - beginMs) / 1_000)
    expect(told('read').at(-1)).toMatchObject({ conv, upTo: seq, count: 2 })
    for (const notice of [...delivered, ...told('read')]) expect(notice['by']).toBeUndefined()
    const answer = await sender.ask({ t: 'conv:R', op: 'receipts', conv, seq })
    expect(answer['receipts']).toMatchObject({ seq, delivered: 6, read: 2 })
    expect(answer['receipts'].members).toBeUndefined()
  })

  test('what was answered survives the death of the leader, the same on every node', async () => {
    const [ann, ben] = [newName('ann'), newName('ben')]
    const leader = await cluster.healthy()
    const [node] = cluster.nodes.filter(({ name }) => name !== leader)
    const sender = await stranger(ann, node!.name)
    const name = newName('m')
    let conv = ''
    for (let n = 1; n <= 40; n += 1) conv = (await sender.say({ to: ben }, `${name}-${n}`, n)).conv
    const receiver = await stranger(ben, node!.name)
    let killed: Promise<void> | null = null
    for (let upTo = 1; upTo <= 40; upTo += 1) {
      if (upTo === 10) killed = cluster.kill(leader)
      const acks = [{ conv, upTo, kind: upTo % 2 === 0 ? 'read' : 'delivered' }]
      for (;;) {
        const { error } = await receiver.ask({ t: 'ack:R', acks })
        if (error === undefined) break
        expect(error.retryable).toBe(true)
      }
    }
    await killed
    await cluster.start(leader)
    await cluster.healthy()
    await cluster.converged()
    for (const { name: at } of cluster.nodes) {
      const reader = await stranger(ann, at)
      const { receipts } = await reader.ask({ t: 'conv:R', op: 'receipts', conv, seq: 40 })
      expect(receipts.members, at).toContainEqual({ user: ben, delivered: 40, read: 40 })
    }
    const told = sender.received.filter(({ t, by }) => t === 'ack:N' && by === ben)
    const upTos = told.map(({ upTo }) => upTo as number)
    expect(upTos).toEqual([...upTos].sort((a, b) => a - b))
    expect(upTos.at(-1)).toBe(40)
  })
})
