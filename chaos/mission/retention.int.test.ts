// Retention on real nodes: each policy alone, the same on every node, and explicit to who reads.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'
import { codeOf, eventually, type Page, readAll, taken } from './mission-clients.ts'

let cluster: ProcessCluster
/** Bob on every node: what each of them shows. */
let bobs: WireClient[]
let alice: WireClient

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
  const urls = cluster.nodes.map(({ url }) => url)
  alice = await WireClient.connect(urls[0]!, 'alice', 'a1')
  bobs = await Promise.all(urls.map((url, at) => WireClient.connect(url, 'bob', `b${at}`)))
})

afterAll(async () => {
  for (const client of [alice, ...(bobs ?? [])]) client?.close()
  await cluster.close()
})

let count = 0
const msgId = () => `m${(count += 1)}`

/** Seq 1 the group, then a message for each body, then the policy. */
async function chat(bodies: readonly (string | { large: string })[], retention: object) {
  const create = { t: 'conv:R', op: 'create', msgId: msgId(), members: ['bob'] }
  const conv = ((await taken(alice, create))['conversation'] as { id: string }).id
  for (const body of bodies) {
    const [text, large] = typeof body === 'string' ? [body, false] : [body.large, true]
    await taken(alice, { t: 'msg:R', conv, msgId: msgId(), body: text, large })
  }
  const set = { t: 'conv:R', op: 'set', conv, msgId: msgId(), retention }
  const answer = await taken(alice, set)
  expect(answer['conversation']).toMatchObject({ id: conv, retention })
  return conv
}

/** What every node shows, once all of it `holds`; it is the same on each. */
async function shown(conv: string, holds: (pages: Page[]) => boolean): Promise<Page[]> {
  const ofEach: Page[][] = []
  for (const bob of bobs) ofEach.push(await eventually(() => readAll(bob, conv), holds))
  const short = ofEach.map((pages) =>
    pages.map(({ events, gap }) => ({
      events: events.map(({ seq, expired }) => [seq, expired]),
      gap,
    })),
  )
  expect(short[1]).toEqual(short[0])
  expect(short[2]).toEqual(short[0])
  return ofEach[0]!
}

const seqs = (pages: Page[]) => pages.flatMap(({ events }) => events.map(({ seq }) => seq))

