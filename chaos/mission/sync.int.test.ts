// What a device that was away, or missed what was pushed, gets of its user's inbox.
import { randomInt } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { FrameRelay } from '../processes/frame-relay.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { type Frame, WireClient } from '../workload/wire-client.ts'
import { inboxes, notified, pushed, range, sendMany, syncAll } from './inbox-client.ts'

let cluster: ProcessCluster
const clients: WireClient[] = []
let names = 0
/** Of what comes by itself, on a machine that is busy. */
const PATIENCE = { timeout: 20_000 }

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(() => cluster.close())
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
})

const newName = (name: string): string => `${name}${(names += 1)}`

interface Hello {
  readonly node?: string
  readonly device?: string
  readonly mode?: string
  readonly inbox?: number
}

async function connect(user: string, { node = 'n1', device, mode, inbox }: Hello = {}) {
  const epoch = clients[0]?.hello['epoch'] as string
  const client = await WireClient.connect(
    cluster.node(node).url,
    user,
    device ?? `${user}-${node}`,
    {
      ...(mode === undefined ? {} : { mode }),
      ...(inbox === undefined ? {} : { resume: { epoch, inbox } }),
    },
  )
  clients.push(client)
  return client
}

/** Has `count` messages wait in a new user's inbox, of three senders in turn. */
async function backlog(count: number): Promise<string> {
  const bob = newName('bob')
  for (let n = 0; n < 3; n += 1) {
    const sender = await connect(newName('ann'), { node: `n${n + 1}` })
    const first = Math.floor((count * n) / 3)
    const many = Math.floor((count * (n + 1)) / 3) - first
    await sendMany(sender, { to: bob }, many, { name: newName('m'), first: first + 1 })
  }
  // Any node is asked for it next.
  await cluster.converged()
  return bob
}

test('[M-18] whatever number a client has, it gets exactly the ones after it', async () => {
  const bob = await backlog(230)
  const client = await connect(bob, { node: 'n2' })
  expect(client.hello['inbox']).toBe(230)
  const all = await syncAll(client, 0, 100)
  expect(inboxes(all.events)).toEqual(range(1, 230))
  for (let i = 0; i < 12; i += 1) {
    const after = randomInt(0, 231)
    const { events, pages } = await syncAll(client, after, randomInt(20, 120))
    expect(events, `after ${after}`).toEqual(all.events.slice(after))
    expect(pages.at(-1)).toMatchObject({ next: 230, upTo: 230, hasMore: false })
  }
})

test('[M-20] each device gets what it lacks itself', async () => {
  const bob = await backlog(10)
  // Each confirms what it got, and goes.
  for (const [device, inbox] of [['phone', 10] as const, ['laptop', 4] as const]) {
    const first = await connect(bob, { device, node: 'n2', inbox: 0 })
    await first.until(({ t }) => t === 'caughtup:N')
    expect(inboxes(pushed(first))).toEqual(range(1, 10))
    expect((await first.ask({ t: 'ack:R', acks: [], inbox })).error).toBeUndefined()
    await first.leave()
  }
  const phone = await connect(bob, { device: 'phone', node: 'n1', inbox: 10 })
  const laptop = await connect(bob, { device: 'laptop', node: 'n3', inbox: 4 })
  await laptop.until(({ t }) => t === 'caughtup:N')
  await phone.until(({ t }) => t === 'caughtup:N')
  expect(inboxes(pushed(laptop))).toEqual(range(5, 10))
  expect(pushed(phone)).toEqual([])
  const ann = await connect(newName('ann'))
  await sendMany(ann, { to: bob }, 1, { name: newName('m') })
  const tablet = await connect(bob, { device: 'tablet', node: 'n3', inbox: 11 })
  for (const device of [phone, laptop]) await device.until(({ inbox }) => inbox === 11)
  expect(inboxes(pushed(phone))).toEqual([11])
  expect(inboxes(pushed(laptop))).toEqual(range(5, 11))
  // Two of them at one node.
  await sendMany(ann, { to: bob }, 1, { name: newName('m') })
  for (const device of [phone, laptop, tablet]) await device.until(({ inbox }) => inbox === 12)
  expect(inboxes(pushed(tablet))).toEqual([12])
})

