// The SDK as applications use it, against real nodes that are killed, paused and drained.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  ChatClient,
  type ChatMessage,
  type ChatOptions,
  type Conversation,
  type MessageStatus,
  type OutgoingMessage,
} from '#client'
import { ProcessCluster } from './process-cluster.ts'

let cluster: ProcessCluster
const clients: ChatClient[] = []
let names = 0

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(() => cluster.close())
beforeEach(async () => {
  for (const { name, process: child } of cluster.nodes) {
    if (child === null) await cluster.start(name)
  }
  await cluster.healthy()
})
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

const newName = (name: string): string => `${name}${(names += 1)}`

/** A client whose first session is with the given node; it learns of the others there. */
async function connect(user: string, node: string, more: Partial<ChatOptions> = {}) {
  const urls = [cluster.node(node).url]
  const client = await ChatClient.connect({ urls, user, device: `${user}-${node}`, ...more })
  clients.push(client)
  expect(client.state).toMatchObject({ state: 'connected', node })
  return client
}

/** The next `count` messages. */
async function take(messages: AsyncIterable<ChatMessage>, count: number): Promise<ChatMessage[]> {
  const taken: ChatMessage[] = []
  for await (const message of messages) {
    taken.push(message)
    if (taken.length === count) break
  }
  return taken
}

/** Every status that each message goes through. */
function watch(messages: readonly OutgoingMessage[]): MessageStatus[][] {
  return messages.map((message) => {
    const seen: MessageStatus[] = [message.status]
    message.on('status', (status) => seen.push(status))
    return seen
  })
}

/** That everything sent stands in the conversation once, in the order of the calls, on every node. */
async function expectOnceInOrder(id: string, user: string, sent: readonly OutgoingMessage[]) {
  const results = await Promise.all(sent.map((message) => message.sent))
  const seqs = results.map(({ seq }) => seq)
  expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
  for (const { name } of cluster.running) {
    const reader = await connect(user, name, { device: newName('reader') })
    const all: ChatMessage[] = []
    let page = await reader.conversation(id).history({ limit: 500 })
    for (;;) {
      all.unshift(...page.events.filter((event): event is ChatMessage => event.kind === 'message'))
      if (!page.hasMore) break
      page = await page.next()
    }
    expect(all.map(({ body }) => body)).toEqual(sent.map(({ body }) => body))
    expect(all.map(({ seq }) => seq)).toEqual(seqs)
    reader.close()
  }
}

describe('one client after another', () => {
  test('send, receive, history; a message is there at once and sent when a majority has it', async () => {
    const [ann, bob] = [newName('ann'), newName('bob')]
    const alice = await connect(ann, 'n1')
    const bobby = await connect(bob, 'n2')
    const everything = bobby.messages()
    const room = alice.direct(bob)
    const own = room.messages()
    const message = room.send({ text: 'hello', picture: new Uint8Array([1, 2, 3]) })
    const seen = watch([message])
    expect(message).toMatchObject({ status: 'pending', body: { text: 'hello' }, result: null })
    expect(alice.pending).toBeGreaterThan(0)
    const result = await message.sent
    expect(result).toMatchObject({ msgId: message.msgId, seq: 1, duplicate: false })
    expect(message).toMatchObject({ status: 'sent', error: null, result })
    await sleep(0)
    expect(seen).toEqual([['pending', 'sent']])
    expect(alice.pending).toBe(0)

    const [received] = await take(everything, 1)
    expect(received).toMatchObject({
      ...{ conversation: result.conversation, seq: 1, from: ann, at: result.at },
      body: { text: 'hello', picture: new Uint8Array([1, 2, 3]) },
    })
    const answer = bobby.direct(ann).send('hi', { replyTo: 1 })
    expect(await answer.sent).toMatchObject({ conversation: result.conversation, seq: 2 })
    expect((await take(own, 2)).map(({ body, replyTo }) => [body, replyTo])).toEqual([
      [message.body, null],
      ['hi', 1],
    ])
    for (let n = 3; n <= 30; n += 1) room.send(n)
    await alice.drain()
    expect(alice.state.state).toBe('closed')
    const page = await bobby.direct(ann).history({ limit: 20 })
    expect(page.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => n + 11))
    const older = await page.next()
    expect(older.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, n) => n + 1))
    expect(older.hasMore).toBe(false)
  })

  test('a reader slower than the pushes gets every message once, in order', async () => {
    const [ann, bob] = [newName('ann'), newName('bob')]
    const alice = await connect(ann, 'n1')
    const bobby = await connect(bob, 'n3', { bufferedEvents: 20 })
    const room = await alice.createGroup({ members: [bob] })
    const messages = bobby.conversation(room.id!).messages({ after: 0 })
    const count = 600
    const sent = Array.from({ length: count }, (_, n) => room.send(n))
    const bodies: unknown[] = []
    for await (const { body } of messages) {
      bodies.push(body)
      if (bodies.length === count) break
      if (bodies.length % 10 === 0) await sleep(5)
    }
    expect(bodies).toEqual(sent.map(({ body }) => body))
  })
})

test('what a node refuses is failed with its code, and holds nobody up', async () => {
  const alice = await connect(newName('ann'), 'n2')
  const stranger = await connect(newName('eve'), 'n2')
  const room = await alice.createGroup({ members: [] })
  const first = room.send('one')
  const wrong = room.send('two', { replyTo: 99 })
  const last = room.send('three')
  await expect(wrong.sent).rejects.toMatchObject({ code: 'UNKNOWN_REPLY', outcome: 'notApplied' })
  expect([(await first.sent).seq, (await last.sent).seq]).toEqual([2, 3])
  expect(wrong.status).toBe('failed')
  const foreign = stranger.conversation(room.id!)
  await expect(foreign.send('hi').sent).rejects.toMatchObject({ code: 'NOT_MEMBER' })
  await expect(foreign.history()).rejects.toMatchObject({ code: 'NOT_MEMBER' })
  await expect(foreign.messages({ after: 0 }).next()).rejects.toMatchObject({ code: 'NOT_MEMBER' })
})

