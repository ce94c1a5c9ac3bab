// The sending half of the SDK on real nodes.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  AckType,
  ChatClient,
  defaultPorts,
  type Acknowledgement,
  type ChatMessage,
  type ChatOptions,
} from '#client'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { runChild } from '../processes/run-child.ts'
import { eventually } from './mission-clients.ts'
import type { SendingLine, SendingPlan } from './sending-child.ts'
import { tracedPorts, type TracedFrame } from './traced-ports.ts'

const CHILD = fileURLToPath(new URL('sending-child.ts', import.meta.url))

let cluster: ProcessCluster
let folder: string
const clients: ChatClient[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-sending-'))
  cluster = await ProcessCluster.started(3)
})
afterAll(async () => {
  for (const client of clients) client.close()
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

async function connect(user: string, node: string, more: Partial<ChatOptions> = {}) {
  const urls = [cluster.node(node).url]
  const client = await ChatClient.connect({ urls, user, device: 'phone', ackDelayMs: 20, ...more })
  clients.push(client)
  return client
}

/** Every frame of one client, as it is told. */
function trace(name: string, log: string[]): (traced: TracedFrame) => void {
  return ({ way, frame }) => {
    if (!/^(msg|ack):/.test(frame.t)) return
    const acks = frame['acks'] as { kind: string }[] | undefined
    const kind = acks?.[0]?.kind ?? (frame['kind'] as string | undefined) ?? ''
    log.push(`${name} ${way === 'in' ? '←' : '→'} ${frame.t} ${kind}`.trim())
  }
}

/** Bodies of all messages of a conversation. */
async function bodiesOf(client: ChatClient, conversation: string): Promise<unknown[]> {
  let page = await client.conversation(conversation).history({ limit: 500 })
  const events = [...page.events]
  while (page.hasMore) {
    page = await page.next()
    events.unshift(...page.events)
  }
  return events.filter(({ kind }) => kind === 'message').map(({ body }) => body)
}

test('[M-6] killed with 100 in flight and started again: the same ids, and the queue drains to 0', async () => {
  const reader = await connect('reader6', 'n2')
  const room = await reader.createGroup({ members: ['six'] })
  const plan = {
    ...{ url: cluster.node('n1').url, user: 'six', conversation: room.id! },
    store: join(folder, 'six'),
  }
  const idsOf = (lines: readonly SendingLine[], is: string) =>
    lines.flatMap((line) => (line.is === is && 'msgId' in line ? [line.msgId] : []))
  const live = (more: Pick<SendingPlan, 'messages' | 'diesAfter'>) =>
    runChild<SendingPlan, SendingLine>(CHILD, { ...plan, ...more })
  const { lines: first, killed } = await live({ messages: 100, diesAfter: 10 })
  expect(killed).toBe(true)
  const sent = idsOf(first, 'wire')
  expect(idsOf(first, 'queued')).toHaveLength(100)
  // The window of a conversation; the rest waited behind it.
  expect(sent.length).toBeGreaterThanOrEqual(64)
  const { lines: second } = await live({ messages: 0, diesAfter: null })
  const restored = idsOf(second, 'restored')
  const wire = new Set(idsOf(second, 'wire'))
  expect(restored.length).toBeGreaterThanOrEqual(90)
  for (const msgId of restored) expect(wire.has(msgId)).toBe(true)
  const known = new Set(idsOf(first, 'queued'))
  for (const msgId of wire) expect(known.has(msgId)).toBe(true)
  expect(second.at(-1)).toEqual({ is: 'drained', pending: 0, unacknowledged: 0 })
  expect(await bodiesOf(reader, room.id!)).toEqual(Array.from({ length: 100 }, (_, n) => n))
})

test('[M-33] the life of a message, as the papers list it', async () => {
  const ann: string[] = []
  const bob: string[] = []
  const alice = await connect('ann33', 'n1', {
    ports: tracedPorts(defaultPorts(), trace('A', ann)),
  })
  const bobby = await connect('bob33', 'n2', {
    ports: tracedPorts(defaultPorts(), trace('B', bob)),
  })
  const opened = await alice.createGroup({ members: ['bob33'] })
  const room = bobby.conversation(opened.id!)
  const messages = room.messages({ after: 'cursor' })
  // The group's own first event is acknowledged, too.
  await eventually(
    () => ann.includes('A ← ack:A') && bob.includes('B ← ack:A'),
    (isQuiet) => isQuiet,
  )
  ann.length = 0
  bob.length = 0
  const message = opened.send('hello')
  ann.push(`A ${message.status}`)
  void message.queued.then(() => ann.push('A draft stored'))
  message.on('status', (status) => ann.push(`A ${status}`))
  const { value } = await messages.next()
  bob.push('B shown')
  // Asking for the next one acknowledges this one.
  void messages.next()
  await message.delivered
  room.markRead(value as ChatMessage)
  await message.read
  // The push, the store and the acknowledgement are one after the other at bob's; so they are here.
  expect(ann.filter((line) => line !== 'A ← msg:N message')).toEqual([
    ...['A → msg:R', 'A pending', 'A draft stored', 'A ← msg:A', 'A sent'].toSorted(
      (a, b) => ann.indexOf(a) - ann.indexOf(b),
    ),
    ...['A ← ack:N delivered', 'A delivered', 'A ← ack:N read', 'A read'],
  ])
  expect(ann.indexOf('A draft stored')).toBeLessThan(ann.indexOf('A ← msg:A'))
  expect(ann.indexOf('A ← msg:A')).toBeLessThan(ann.indexOf('A sent'))
  const order = ['B ← msg:N message', 'B shown', 'B → ack:R delivered', 'B → ack:R read']
  expect(order.map((line) => bob.indexOf(line))).not.toContain(-1)
  expect(bob.indexOf('B ← msg:N message')).toBeLessThan(bob.indexOf('B shown'))
  expect(bob.indexOf('B ← msg:N message')).toBeLessThan(bob.indexOf('B → ack:R delivered'))
  expect(bob.indexOf('B → ack:R delivered')).toBeLessThan(bob.indexOf('B → ack:R read'))
})

test('[M-36] a message is shown before anything of it is on the network', async () => {
  const log: string[] = []
  const ports = tracedPorts(defaultPorts(), trace('A', log))
  const alice = await connect('ann36', 'n1', { ports })
  const room = alice.direct('bob36')
  const message = room.send({ text: 'hi' })
  // The same turn: not a byte has left.
  expect([room.outgoing, message.status, message.body]).toEqual([
    ...[[message], 'pending', { text: 'hi' }],
  ])
  expect(log).toEqual([])
  await message.sent
  expect(log.slice(0, 2)).toEqual(['A → msg:R', 'A ← msg:A'])
  await eventually(
    () => room.outgoing.length,
    (length) => length === 0,
  )
})

test('[M-39] the kinds of acknowledgements that nodes bring about, with the papers’ fields', async () => {
  const alice = await connect('ann39', 'n1')
  const bob = await connect('bob39', 'n3')
  const group = await alice.createGroup({ members: ['bob39'] })
  const acks: Acknowledgement[] = []
  const send = (body: unknown, replyTo?: number) => {
    const message = group.send(body, { replyTo })
    message.on('ack', (ack) => acks.push(ack))
    return message
  }
  const message = send('hi')
  const messages = bob.conversation(group.id!).messages({ after: 0 })
  await messages.next()
  void messages.next()
  await message.delivered
  bob.conversation(group.id!).markRead((await message.sent).seq)
  await message.read
  const refused = send('no', 99)
  await expect(refused.sent).rejects.toMatchObject({ code: 'UNKNOWN_REPLY' })
  // Retention takes it before anybody has it.
  const lonely = await alice.createGroup({ members: ['nobody39'] })
  const expired = lonely.send('too old')
  expired.on('ack', (ack) => acks.push(ack))
  await expired.sent
  await lonely.send('newer').sent
  await lonely.set({ retention: { maxCount: 1 } })
  await eventually(
    () => acks.at(-1)?.type,
    (type) => type === AckType.FAILED,
  )
  const unknown = send('under way')
  alice.close()
  await expect(unknown.sent).rejects.toMatchObject({ code: 'CLOSED', outcome: 'unknown' })
  const { msgId: message_id } = message
  expect(acks).toMatchObject([
    { message_id, type: AckType.ACCEPTED, sender_id: null, error_code: null },
    { message_id, type: AckType.DELIVERED, sender_id: 'bob39', error_code: null },
    { message_id, type: AckType.SEEN, sender_id: 'bob39', error_code: null },
    { message_id: refused.msgId, type: AckType.REJECTED, error_code: 'UNKNOWN_REPLY' },
    { message_id: expired.msgId, type: AckType.ACCEPTED, sender_id: null, error_code: null },
    { message_id: expired.msgId, type: AckType.FAILED, error_code: null },
    { message_id: unknown.msgId, type: AckType.UNKNOWN, error_code: 'CLOSED' },
  ])
  for (const { timestamp } of acks) expect(timestamp).toBeGreaterThan(1_600_000_000_000)
})

test('[M-40] refused: no more frames; unknown: retry() has the same msgId and since', async () => {
  const out: TracedFrame['frame'][] = []
  let losesAnswers = false
  const ports = tracedPorts(
    defaultPorts(),
    ({ way, frame }) => {
      if (way === 'out' && frame.t === 'msg:R') out.push(frame)
    },
    (frames) => (losesAnswers && frames.some(({ t }) => t === 'msg:A') ? 0 : 1),
  )
  // Longer than a busy node takes to answer.
  const retry = { initialDelayMs: 1_000, jitter: 0, maxRetries: 2 }
  const alice = await connect('ann40', 'n1', { ports, retry, silenceMs: 60_000 })
  const room = await alice.createGroup({ members: [] })
  const refused = room.send('no', { replyTo: 99 })
  await expect(refused.sent).rejects.toMatchObject({ outcome: 'notApplied' })
  const copiesOf = ({ msgId }: { msgId: string }) => out.filter((frame) => frame['msgId'] === msgId)
  // More than one only if the node took longer than the delay to answer.
  const before = copiesOf(refused).length
  expect(before).toBeGreaterThan(0)
  await room.send('yes').sent
  expect(() => refused.retry()).toThrow(/./)
  losesAnswers = true
  const lost = room.send('lost')
  await expect(lost.sent).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown' })
  losesAnswers = false
  expect(copiesOf(lost)).toHaveLength(3)
  lost.retry()
  expect(await lost.sent).toMatchObject({ msgId: lost.msgId, duplicate: true })
  const copies = copiesOf(lost)
  expect(copies.length).toBeGreaterThanOrEqual(4)
  expect(new Set(copies.map((frame) => frame['since'])).size).toBe(1)
  expect(copies[0]!['since']).toEqual(expect.any(Number))
  expect(copiesOf(refused)).toHaveLength(before)
  expect(await bodiesOf(alice, room.id!)).toEqual(['yes', 'lost'])
})

test('[M-58] every push five times: each message once at the application', async () => {
  let pushes = 0
  const ports = tracedPorts(
    defaultPorts(),
    ({ way, frame }) => {
      if (way === 'in' && frame.t === 'msg:N') pushes += 1
    },
    (frames) => (frames.some(({ t }) => t === 'msg:N') ? 5 : 1),
  )
  const alice = await connect('ann58', 'n1')
  const bob = await connect('bob58', 'n2', { ports })
  const everything = bob.messages()
  const room = await alice.createGroup({ members: ['bob58'] })
  const shown: ChatMessage[] = []
  for (let n = 0; n < 50; n++) await room.send(n).sent
  while (shown.length < 50) shown.push((await everything.next()).value as ChatMessage)
  expect(shown.map(({ body }) => body)).toEqual(Array.from({ length: 50 }, (_, n) => n))
  expect(pushes).toBeGreaterThan(0)
  const next = everything.next()
  await room.send('last').sent
  expect((await next).value).toMatchObject({ body: 'last' })
})
