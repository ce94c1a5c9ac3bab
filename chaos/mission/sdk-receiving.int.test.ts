// What the SDK makes of its inbox, against real nodes: away, pushed nothing, pushed everything thrice.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  ChatClient,
  defaultPorts,
  type ChatMessage,
  type ChatOptions,
  type ClientPorts,
} from '#client'
import { LevelStore } from '#client/store'
import { decodeFrames, encodeFrame, joinFrames, ProtocolError, type ServerFrame } from '#protocol'
import { LIVE_CASES } from '../../client/testing/live-cases.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { wrappedSocket } from './wrapped-socket.ts'

let cluster: ProcessCluster
let folder: string
const clients: ChatClient[] = []
let names = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-stores-'))
  cluster = await ProcessCluster.started(3)
})
afterAll(async () => {
  await cluster.close()
  await rm(folder, { recursive: true })
})
afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.close()
    await client.closed
  }
})

const newName = (name: string): string => `${name}${(names += 1)}`
const urls = () => cluster.nodes.map(({ url }) => url)
const range = (count: number, from = 1) => Array.from({ length: count }, (_, at) => from + at)

async function connect(user: string, more: Partial<ChatOptions> = {}): Promise<ChatClient> {
  const client = await ChatClient.connect({ urls: urls(), user, device: `${user}-device`, ...more })
  clients.push(client)
  return client
}

/** Ports whose sockets hand on what `change` makes of each frame. */
function withFrames(change: (frame: ServerFrame) => readonly ServerFrame[]): ClientPorts {
  const ports = defaultPorts()
  return {
    ...ports,
    openSocket: (url, subprotocol) =>
      wrappedSocket(ports.openSocket(url, subprotocol), {
        came: (data, handOn) => {
          const frames = decodeFrames(data, 'parley.v1.msgpack', 'toClient').flatMap((frame) =>
            frame instanceof ProtocolError ? [] : change(frame),
          )
          if (frames.length === 0) return
          handOn(joinFrames(frames.map((frame) => encodeFrame(frame, 'parley.v1.msgpack'))))
        },
      }),
  }
}

/** Collects a stream for as long as the client lives. */
function collect(stream: AsyncIterable<ChatMessage>): ChatMessage[] {
  const items: ChatMessage[] = []
  const run = async () => {
    for await (const item of stream) items.push(item)
  }
  run().catch(() => {})
  return items
}

test.each(LIVE_CASES.map((each) => [each.title, each] as const))('%s', async (_, live) => {
  await live.run({
    urls: urls(),
    newName,
    store: (name) => new LevelStore(join(folder, name)),
  })
})

test('[M-19] nothing that is pushed arrives: the next heartbeat brings all of it', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const alice = await connect(ann, {
    ports: withFrames((frame) => {
      if (frame.t === 'msg:N') return []
      // A node has a heartbeat every 15 s; a test has not.
      return [frame.t === 'hello:A' && !('error' in frame) ? { ...frame, heartbeatMs: 500 } : frame]
    }),
  })
  const seen = collect(alice.messages())
  const room = (await connect(bob)).direct(ann)
  for (let n = 1; n <= 250; n += 1) room.send(n)
  await expect.poll(() => seen.length).toBe(250)
  expect(seen.map(({ body }) => body)).toEqual(range(250))
})

test('[M-7] [M-58] every push arrives five times: shown once', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const alice = await connect(ann, {
    ports: withFrames((frame) => Array.from({ length: frame.t === 'msg:N' ? 5 : 1 }, () => frame)),
  })
  const seen = collect(alice.messages())
  const room = (await connect(bob)).direct(ann)
  for (let n = 1; n <= 100; n += 1) room.send(n)
  await room.send('last').sent
  await expect.poll(() => seen.at(-1)?.body).toBe('last')
  expect(seen.map(({ seq }) => seq)).toEqual(range(101))
})