test('[M-19] one whom nothing pushed reaches learns by its next heartbeat, and gets it all', async () => {
  const bob = newName('bob')
  const relay = await FrameRelay.to(cluster.node('n2').url)
  try {
    relay.filter = ({ t }) => t !== 'msg:N'
    const subprotocol = 'parley.v1.msgpack'
    const client = await WireClient.connect(relay.url, bob, 'phone', { subprotocol })
    clients.push(client)
    const ann = await connect(newName('ann'))
    const { seqs } = await sendMany(ann, { to: bob }, 120, { name: newName('m') })
    // The other node may be a moment behind.
    const heartbeat = () => client.ask({ t: 'ping:R', inbox: 0 })
    await expect.poll(async () => (await heartbeat())['inbox'] as number, PATIENCE).toBe(120)
    const { events } = await syncAll(client, 0, 50)
    expect(events.map(({ seq }) => seq)).toEqual(seqs)
    expect(client.received.filter(({ t }) => t === 'msg:N')).toEqual([])
    // What is lost no more comes whole again, behind what was synced.
    relay.filter = () => true
    await sendMany(ann, { to: bob }, 1, { name: newName('m') })
    await client.until(({ t, inbox }) => t === 'msg:N' && inbox === 121)
    expect(inboxes(pushed(client))).toEqual([121])
  } finally {
    relay.close()
  }
})

test('[M-26] a hundred messages at once are few notifies, and one pull in order', async () => {
  const bob = newName('bob')
  const client = await connect(bob, { node: 'n3', mode: 'notify' })
  const ann = await connect(newName('ann'))
  const startMs = performance.now()
  const { seqs, conv } = await sendMany(ann, { to: bob }, 100, { name: newName('m') })
  await client.until(({ t, inbox }) => t === 'msg:N' && inbox === 100)
  // At most one as it begins, one for each 50 ms that it took, and one as it ends.
  const most = 2 + Math.ceil((performance.now() - startMs) / 50)
  expect(notified(client).length).toBeLessThanOrEqual(most)
  expect(pushed(client)).toEqual([])
  expect(notified(client).at(-1)).toMatchObject({ conv, seq: seqs.at(-1), inbox: 100 })
  const page = await client.ask({ t: 'sync:R', after: 0, limit: 100 })
  expect(page).toMatchObject({ next: 100, hasMore: false })
  expect(page['events'].map(({ seq }: { seq: number }) => seq)).toEqual(seqs)
})

test('[M-10] a client that dies before it confirms a page gets the same page again', async () => {
  const bob = await backlog(120)
  const dying = await connect(bob, { node: 'n1', inbox: 0 })
  const first = await dying.ask({ t: 'sync:R', after: 0, limit: 50 })
  await dying.leave()
  // Nothing of it counts as delivered: the acks of others that come later stand behind it.
  const conv = first['events'][0].conv as string
  const reader = await connect(bob, { device: 'reader', node: 'n1', inbox: 120 })
  expect((await reader.ask({ t: 'ack:R', acks: [], inbox: 120 })).error).toBeUndefined()
  const { receipts } = await reader.ask({ t: 'conv:R', op: 'receipts', conv, seq: 1 })
  expect(receipts).toMatchObject({ seq: 1, delivered: 0 })
  const next = await connect(bob, { node: 'n2', inbox: 0 })
  const again = await next.ask({ t: 'sync:R', after: 0, limit: 50 })
  expect(again['events']).toEqual(first['events'])
  expect(inboxes(again['events'])).toEqual(range(1, 50))
  const shown = new Set<string>()
  for (const { conv, seq } of [...first['events'], ...again['events']]) shown.add(`${conv} ${seq}`)
  expect(shown.size).toBe(50)
  const rest = await syncAll(next, 50, 50, (_, after) => ({ ack: after }))
  expect(inboxes(rest.events)).toEqual(range(51, 120))
})

test('[M-52] what waits for one who is away is there, comes in order, and comes once', async () => {
  const bob = newName('bob')
  const ann = await connect(newName('ann'))
  // a: nobody is there, and it is stored; b: the position tells what waits.
  const { seqs } = await sendMany(ann, { to: bob }, 30, { name: newName('m') })
  await cluster.converged()
  const back = await connect(bob, { node: 'n2' })
  expect(back.hello['inbox']).toBe(30)
  // c: it is pushed in order, then nothing is left.
  expect(await back.until(({ t }) => t === 'caughtup:N')).toMatchObject({ inbox: 30 })
  expect(pushed(back).map(({ seq }) => seq)).toEqual(seqs)
  expect((await back.ask({ t: 'sync:R', after: 30, limit: 50, ack: 30 }))['events']).toEqual([])
  await back.leave()
  // d: what a device has is not sent to it again, and stays in the history.
  const later = await connect(bob, { node: 'n3', inbox: 30 })
  await later.until(({ t }) => t === 'caughtup:N')
  expect(later.received.filter(({ t }) => t === 'msg:N')).toEqual([])
  const conv = pushed(back)[0]!.conv
  const history = await later.ask({ t: 'pull:R', conv, after: 0, limit: 100 })
  expect(history['events']).toHaveLength(30)
})

