// Edits, recalls, reactions and blocks on real nodes, by clients that know the protocol page only.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import type { Frame } from '../workload/wire-client.ts'
import { WireClient } from '../workload/wire-client.ts'
import { codeOf, eventually, readAll, taken } from './mission-clients.ts'

let cluster: ProcessCluster
let alice: WireClient
let bob: WireClient
let carol: WireClient

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
  const [n1, n2, n3] = cluster.nodes.map(({ url }) => url)
  alice = await WireClient.connect(n1!, 'alice', 'a1')
  bob = await WireClient.connect(n2!, 'bob', 'b1')
  carol = await WireClient.connect(n3!, 'carol', 'c1')
})

afterAll(async () => {
  for (const client of [alice, bob, carol]) client?.close()
  await cluster.close()
})

let count = 0
const msgId = () => `m${(count += 1)}`

async function group(): Promise<string> {
  const frame = { t: 'conv:R', op: 'create', msgId: msgId(), members: ['bob', 'carol'] }
  return ((await taken(alice, frame))['conversation'] as { id: string }).id
}

const say = (client: WireClient, conv: string, body: unknown) =>
  taken(client, { t: 'msg:R', conv, msgId: msgId(), body })

const pushedTo = (client: WireClient, conv: string, seq: unknown) =>
  eventually(
    () => client.pushed.find((frame) => frame['conv'] === conv && frame['seq'] === seq),
    (frame) => frame?.['kind'] !== undefined,
  )

const eventsOf = async (client: WireClient, conv: string): Promise<Frame[]> =>
  (await readAll(client, conv)).flatMap(({ events }) => events)

describe('what is done to a message', () => {
  test('an edit is pushed as an event, and from then on a pull shows what it says', async () => {
    const conv = await group()
    const { seq } = await say(alice, conv, 'helo')
    const frame = { t: 'edit:R', conv, msgId: msgId(), seq, body: 'hello' }
    const edited = await taken(alice, frame)
    expect(edited).toMatchObject({ t: 'msg:A', conv, ord: 1, duplicate: false })
    expect(await pushedTo(bob, conv, edited['seq'])).toMatchObject({
      kind: 'edit',
      target: seq,
      body: 'hello',
      from: 'alice',
    })
    const shown = (await eventsOf(carol, conv)).find((event) => event['seq'] === seq)
    expect(shown).toMatchObject({ kind: 'message', body: 'hello', edited: edited['seq'] })
    expect(await taken(alice, frame)).toMatchObject({ seq: edited['seq'], duplicate: true })
    expect(await codeOf(alice, { ...frame, body: 'other' })).toBe('PAYLOAD_MISMATCH')
    expect(await codeOf(bob, { ...frame, msgId: msgId() })).toBe('FORBIDDEN')
  })

  test('a recalled message has no body for anybody, nor have its edits, and takes nothing more', async () => {
    const conv = await group()
    const { seq } = await say(bob, conv, 'secret')
    await taken(bob, { t: 'edit:R', conv, msgId: msgId(), seq, body: 'secret!' })
    expect(await codeOf(carol, { t: 'recall:R', conv, msgId: msgId(), seq })).toBe('FORBIDDEN')
    // The owner of the group may.
    const recalled = await taken(alice, { t: 'recall:R', conv, msgId: msgId(), seq })
    expect(await pushedTo(carol, conv, recalled['seq'])).toMatchObject({
      kind: 'recall',
      target: seq,
    })
    const events = await eventsOf(carol, conv)
    expect(JSON.stringify(events)).not.toContain('secret')
    expect(events.find((event) => event['seq'] === seq)).toMatchObject({
      recalled: true,
      from: 'bob',
    })
    expect(await codeOf(bob, { t: 'edit:R', conv, msgId: msgId(), seq, body: 'x' })).toBe(
      'FORBIDDEN',
    )
    const react = { t: 'react:R', conv, msgId: msgId(), seq, reaction: '+1', on: true }
    expect(await codeOf(carol, react)).toBe('FORBIDDEN')
  })

  test('a reaction is an event that every member gets', async () => {
    const conv = await group()
    const { seq } = await say(alice, conv, 'lunch?')
    const react = { t: 'react:R', conv, msgId: msgId(), seq, reaction: '👍', on: true }
    const answer = await taken(bob, react)
    expect(await pushedTo(carol, conv, answer['seq'])).toMatchObject({
      kind: 'reaction',
      target: seq,
      ord: 1,
      body: { reaction: '👍', on: true },
    })
  })

  test('who joins with history sees it from the first event', async () => {
    const conv = await group()
    await say(alice, conv, 'before')
    const set = { t: 'conv:R', op: 'set', conv, msgId: msgId(), history: true }
    expect((await taken(alice, set))['conversation']).toMatchObject({ history: true })
    await taken(alice, { t: 'conv:R', op: 'add', conv, msgId: msgId(), user: 'dan' })
    const dan = await WireClient.connect(cluster.nodes[1]!.url, 'dan', 'd1')
    expect((await eventsOf(dan, conv))[1]).toMatchObject({ seq: 2, body: 'before' })
    dan.close()
  })
})

describe('[M-14] blocks', () => {
  test('[M-14] a blocked user: USER_BLOCKED on every node, nothing stored, no seq used, groups go on', async () => {
    const { conv } = await taken(bob, { t: 'msg:R', to: 'alice', msgId: msgId(), body: 'one' })
    const block = { t: 'conv:R', op: 'block', msgId: msgId(), user: 'bob' }
    const answer = await taken(alice, block)
    expect(answer['conversation']).toMatchObject({ id: conv, blocked: true, head: 1 })
    const refused = { t: 'msg:R', to: 'alice', msgId: msgId(), body: 'two' }
    const onEveryNode = await Promise.all(
      cluster.nodes.map(async ({ url }, at) => {
        const client = await WireClient.connect(url, 'bob', `b-${at}`)
        const copy = await client.request(refused)
        const again = await client.request(refused)
        client.close()
        return [copy?.error, again?.error].map((error) => [error?.code, error?.retryable])
      }),
    )
    const verdict = ['USER_BLOCKED', false]
    expect(onEveryNode).toEqual(Array.from({ length: 3 }, () => [verdict, verdict]))
    expect(await eventsOf(alice, conv as string)).toHaveLength(1)
    // Whom one blocks is nobody else's business.
    const seen = await taken(bob, { t: 'conv:R', op: 'get', conv })
    expect(JSON.stringify(seen['conversation'])).not.toContain('block')
    const shared = await group()
    expect(await say(bob, shared, 'hi')).toMatchObject({ seq: 2 })
    await taken(alice, { ...block, op: 'unblock', msgId: msgId() })
    expect(await codeOf(bob, refused)).toBe('USER_BLOCKED')
    expect(await taken(bob, { ...refused, msgId: msgId() })).toMatchObject({ seq: 2 })
  })
})