describe('[M-53] retention', () => {
  test('[M-53] maxCount keeps the newest messages; who is behind gets one explicit gap', async () => {
    const conv = await chat(['a', 'b', 'c', 'd', 'e'], { maxCount: 2 })
    const pages = await shown(conv, ([first]) => first!.gap !== null)
    expect(pages[0]!.gap).toEqual({ from: 1, to: 4, reason: 'retention' })
    expect(seqs(pages)).toEqual([5, 6, 7])
    await taken(alice, { t: 'msg:R', conv, msgId: msgId(), body: 'f' })
    const later = await shown(conv, ([first]) => first!.gap?.to === 5)
    expect(seqs(later)).toEqual([6, 7, 8])
  })

  test('[M-53] maxAgeMs takes what is older by the cluster’s time', async () => {
    const conv = await chat(['a', 'b'], { maxAgeMs: 1_000 })
    const pages = await shown(conv, ([first]) => first!.gap?.to === 4)
    expect(pages[0]).toMatchObject({ events: [], gap: { from: 1, to: 4, reason: 'retention' } })
    // The order goes on where it was.
    expect(await taken(alice, { t: 'msg:R', conv, msgId: msgId(), body: 'c' })).toMatchObject({
      seq: 5,
    })
  })

  test('[M-53] maxBytes takes large bodies of a sender first and leaves stubs', async () => {
    const text = 'x'.repeat(1_000)
    const conv = await chat([text, { large: text }, text, text], { maxBytes: 2_500 })
    const isExpired = (pages: Page[], seq: number) =>
      pages.some(({ events }) => events.some((event) => event['seq'] === seq && event['expired']))
    const pages = await shown(conv, (all) => isExpired(all, 3) && isExpired(all, 2))
    const events = pages.flatMap((page) => page.events)
    expect(pages.every(({ gap }) => gap === null)).toBe(true)
    expect(events.map(({ seq, expired }) => [seq, expired === true])).toEqual([
      [1, false],
      [2, true],
      [3, true],
      [4, false],
      [5, false],
      [6, false],
    ])
    expect(events[2]).toMatchObject({ kind: 'message', from: 'alice', ord: 2, large: true })
    expect(events[2]!['body']).toBeUndefined()
  })

  test('[M-53] the preset of the papers; without a policy everything is kept', async () => {
    const conv = await chat(['a', 'b'], { maxCount: 1 })
    await shown(conv, ([first]) => first!.gap !== null)
    const set = { t: 'conv:R', op: 'set', conv, msgId: msgId(), retention: { preset: 'paper' } }
    expect((await taken(alice, set))['conversation']).toMatchObject({
      retention: { maxAgeMs: 2_592_000_000, maxCount: 1_000, maxBytes: 100_000_000 },
    })
    const off = { ...set, msgId: msgId(), retention: null }
    const { conversation } = await taken(alice, off)
    expect(conversation).not.toHaveProperty('retention')
    expect(await codeOf(alice, { ...set, msgId: msgId(), retention: { maxCount: -1 } })).toBe(
      'INVALID_MESSAGE',
    )
  })

  test('[M-53] a leader killed: the next one goes on, and no node is of another opinion', async () => {
    const conv = await chat(['a', 'b', 'c', 'd'], { maxCount: 1 })
    const leader = (await cluster.leader())!
    await cluster.kill(leader)
    await cluster.start(leader)
    await cluster.healthy()
    const urls = cluster.nodes.map(({ url }) => url)
    for (const client of [alice, ...bobs]) client.close()
    alice = await WireClient.connect(urls[0]!, 'alice', 'a1')
    bobs = await Promise.all(urls.map((url, at) => WireClient.connect(url, 'bob', `b${at}`)))
    const pages = await shown(conv, ([first]) => first!.gap?.to === 4)
    expect(seqs(pages)).toEqual([5, 6])
  })

  test('[M-53] the author hears what a member never had, by ack:N expired', async () => {
    const create = { t: 'conv:R', op: 'create', msgId: msgId(), members: ['bob', 'cy'] }
    const conv = ((await taken(alice, create))['conversation'] as { id: string }).id
    for (const body of ['a', 'b', 'c']) {
      await taken(alice, { t: 'msg:R', conv, msgId: msgId(), body })
    }
    const acks = [{ conv, upTo: 4, kind: 'delivered' }]
    await taken(bobs[1]!, { t: 'ack:R', acks })
    await taken(alice, { t: 'conv:R', op: 'set', conv, msgId: msgId(), retention: { maxCount: 1 } })
    const notices = () =>
      alice.pushed.filter((frame) => frame['conv'] === conv && frame['kind'] === 'expired')
    const [notice] = await eventually(notices, (all) => all.length > 0)
    expect(notice).toMatchObject({ t: 'ack:N', upTo: 3, by: 'cy' })
    expect(notices()).toHaveLength(1)
  })

  test('[M-53] either side of a direct conversation may let it go after a time', async () => {
    const { conv } = await taken(alice, { t: 'msg:R', to: 'bob', msgId: msgId(), body: 'a' })
    await taken(alice, { t: 'msg:R', to: 'bob', msgId: msgId(), body: 'b' })
    const set = { t: 'conv:R', op: 'set', conv, msgId: msgId(), retention: { maxCount: 1 } }
    expect(await codeOf(bobs[2]!, { ...set, name: 'x', msgId: msgId() })).toBe('FORBIDDEN')
    await taken(bobs[2]!, set)
    const pages = await shown(conv as string, ([first]) => first!.gap !== null)
    expect(pages[0]!.gap).toEqual({ from: 1, to: 1, reason: 'retention' })
    expect(pages[0]!.events.at(-1)).toMatchObject({ kind: 'settings', from: 'bob' })
  })
})