test('[M-29] the position wiped, what was received kept: nothing is shown twice', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const store = () => new LevelStore(join(folder, `wiped-${ann}`))
  const first = await connect(ann, { store: store() })
  const before = collect(first.messages({ after: 'cursor' }))
  const room = (await connect(bob)).direct(ann)
  for (let n = 1; n <= 150; n += 1) room.send(n)
  await expect.poll(() => before.length).toBe(150)
  first.close()
  await first.closed
  const wiped = store()
  const { session, cursors } = await wiped.open(`${ann}-device`)
  expect([session.inbox, cursors.length]).toEqual([150, 1])
  await wiped.write({ session: { ...session, inbox: null } })
  await wiped.close()
  const second = await connect(ann, { store: store() })
  const after = collect(second.messages({ after: 'cursor' }))
  await room.send('last').sent
  await expect.poll(() => after.at(-1)?.body).toBe('last')
  await expect.poll(() => second.sync.conversations[0]?.head).toBe(151)
  // The last one before was in the application's hands when it ended.
  expect(after.filter(({ redelivered }) => !redelivered).map(({ seq }) => seq)).toEqual([151])
})

test('[M-56] away for 3,000 messages of 20 conversations: one of them is usable before the end', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const store = () => new LevelStore(join(folder, `away-${ann}`))
  const before = await connect(ann, { store: store() })
  before.close()
  await before.closed
  const bobby = await connect(bob)
  const rooms = await Promise.all(range(20).map(() => bobby.createGroup({ members: [ann] })))
  for (let n = 1; n <= 150; n += 1) await Promise.all(rooms.map((room) => room.send(n).sent))
  const after = await connect(ann, { store: store(), connectTimeoutMs: 0, syncPageEvents: 50 })
  const progress: { done: number; total: number }[] = []
  const first = new Promise<void>((resolve) => {
    after.sync.on('progress', (each) => {
      progress.push(each)
      resolve()
    })
  })
  const everything = collect(after.messages({ after: 'cursor' }))
  await first
  const { conversation } = after.sync.conversations[0]!
  const page = await after.conversation(conversation).history({ limit: 50 })
  expect(page.events).toHaveLength(50)
  expect(progress.at(-1)!.done).toBeLessThan(progress.at(-1)!.total)
  await expect.poll(() => everything.length).toBe(3000)
  expect(progress.at(-1)).toEqual({ done: progress.at(-1)!.total, total: progress.at(-1)!.total })
  for (const { id } of rooms) {
    const bodies = everything.filter((each) => each.conversation === id).map(({ body }) => body)
    expect(bodies).toEqual(range(150))
  }
})

test('delivered means kept by the store, or else handled by the application', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const alice = await connect(ann)
  const forgetful = await connect(bob, { device: `${bob}-browser` })
  const first = alice.direct(bob).send('nobody reads yet')
  await first.sent
  const stream = forgetful.direct(ann).messages({ after: 0 })
  expect((await stream.next()).value).toMatchObject({ body: 'nobody reads yet' })
  expect(first.status).toBe('sent')
  // Asking for the next one acknowledges the one before.
  const next = stream.next()
  await expect.poll(() => first.status).toBe('delivered')
  forgetful.close()
  await next.catch(() => {})
  const kept = await connect(bob, { store: new LevelStore(join(folder, bob)) })
  const second = alice.direct(bob).send('nobody reads this either')
  await expect.poll(() => second.status).toBe('delivered')
  kept.direct(ann).markRead((await second.sent).seq)
  await expect.poll(() => second.status).toBe('read')
})

test('a member of a large conversation misses nothing, and is told what is unread', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const alice = await connect(ann)
  const others = range(520).map((n) => `${bob}-other-${n}`)
  const room = await alice.createGroup({ members: [bob, ...others] })
  const numbered: unknown[] = []
  const bobby = await connect(bob, {
    ports: withFrames((frame) => {
      if (frame.t === 'sync:A' && 'events' in frame) numbered.push(...frame.events)
      if (frame.t === 'msg:N') return []
      return [frame.t === 'hello:A' && !('error' in frame) ? { ...frame, heartbeatMs: 500 } : frame]
    }),
  })
  const seen = collect(bobby.messages())
  await expect.poll(() => bobby.sync.conversations.length).toBe(1)
  for (let n = 1; n <= 40; n += 1) room.send(n)
  await expect.poll(() => seen.length).toBe(40)
  expect(seen.map(({ body }) => body)).toEqual(range(40))
  expect(numbered).toEqual([])
  await expect.poll(() => bobby.sync.conversations[0]?.unread).toBe(40)
})
