// However much there is, one answer holds so much and no more.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChatClient } from '#client'
import { ProcessCluster } from './process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'

const GROUPS = 120
/** As msgpack; in JSON of plain letters little more. */
const META_BYTES = 16_000
const MOST_BYTES = 1024 * 1024
const names = Array.from({ length: GROUPS }, (_, n) => `group ${n}`).toReversed()

let cluster: ProcessCluster
let url: string
let alice: WireClient

beforeAll(async () => {
  cluster = await ProcessCluster.started(1)
  url = cluster.node('n1').url
  alice = await WireClient.connect(url, 'alice', 'a1')
  const meta = { about: 'm'.repeat(META_BYTES) }
  const members = Array.from({ length: 40 }, (_, n) => `${'u'.repeat(100)}${n}`)
  for (let n = 0; n < GROUPS; n += 1) {
    const create = { t: 'conv:R', op: 'create', members, meta, name: `group ${n}` }
    const answer = await alice.ask({ ...create, msgId: `create-${n}` })
    if (answer.error !== undefined) throw new Error(answer.error.code)
  }
})
afterAll(() => cluster.close())

interface Page {
  readonly conversations: readonly { readonly name: string }[]
  readonly next?: string
}

async function allPages(read: (after: string | undefined) => Promise<Page>): Promise<Page[]> {
  const pages: Page[] = []
  for (let after: string | undefined; ;) {
    const page = await read(after)
    expect(page.conversations.length).toBeGreaterThan(0)
    pages.push(page)
    after = page.next
    if (after === undefined) return pages
  }
}

const namesOf = (pages: readonly Page[]): string[] =>
  pages.flatMap(({ conversations }) => conversations.map(({ name }) => name))

test('a list over WebSocket: pages within the bound, everything once', async () => {
  const pages = await allPages(async (after) => {
    const answer = await alice.ask({ t: 'conv:R', op: 'list', limit: 1_000, after })
    expect(JSON.stringify(answer).length).toBeLessThan(MOST_BYTES * 1.1)
    return answer as unknown as Page
  })
  expect(pages.length).toBeGreaterThan(1)
  expect(namesOf(pages)).toEqual(names)
})

test('the same over HTTP', async () => {
  const pages = await allPages(async (after) => {
    const query = after === undefined ? '' : `&after=${encodeURIComponent(after)}`
    const response = await fetch(`${url}/v1/conversations?user=alice${query}`)
    expect(response.status).toBe(200)
    const text = await response.text()
    expect(text.length).toBeLessThan(MOST_BYTES * 1.1)
    return JSON.parse(text) as Page
  })
  expect(namesOf(pages)).toEqual(names)
  const wrong = await fetch(`${url}/v1/conversations?user=alice&after=nothing`)
  expect(wrong.status).toBe(400)
  expect(await wrong.json()).toMatchObject({ code: 'INVALID_MESSAGE' })
})

test('the SDK lists all of them, and its streams follow all of them', async () => {
  const chat = await ChatClient.connect({ urls: [url], user: 'alice', device: 'a2' })
  try {
    expect((await chat.conversations()).map(({ name }) => name)).toEqual(names)
    const messages = chat.messages()
    const first = messages.next()
    // The one that changed least recently stands on the last page.
    const oldest = (await chat.conversations()).at(-1)!
    await alice.say({ conv: oldest.id }, 'oldest', 'hello')
    expect((await first).value).toMatchObject({ conversation: oldest.id, body: 'hello' })
    await messages.return?.()
  } finally {
    chat.close()
  }
})

test('messages that were edited to be longer: a page is bounded by what they are now', async () => {
  const { conversation } = await alice.ask({ t: 'conv:R', op: 'direct', msgId: 'd', with: 'bob' })
  const conv = (conversation as { id: string }).id
  const long = 'x'.repeat(60_000)
  const count = 40
  for (let n = 1; n <= count; n += 1) await alice.say({ conv }, `m${n}`, '')
  for (let seq = 1; seq <= count; seq += 1) {
    const edit = { t: 'edit:R', conv, msgId: `e${seq}`, seq, body: long }
    expect((await alice.ask(edit)).error).toBeUndefined()
  }
  const seqs: number[] = []
  for (let after = 0, hasMore = true; hasMore;) {
    const page = await alice.ask({ t: 'pull:R', conv, after, limit: 1_000 })
    expect(JSON.stringify(page).length).toBeLessThan(MOST_BYTES * 1.1)
    seqs.push(...page['events'].map(({ seq }: { seq: number }) => seq))
    after = page['next'] as number
    hasMore = page['hasMore'] as boolean
  }
  expect(seqs).toEqual(Array.from({ length: 2 * count }, (_, n) => n + 1))
})
