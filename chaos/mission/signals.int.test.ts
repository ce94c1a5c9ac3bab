// Signals between clients of three real nodes: in order, at most once, kept nowhere.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { type Frame, WireClient } from '../workload/wire-client.ts'

let cluster: ProcessCluster
const clients: WireClient[] = []

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
  // Routes follow the leader: a signal gets through as soon as they do.
  const [ann, ben] = [await connect('first-ann', 'n1'), await connect('first-ben', 'n2')]
  for (let n = 1; signalsOf(ben).length === 0; n += 1) {
    await send(ann, { to: 'first-ben', n, ttlMs: 1_000 })
    await sleep(20)
  }
})
afterAll(async () => {
  for (const client of clients) client.close()
  await cluster.close()
})

async function connect(user: string, node: string): Promise<WireClient> {
  const client = await WireClient.connect(cluster.node(node).url, user, `${user}-${node}`)
  clients.push(client)
  return client
}

function send(client: WireClient, fields: object): Promise<Frame | null> {
  return client.request({ t: 'signal:R', name: 'typing', body: { on: true }, ...fields })
}

const signalsOf = (client: WireClient): Frame[] =>
  client.pushed.filter(({ t, name }) => t === 'signal:N' && name === 'typing')
const numbersOf = (client: WireClient) =>
  signalsOf(client).map(({ body }) => (body as { n: number }).n)

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await sleep(10)
  }
}

/**
 * What each was told, once it has all of it or nothing more comes: a leader that changes, or a node
 * that does not know of the group yet, takes signals with it.
 */
async function toldTo(clients: readonly WireClient[], all: number): Promise<number[][]> {
  const count = () => clients.reduce((sum, client) => sum + numbersOf(client).length, 0)
  for (let before = -1, quiet = 0; quiet < 30 && count() < all * clients.length;) {
    quiet = count() === before ? quiet + 1 : 0
    before = count()
    await sleep(100)
  }
  return clients.map(numbersOf)
}

async function group(owner: WireClient, members: readonly string[]): Promise<string> {
  const made = await owner.request({ t: 'conv:R', op: 'create', msgId: 'group', members })
  return (made!['conversation'] as { id: string }).id
}

test('[M-23] 10,000 signals of ten pairs arrive in the order of their sender, none in a history', async () => {
  const pairs = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => ({
      from: await connect(`ann${i}`, `n${1 + (i % 3)}`),
      to: await connect(`bob${i}`, `n${1 + ((i + 1) % 3)}`),
      user: `bob${i}`,
    })),
  )
  // So many on their way at once: a link between nodes that holds back more drops signals (SG6).
  const burst = 50
  await Promise.all(
    pairs.map(async ({ from, user }) => {
      for (let first = 0; first < 1_000; first += burst) {
        const asked = Array.from({ length: burst }, (_, at) => first + at).map((n) =>
          send(from, { to: user, n: n + 1, body: { n } }),
        )
        const answers = await Promise.all(asked)
        expect(answers.filter((answer) => answer?.error !== undefined)).toEqual([])
      }
    }),
  )
  const told = await toldTo(
    pairs.map(({ to }) => to),
    1_000,
  )
  for (const numbers of told) {
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    expect(numbers.length).toBeGreaterThan(500)
  }
  const { from } = pairs[0]!
  const direct = await from.request({ t: 'conv:R', op: 'direct', with: 'bob0', msgId: 'direct' })
  expect((direct!['conversation'] as { head: number }).head).toBe(0)
})

test('[M-23] who is away never gets it', async () => {
  const ann = await connect('ann', 'n1')
  expect(await send(ann, { to: 'late', n: 1 })).toMatchObject({ t: 'signal:A' })
  const late = await connect('late', 'n2')
  expect(await send(ann, { to: 'late', n: 2, body: { n: 2 } })).toMatchObject({ t: 'signal:A' })
  await until(() => signalsOf(late).length > 0, 'the second arrives')
  expect(numbersOf(late)).toEqual([2])
})

test('[M-24] all members see the signals of a group in one order', async () => {
  const owner = await connect('owner', 'n1')
  const senders = [owner, await connect('second', 'n2'), await connect('third', 'n3')]
  const conv = await group(owner, ['second', 'third', 'reader', 'other'])
  const readers = [await connect('reader', 'n2'), await connect('other', 'n3')]
  await Promise.all(
    senders.flatMap((sender, who) =>
      Array.from({ length: 300 }, async (_, n) => {
        const answer = await send(sender, { conv, n: n + 1, body: { n: who * 1_000 + n } })
        expect(answer?.error).toBeUndefined()
      }),
    ),
  )
  const [one, other] = (await toldTo(readers, 900)) as [number[], number[]]
  for (const told of [one, other]) {
    expect(new Set(told).size).toBe(told.length)
    expect(told.length).toBeGreaterThan(450)
    for (const who of [0, 1, 2]) {
      const own = told.filter((n) => Math.floor(n / 1_000) === who)
      expect(own).toEqual(own.toSorted((a, b) => a - b))
    }
  }
  // Parts of one order, and equal where nothing was lost.
  const both = new Set(one).intersection(new Set(other))
  expect(one.filter((n) => both.has(n))).toEqual(other.filter((n) => both.has(n)))
})

test('[SG5] a stranger, a huge body and a blocked user are refused', async () => {
  const owner = await connect('host', 'n1')
  const conv = await group(owner, ['guest'])
  const stranger = await connect('stranger', 'n1')
  expect(await send(stranger, { conv, n: 1 })).toMatchObject({ error: { code: 'NOT_MEMBER' } })
  expect(await send(stranger, { conv: 'no-such', n: 2 })).toMatchObject({
    error: { code: 'GROUP_NOT_FOUND' },
  })
  const body = 'x'.repeat(5_000)
  expect(await send(owner, { conv, n: 1, body })).toMatchObject({
    error: { code: 'PAYLOAD_TOO_LARGE' },
  })
  await owner.request({ t: 'conv:R', op: 'block', user: 'stranger', msgId: 'block' })
  const again = await WireClient.connect(cluster.node('n2').url, 'stranger', 'again', {
    resume: { epoch: owner.hello['epoch'] as string, inbox: 0, mark: owner.mark! },
  })
  clients.push(again)
  expect(await send(again, { to: 'host', n: 1 })).toMatchObject({ error: { code: 'USER_BLOCKED' } })
})

test('[M-32] of what was stored and what was said, only what was stored is still there', async () => {
  const ann = await connect('ann32', 'n1')
  const sent = { t: 'msg:R', to: 'bob32', msgId: 'm1', body: 'kept' }
  const first = await ann.request(sent)
  const copy = await ann.request(sent)
  expect([first?.['duplicate'], copy?.['duplicate'], copy?.['seq']]).toEqual([false, true, 1])
  await send(ann, { to: 'bob32', n: 1 })
  const bob = await connect('bob32', 'n3')
  const page = await bob.request({
    t: 'pull:R',
    conv: first!['conv'] as string,
    after: 0,
    limit: 10,
    mark: ann.mark!,
  })
  expect((page!['events'] as { body: string }[]).map(({ body }) => body)).toEqual(['kept'])
  expect(signalsOf(bob)).toEqual([])
  // Who hears it hears it once, however often it was sent.
  for (const n of [2, 2, 1, 2, 3]) {
    expect((await send(ann, { to: 'bob32', n, body: { n } }))?.error).toBeUndefined()
  }
  await until(() => numbersOf(bob).includes(3), 'the last one arrives')
  expect(numbersOf(bob)).toEqual([2, 3])
})
