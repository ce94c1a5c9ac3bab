// A group as large as it gets while its events still stand in inboxes.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'
import { range, syncAll } from './inbox-client.ts'
import { eventually } from './mission-clients.ts'

const MEMBERS = 500
const OFFLINE = 100
const SENDERS = 5
const MESSAGES = 8

let cluster: ProcessCluster
const clients: WireClient[] = []

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(async () => {
  for (const client of clients) client.close()
  await cluster.close()
})

/** A node takes so many hellos a second; who comes too early is told to wait. */
async function connect(user: string, node: string): Promise<WireClient> {
  for (;;) {
    try {
      const client = await WireClient.connect(cluster.node(node).url, user, 'phone')
      clients.push(client)
      return client
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'OVERLOADED') throw error
      await sleep(100)
    }
  }
}

/** Of the conversation: what was pushed, and what this client wrote itself, as it came. */
function seenBy({ received }: WireClient, conv: string): [seq: number, msgId: string][] {
  return received
    .filter(({ t, conv: of, kind }) => of === conv && (t === 'msg:A' || (t === 'msg:N' && kind)))
    .map(({ seq, msgId }) => [seq, msgId])
}

test('[M-12] a group of 500, a fifth of them away: all have the same list in the end', async () => {
  const names = range(1, MEMBERS).map((n) => `user${n}`)
  const online: WireClient[] = []
  for (let first = 0; first < MEMBERS - OFFLINE; first += 50) {
    const part = names.slice(first, Math.min(first + 50, MEMBERS - OFFLINE))
    online.push(
      ...(await Promise.all(part.map((name, at) => connect(name, `n${((first + at) % 3) + 1}`)))),
    )
  }
  const owner = online[0]!
  const members = names.slice(1)
  const created = await owner.ask({ t: 'conv:R', op: 'create', msgId: 'create', members })
  const { id: conv, large } = created['conversation'] as { id: string; large?: boolean }
  expect(large).toBeUndefined()

  // Through all nodes at once, pipelined.
  await Promise.all(
    online.slice(1, 1 + SENDERS).map(async (sender, at) => {
      await Promise.all(range(1, MESSAGES).map((n) => sender.say({ conv }, `m${at}-${n}`, n)))
    }),
  )
  const all = range(1, 1 + SENDERS * MESSAGES)
  await eventually(
    () => online.filter((client) => seenBy(client, conv).length < all.length).length,
    (lacking) => lacking === 0,
    60_000,
  )
  const pulled = await owner.ask({ t: 'pull:R', conv, after: 0, limit: 1_000 })
  const order: string[] = pulled['events'].map(({ msgId }: { msgId: string }) => msgId)
  const list = order.map((msgId, at) => [at + 1, msgId])
  expect(list).toHaveLength(all.length)
  for (const [at, client] of online.entries()) {
    const seen = seenBy(client, conv)
    // Of one's own msg:A tells, which may pass what is pushed.
    const isSender = at >= 1 && at <= SENDERS
    if (isSender) seen.sort(([a], [b]) => a - b)
    expect(seen, names[at]).toEqual(list)
  }

  for (let first = MEMBERS - OFFLINE; first < MEMBERS; first += 50) {
    const part = names.slice(first, first + 50)
    await Promise.all(
      part.map(async (name, at) => {
        const client = await connect(name, `n${(at % 3) + 1}`)
        expect(client.hello['inbox']).toBe(all.length)
        const { events } = await syncAll(client, 0, 100)
        expect(events.map(({ inbox, seq }) => [inbox, seq])).toEqual(all.map((n) => [n, n]))
        const ids = events.map((event) => (event as unknown as { msgId: string }).msgId)
        expect(ids).toEqual(order)
      }),
    )
  }
})