test('[M-27] the ack of a page rides on the request for the next one', async () => {
  const bob = newName('bob')
  const ann = await connect(newName('ann'))
  const { seqs, conv } = await sendMany(ann, { to: bob }, 150, { name: newName('m') })
  const client = await connect(bob, { node: 'n2' })
  let requests = 0
  const { pages } = await syncAll(client, 0, 50, (_, after) => {
    requests += 1
    return after === 0 ? {} : { ack: after }
  })
  await client.ask({ t: 'sync:R', after: 150, limit: 50, ack: 150 })
  requests += 1
  expect(pages).toHaveLength(3)
  expect(requests).toBe(pages.length + 1)
  const delivered = { conv, kind: 'delivered', by: bob }
  const isTold = (upTo: number) => (frame: Frame) =>
    Object.entries({ ...delivered, t: 'ack:N', upTo }).every(([name, is]) => frame[name] === is)
  await ann.until(isTold(seqs[149]!), 'the receipt of the last page')

  const more = await sendMany(ann, { conv }, 1, { name: newName('m') })
  const [next] = more.seqs
  await client.ask({ t: 'pull:R', conv, after: next, limit: 50, ack: next })
  await ann.until(isTold(next!), 'the receipt of the pull')
})

test('[M-55] who was away learns what became of 1,000 messages in a tenth of their bytes', async () => {
  const ann = newName('ann')
  const sending = await connect(ann)
  const bobs: string[] = []
  for (let n = 0; n < 5; n += 1) {
    const bob = newName('bob')
    bobs.push(bob)
    await sendMany(sending, { to: bob }, 200, { name: newName('m'), fill: 'words '.repeat(20) })
  }
  const mark = sending.received.findLast((frame) => frame['mark'] !== undefined)!['mark'] as string
  const epoch = sending.hello['epoch'] as string
  await sending.leave()
  for (const bob of bobs) {
    const client = await connect(bob, { node: 'n3' })
    const { events } = await syncAll(client, 0, 100)
    const { conv } = events[0]!
    const acked = await client.ask({ t: 'ack:R', acks: [{ conv, upTo: 200, kind: 'read' }] })
    expect(acked.error).toBeUndefined()
  }

  const url = cluster.node('n2').url
  const back = await WireClient.connect(url, ann, 'phone', {
    resume: { epoch, inbox: 1_000, mark },
  })
  clients.push(back)
  const statuses: { kind: string; upTo: number; user: string }[] = []
  // Of the newest receipts each node hears a little later than the one that took them.
  await expect
    .poll(async () => {
      const again = await WireClient.connect(url, ann, 'tablet', {
        resume: { epoch, inbox: 0, mark },
      })
      clients.push(again)
      const page = await again.ask({ t: 'sync:R', after: 1_000, limit: 100, mark })
      expect(page['events']).toEqual([])
      statuses.splice(0, statuses.length, ...page['statuses'])
      return statuses.filter(({ kind, upTo }) => kind === 'read' && upTo === 200).length
    }, PATIENCE)
    .toBe(5)
  expect(new Set(statuses.map(({ user }) => user))).toEqual(new Set(bobs))
  const full = await syncAll(back, 0, 100)
  expect(full.events).toHaveLength(1_000)
  expect(JSON.stringify(statuses).length).toBeLessThan(JSON.stringify(full.events).length / 10)
})

test('[M-53] one who was away while retention removed messages gets an explicit gap', async () => {
  const bob = newName('bob')
  const ann = await connect(newName('ann'))
  await sendMany(ann, { to: bob }, 1, { name: newName('m') })
  const create = { t: 'conv:R', op: 'create', msgId: newName('c'), members: [bob] }
  const conv = (await ann.ask(create))['conversation'].id as string
  await sendMany(ann, { conv }, 5, { name: newName('m') })
  const policy = { t: 'conv:R', op: 'set', conv, msgId: newName('s'), retention: { maxCount: 2 } }
  expect((await ann.ask(policy)).error).toBeUndefined()
  await expect
    .poll(async () => (await ann.ask({ t: 'pull:R', conv, after: 0, limit: 100 }))['gap'], PATIENCE)
    .toEqual({ from: 1, to: 4, reason: 'retention' })

  // What is whole is pushed; then the client hears that there is more, and syncs.
  const back = await connect(bob, { node: 'n1' })
  await back.until(({ t, inbox }) => t === 'msg:N' && inbox === 8)
  expect(inboxes(pushed(back))).toEqual([1])
  expect(notified(back)).toHaveLength(1)
  const page = await back.ask({ t: 'sync:R', after: 1, limit: 100 })
  expect(page['gap']).toEqual({ from: 2, to: 5, reason: 'retention' })
  expect(inboxes(page['events'])).toEqual([6, 7, 8])
  expect(page).toMatchObject({ next: 8, upTo: 8, hasMore: false })
  await back.until(({ t }) => t === 'caughtup:N')
  expect(page['conversations'][0]).toEqual({ conv, head: 7, unread: 2 })
})