test('after close nothing goes out, and what had no answer is failed with an unknown outcome', async () => {
  const alice = await connect(newName('ann'), 'n1')
  const room = await alice.createGroup({ members: [] })
  // No node answers before the end.
  for (const { name } of cluster.nodes) await cluster.signal(name, 'SIGSTOP')
  try {
    const message = room.send('late')
    await sleep(0)
    const messages = room.messages()
    alice.close()
    await expect(message.sent).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => room.send('later')).toThrow(/no more writes/)
    expect(await messages.next()).toMatchObject({ done: true })
  } finally {
    for (const { name } of cluster.nodes) await cluster.signal(name, 'SIGCONT')
  }
})

/** Sends while `harm` is done, and proves that all of it was sent once, in order, and pushed so. */
async function sendThrough(
  start: string,
  harm: (room: Conversation, sent: OutgoingMessage[]) => Promise<void>,
): Promise<{ sent: OutgoingMessage[]; seen: MessageStatus[][] }> {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const alice = await connect(ann, start)
  const elsewhere = cluster.nodes.find(({ name }) => name !== start)!.name
  const bobby = await connect(bob, elsewhere)
  const room = await alice.createGroup({ members: [bob] })
  const messages = bobby.conversation(room.id!).messages({ after: 0 })
  const sent = Array.from({ length: 50 }, (_, n) => room.send({ n }))
  await Promise.all(sent.map((message) => message.sent))
  const before = sent.length
  for (let n = 0; n < 100; n += 1) sent.push(room.send({ n: before + n }))
  const seen = watch(sent.slice(before))
  // Some of them are on the wire now.
  await sleep(0)
  await harm(room, sent)
  sent.push(room.send('last'))
  await Promise.all(sent.map((message) => message.sent))
  const received = await take(messages, sent.length)
  expect(received.map(({ body }) => body)).toEqual(sent.map(({ body }) => body))
  await expectOnceInOrder(room.id!, ann, sent)
  // What comes after that is up to the readers.
  expect(seen.map((statuses) => statuses.slice(0, 2))).toEqual(seen.map(() => ['pending', 'sent']))
  return { sent, seen }
}

async function aFollower(): Promise<string> {
  const leader = await cluster.leader()
  return cluster.nodes.find(({ name }) => name !== leader)!.name
}

describe('with 100 messages in flight', () => {
  test('[M-13] the own node killed: sent once, in order, through another', async () => {
    const node = await aFollower()
    await sendThrough(node, async (_, sent) => {
      expect(sent.filter(({ status }) => status === 'pending').length).toBeGreaterThan(50)
      await cluster.kill(node)
    })
  })

  test('the leader killed, with it the own session', async () => {
    const leader = (await cluster.leader())!
    await sendThrough(leader, () => cluster.kill(leader))
  })

  test('the leader killed, the own node a follower', async () => {
    const leader = (await cluster.leader())!
    await sendThrough(await aFollower(), () => cluster.kill(leader))
  })

  test('the leader paused: sent through the others, once, also when it wakes up', async () => {
    const leader = (await cluster.leader())!
    await sendThrough(leader, async (_, sent) => {
      await cluster.signal(leader, 'SIGSTOP')
      // The session with a paused node does not end: silence must.
      await sent.at(-1)!.sent
      await cluster.signal(leader, 'SIGCONT')
      await cluster.healthy()
    })
  })

  test('the own node drained while sending goes on: nothing fails, nothing waits long', async () => {
    const leader = (await cluster.leader())!
    let longestMs = 0
    await sendThrough(leader, async (room, sent) => {
      const ended = cluster.signal(leader, 'SIGTERM')
      for (let n = 0; cluster.node(leader).process !== null || n < 50; n += 1) {
        const from = performance.now()
        const message = room.send({ during: n })
        sent.push(message)
        await message.sent
        longestMs = Math.max(longestMs, performance.now() - from)
      }
      await ended
      expect(cluster.node(leader).exit).toEqual({ code: 0, signal: null })
    })
    expect(longestMs).toBeLessThan(5_000)
  })
})

test('[CV3] blocks, retention, history and all members of a large group, on any node', async () => {
  const [ann, bob, cid] = [newName('ann'), newName('bob'), newName('cid')]
  const [alice, bobby] = [await connect(ann, 'n1'), await connect(bob, 'n2')]
  await bobby.direct(ann).send('before').sent
  await alice.block(bob)
  await expect(bobby.direct(ann).send('refused').sent).rejects.toMatchObject({
    code: 'USER_BLOCKED',
  })
  expect(await alice.direct(bob).info()).toMatchObject({ blocked: true, head: 1 })
  await alice.unblock(bob)
  expect(await bobby.direct(ann).send('after').sent).toMatchObject({ seq: 2 })

  const members = [bob, ...Array.from({ length: 600 }, (_, n) => `${cid}-${n}`)]
  const room = await alice.createGroup({ members })
  const retention = { maxCount: 5 }
  const changed = await room.set({ retention, history: true })
  expect(changed).toMatchObject({ retention, history: true, large: true, memberCount: 602 })
  const there = bobby.conversation(room.id!)
  const shown: string[] = []
  for (let membersFrom: number | null = 0; membersFrom !== null;) {
    const info = await there.info({ membersFrom })
    shown.push(...info.members.map(({ user }) => user))
    membersFrom = info.nextMembers
  }
  expect(shown.sort()).toEqual([ann, ...members].sort())
})
