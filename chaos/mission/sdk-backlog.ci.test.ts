// A device that was away for 10,000 messages, against real nodes.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ChatClient, type ChatMessage, type Conversation, type SyncEvents } from '#client'
import { LevelStore } from '#client/store'
import { ProcessCluster } from '../processes/process-cluster.ts'

const GROUPS = 50
const EACH = 200
const WAIT = { timeout: 180_000, interval: 20 }
const range = (count: number) => Array.from({ length: count }, (_, at) => 1 + at)

test('[M-54] [M-56] away for 10,000 messages: caught up in order, with progress, the first conversation usable before the end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-backlog-'))
  const cluster = await ProcessCluster.started(3)
  const urls = cluster.nodes.map(({ url }) => url)
  const connect = (user: string, more = {}): Promise<ChatClient> =>
    ChatClient.connect({ urls, user, device: `${user}-phone`, connectTimeoutMs: 60_000, ...more })
  const clients: ChatClient[] = []
  try {
    const before = await connect('alice', { store: new LevelStore(join(folder, 'alice')) })
    before.close()
    await before.closed
    const bob = await connect('bob')
    clients.push(bob)
    const rooms: Conversation[] = []
    for (let n = 0; n < GROUPS; n += 1) rooms.push(await bob.createGroup({ members: ['alice'] }))
    for (const n of range(EACH)) await Promise.all(rooms.map((room) => room.send(n).sent))

    const store = new LevelStore(join(folder, 'alice'))
    const alice = await connect('alice', { store, connectTimeoutMs: 0 })
    clients.push(alice)
    const progress: SyncEvents['progress'][] = []
    alice.sync.on('progress', (each) => progress.push(each))
    const seen = new Map<string, unknown[]>()
    let count = 0
    const read = async (stream: AsyncIterable<ChatMessage>): Promise<void> => {
      for await (const { conversation, body } of stream) {
        const bodies = seen.get(conversation)
        if (bodies === undefined) seen.set(conversation, [body])
        else bodies.push(body)
        count += 1
      }
    }
    const reading = read(alice.messages({ after: 'cursor' }))

    await expect.poll(() => progress.length, WAIT).toBeGreaterThan(0)
    expect(alice.sync.conversations).toHaveLength(GROUPS)
    const { conversation } = alice.sync.conversations[0]!
    const page = await alice.conversation(conversation).history({ limit: 50 })
    const { done, total } = progress.at(-1)!
    expect(page.events.at(-1)).toMatchObject({ kind: 'message', body: EACH })
    expect(page.events).toHaveLength(50)
    expect(done).toBeLessThan(total)

    await expect.poll(() => count, WAIT).toBe(GROUPS * EACH)
    for (const { id } of rooms) expect(seen.get(id!)).toEqual(range(EACH))
    const dones = progress.map((each) => each.done)
    expect(dones).toEqual(dones.toSorted((one, other) => one - other))
    // Besides the messages, each group's first event.
    expect(progress.at(-1)).toEqual({ done: total, total: GROUPS * (EACH + 1) })
    alice.close()
    await reading
  } finally {
    for (const client of clients) {
      client.close()
      await client.closed
    }
    await cluster.close()
    await rm(folder, { recursive: true, force: true })
  }
})
