// The inbox numbers of users, while leaders die and groups grow large and small again.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { range, type Shown } from './inbox-client.ts'
import { SteadyClient } from './steady-client.ts'

const SENDERS = 10
const LARGE_ABOVE = 500
const SMALL_BELOW = 400

let cluster: ProcessCluster
const clients: SteadyClient[] = []

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(async () => {
  for (const client of clients) client.close()
  await cluster.close()
})

function steady(user: string, node = 0): SteadyClient {
  const client = new SteadyClient(cluster, user, node)
  clients.push(client)
  return client
}

async function killLeader(): Promise<void> {
  const leader = (await cluster.leader()) ?? (await cluster.healthy())
  await cluster.kill(leader)
  await cluster.start(leader)
  await cluster.healthy()
}

/** The user's whole inbox, as the node tells it. */
async function wholeInbox(user: string, node: number): Promise<Shown[]> {
  const client = steady(user, node)
  const events: Shown[] = []
  for (let after = 0, more = true; more;) {
    const page = await client.ask({ t: 'sync:R', after, limit: 500 })
    events.push(...(page['events'] as Shown[]))
    after = page['next'] as number
    more = page['hasMore'] as boolean
  }
  return events
}

test('[M-17] ten senders at once, three leaders die: the inbox is 1 to n without a gap or a repeat', async () => {
  const owner = steady('owner17')
  const names = range(1, SENDERS).map((n) => `sender${n}`)
  const created = await owner.ask({
    t: 'conv:R',
    op: 'create',
    msgId: 'group',
    members: [...names, 'target'],
  })
  const group = (created['conversation'] as { id: string }).id
  let isOver = false
  const stored: string[] = []
  const sending = names.map(async (name, at) => {
    const client = steady(name, at)
    for (let n = 1; !isOver; n += 1) {
      const msgId = `${name}-${n}`
      const to = n % 3 === 0 ? { conv: group } : { to: 'target' }
      const { conv, seq } = await client.ask({ t: 'msg:R', ...to, msgId, body: n })
      stored.push(`${String(conv)} ${String(seq)}`)
    }
  })
  const terms = new Set<number>()
  for (let kills = 0; kills < 3; kills += 1) {
    await killLeader()
    terms.add((await cluster.state(await cluster.healthy()))!.term)
  }
  isOver = true
  await Promise.all(sending)
  expect(terms.size).toBe(3)
  await cluster.converged()
  const [first, ...others] = await Promise.all([0, 1, 2].map((node) => wholeInbox('target', node)))
  expect(first!.map(({ inbox }) => inbox)).toEqual(range(1, stored.length + 1))
  const found = first!.map(({ conv, seq }) => `${conv} ${seq}`)
  expect([...found].sort()).toEqual([...stored, `${group} 1`].sort())
  for (const other of others) expect(other).toEqual(first)
  // Each conversation in its own order.
  for (const conv of new Set(first!.map((event) => event.conv))) {
    const seqs = first!.filter((event) => event.conv === conv).map(({ seq }) => seq)
    expect(seqs).toEqual(range(1, seqs.length))
  }
})

test('a group that grows large and small again under load, while a leader dies, loses and doubles nothing', async () => {
  const owner = steady('owner')
  const members = range(1, LARGE_ABOVE - 1).map((n) => `member${n}`)
  const created = await owner.ask({ t: 'conv:R', op: 'create', msgId: 'large', members })
  const { id: conv } = created['conversation'] as { id: string }
  const change = async (round: number, from: number, to: number, op: string): Promise<boolean> => {
    let answer = created
    for (let n = from; n <= to; n += 1) {
      const msgId = `${op}-${round}-${n}`
      answer = await owner.ask({ t: 'conv:R', op, conv, msgId, user: `member${n}` })
    }
    return (answer['conversation'] as { large?: boolean }).large ?? false
  }
  let isOver = false
  let sent = 0
  const load = ['member1', 'member2', 'member3'].map(async (name, at) => {
    const client = steady(name, at)
    for (let n = 1; !isOver; n += 1) {
      await client.ask({ t: 'msg:R', conv, msgId: `${name}-${n}`, body: n })
      sent += 1
    }
  })
  const first = LARGE_ABOVE - 110
  expect(await change(1, LARGE_ABOVE, LARGE_ABOVE + 1, 'add')).toBe(true)
  const killed = killLeader()
  expect(await change(1, first, LARGE_ABOVE + 1, 'remove')).toBe(false)
  await killed
  expect(await change(2, first, LARGE_ABOVE, 'add')).toBe(true)
  isOver = true
  await Promise.all(load)
  await cluster.converged()

  // What the stream of events says: with how many members each was told.
  const reader = steady('member4', 2)
  const events: { seq: number; kind: string; msgId: string; body: { op: string } }[] = []
  for (let after = 0, more = true; more;) {
    const page = await reader.ask({ t: 'pull:R', conv, after, limit: 1_000 })
    events.push(...(page['events'] as typeof events))
    after = page['next'] as number
    more = page['hasMore'] as boolean
  }
  expect(events.map(({ seq }) => seq)).toEqual(range(1, events.length))
  expect(events.filter(({ kind }) => kind === 'message')).toHaveLength(sent)
  expect(sent).toBeGreaterThan(0)
  expect(new Set(events.map(({ msgId }) => msgId)).size).toBe(events.length)
  const listed: number[] = []
  let count = LARGE_ABOVE
  let isLarge = false
  for (const { seq, kind, body } of events) {
    if (!isLarge) listed.push(seq)
    if (kind === 'member' && body.op !== 'create') count += body.op === 'add' ? 1 : -1
    isLarge = isLarge ? count >= SMALL_BELOW : count > LARGE_ABOVE
  }
  expect(listed.length).toBeLessThan(events.length)
  for (const node of [0, 1, 2]) {
    const inbox = await wholeInbox('member4', node)
    expect(inbox.map((event) => event.inbox)).toEqual(range(1, listed.length))
    expect(inbox.map(({ seq }) => seq)).toEqual(listed)
    // What has no number is told by the head.
    const ping = await steady('member4', node).ask({ t: 'ping:R', inbox: inbox.length })
    expect(ping['heads']).toEqual([{ conv, seq: events.length }])
  }
})
