import { describe, expect, it } from 'vitest'
import { encodeBody, type SyncAnswer } from '#protocol'
import { fixture } from './testing/fixture.ts'
import { errorOf, event, view } from './testing/samples.ts'

const ALICE = ['alice'] as const

async function synced(options: Parameters<typeof fixture>[0] = {}) {
  const fixed = fixture(options)
  const client = await fixed.open('alice')
  const sync = async (after: number, more: object = {}): Promise<SyncAnswer> => {
    client.write({ t: 'sync:R', id: 1, after, limit: 100, ...more })
    await fixed.clock.settle()
    return client.last('sync:A') as SyncAnswer
  }
  return { ...fixed, client, sync }
}

const inboxes = (answer: SyncAnswer) => answer.events.map(({ inbox }) => inbox)

/** Puts events into a conversation of alice's, as pulled, and its newest state. */
function conversationOf(
  { backend }: Pick<ReturnType<typeof fixture>, 'backend'>,
  id: string,
  senders: readonly string[],
): void {
  const events = senders.map((from, at) => event(at + 1, { from }))
  backend.state.events.set(id, events)
  const head = events.length
  backend.state.conversations.set(id, { ...view(id, 'alice', 'bob'), head, ord: head })
}

describe('sync', () => {
  it('[GW35] answers exactly what comes after the client’s number, page by page', async () => {
    const { tell, sync } = await synced()
    for (let seq = 1; seq <= 7; seq++) tell(`c${seq % 2}`, ALICE, event(seq))
    const first = await sync(2, { limit: 3 })
    expect(first).toMatchObject({ next: 5, upTo: 7, hasMore: true, gap: null, statuses: [] })
    expect(first.events.map(({ conv, inbox, seq }) => [conv, inbox, seq])).toEqual([
      ['c1', 3, 3],
      ['c0', 4, 4],
      ['c1', 5, 5],
    ])
    const second = await sync(5, { limit: 3 })
    expect(inboxes(second)).toEqual([6, 7])
    expect(second).toMatchObject({ next: 7, upTo: 7, hasMore: false })
    expect(inboxes(await sync(7))).toEqual([])
  })

  it('[GW35] bounds a page by events and by bytes, with room for one', async () => {
    const { tell, sync } = await synced({ maxPageEvents: 4, maxPageBytes: 2_500 })
    const body = encodeBody('x'.repeat(1_000))
    for (let seq = 1; seq <= 3; seq++) tell('c1', ALICE, event(seq, { body }))
    tell('c1', ALICE, event(4, { body: encodeBody('x'.repeat(5_000)) }))
    for (let seq = 5; seq <= 9; seq++) tell('c1', ALICE, event(seq))
    const pages: number[][] = []
    for (let after = 0, more = true; more;) {
      const page = await sync(after)
      pages.push(inboxes(page))
      after = page.next
      more = page.hasMore
    }
    expect(pages).toEqual([[1, 2], [3], [4], [5, 6, 7, 8], [9]])
  })

  it('[GW35] leaves large bodies out where only small ones are wanted', async () => {
    const { tell, sync } = await synced({ maxPageBytes: 100 })
    tell('c1', ALICE, event(1, { large: true }))
    tell('c1', ALICE, event(2, { body: encodeBody('x'.repeat(5_000)) }))
    tell('c1', ALICE, event(3))
    const { events } = await sync(0, { bodies: 'small' })
    expect(events.map(({ seq, large }) => [seq, large])).toEqual([
      [1, true],
      [2, true],
      [3, undefined],
    ])
    expect(events.map((one) => one.body !== undefined)).toEqual([false, false, true])
    const full = await sync(0)
    expect(full.events[0]!.body).toBeDefined()
  })

  it('[GW35] answers a number above its own BEHIND', async () => {
    const { tell, sync } = await synced()
    tell('c1', ALICE, event(1))
    const { client } = { client: await sync(2) }
    expect(errorOf(client as never)).toMatchObject({ code: 'BEHIND', retryable: true })
  })

  it('[GW35] tells of numbers that are gone', async () => {
    const { backend, tell, sync } = await synced()
    tell('c1', ALICE, event(1))
    backend.state.inboxGap = { from: 1, to: 1, reason: 'retention' }
    expect((await sync(0)).gap).toEqual({ from: 1, to: 1, reason: 'retention' })
  })

  it('[GW36] names all conversations on the first page of a session only', async () => {
    const fixed = await synced()
    conversationOf(fixed, 'new', ['bob', 'alice', 'bob'])
    conversationOf(fixed, 'old', ['bob'])
    fixed.tell('new', ALICE, event(3))
    expect((await fixed.sync(0)).conversations).toEqual([
      { conv: 'new', head: 3, unread: 2 },
      { conv: 'old', head: 1, unread: 1 },
    ])
    expect((await fixed.sync(0)).conversations).toEqual([])
  })

  it('[GW36] names those past the client’s positions', async () => {
    const fixed = await synced()
    conversationOf(fixed, 'a', ['bob', 'bob'])
    conversationOf(fixed, 'b', ['bob', 'bob'])
    conversationOf(fixed, 'c', ['bob'])
    const positions = [
      { conv: 'a', seq: 2 },
      { conv: 'b', seq: 1 },
    ]
    const { conversations } = await fixed.sync(0, { positions })
    expect(conversations.map(({ conv }) => conv)).toEqual(['b', 'c'])
  })

  it('[GW36] names those with an event in a page that is all there is, and large ones', async () => {
    const fixed = await synced()
    for (const id of ['a', 'b', 'big']) conversationOf(fixed, id, ['bob'])
    const { conversations } = fixed.backend.state
    conversations.set('big', { ...conversations.get('big')!, large: true })
    fixed.tell('a', ALICE, event(1))
    fixed.tell('b', ALICE, event(1))
    expect((await fixed.sync(1)).conversations.map(({ conv }) => conv)).toEqual(['b', 'big'])
  })

  it('[GW36] counts own messages among the newest 1,000', async () => {
    const fixed = await synced()
    const senders = Array.from({ length: 1_500 }, (_, at) => (at % 5 === 0 ? 'alice' : 'bob'))
    conversationOf(fixed, 'a', senders)
    conversationOf(fixed, 'b', senders.slice(0, 900))
    expect((await fixed.sync(0)).conversations).toEqual([
      { conv: 'a', head: 1_500, unread: 1_300 },
      { conv: 'b', head: 900, unread: 720 },
    ])
  })

  it('[GW36] counts from where the user has read', async () => {
    const fixed = await synced()
    conversationOf(fixed, 'a', ['bob', 'bob', 'alice', 'bob', 'bob'])
    conversationOf(fixed, 'b', ['bob', 'bob'])
    const at = (read: number) => [{ user: 'alice', delivered: read, read, changedIndex: 1 }]
    fixed.backend.state.receipts.set('a', at(2))
    fixed.backend.state.receipts.set('b', at(2))
    expect((await fixed.sync(0)).conversations).toEqual([
      { conv: 'a', head: 5, unread: 2 },
      { conv: 'b', head: 2, unread: 0 },
    ])
  })

  it('[GW35] leaves out what is there no more, and tells where', async () => {
    const { backend, tell, sync } = await synced()
    for (let seq = 1; seq <= 6; seq++) tell('c1', ALICE, event(seq))
    const entries = backend.state.inboxes.get('alice')!
    for (const at of [2, 3, 5]) entries[at] = { ...entries[at]!, event: null }
    const page = await sync(1)
    expect(inboxes(page)).toEqual([2, 5])
    expect(page.gap).toEqual({ from: 3, to: 4, reason: 'retention' })
    expect(page.next).toBe(6)
  })

  it('[GW14] waits for the mark it is given', async () => {
    const { backend, client, clock, tell } = await synced()
    tell('c1', ALICE, event(1))
    client.write({ t: 'sync:R', id: 1, after: 0, limit: 10, mark: 'e1.k' })
    await clock.settle()
    expect(client.frames.some(({ t }) => t === 'sync:A')).toBe(false)
    backend.apply(20)
    await clock.settle()
    expect(client.last('sync:A')).toMatchObject({ next: 1 })
  })
})

describe('ping', () => {
  const ping = async ({ client, clock }: Awaited<ReturnType<typeof synced>>) => {
    client.write({ t: 'ping:R', id: 5, inbox: 0 })
    await clock.settle()
    return client.last('ping:A')
  }

  it('[GW37] tells how far the inbox has come', async () => {
    const fixed = await synced()
    fixed.tell('c1', ALICE, event(1))
    fixed.tell('c1', ALICE, event(2))
    const answer = await ping(fixed)
    expect(answer).toMatchObject({ inbox: 2, now: 5_000 })
    expect(answer).not.toHaveProperty('heads')
  })

  it('[GW37] tells the heads of large conversations that the client has not pulled', async () => {
    const fixed = await synced()
    const { state } = fixed.backend
    const big = { conv: 'big', seq: 2 }
    state.heads.set('alice', [big, { conv: 'bigger', seq: 7 }])
    state.events.set('big', [event(1), event(2)])
    expect(await ping(fixed)).toMatchObject({ heads: [big, { conv: 'bigger', seq: 7 }] })
    fixed.client.write({ t: 'pull:R', id: 1, conv: 'big', after: 0, limit: 10 })
    await fixed.sync(0, { positions: [{ conv: 'bigger', seq: 6 }] })
    expect(await ping(fixed)).toMatchObject({ heads: [{ conv: 'bigger', seq: 7 }] })
  })

  it('[GW33] tells every head where the numbers ran out', async () => {
    const fixed = await synced()
    fixed.backend.state.exhausted.add('alice')
    conversationOf(fixed, 'a', ['bob', 'bob'])
    expect(await ping(fixed)).toMatchObject({ inbox: null, heads: [{ conv: 'a', seq: 2 }] })
  })

  it('[GW10] answers INTERNAL when the state cannot be read', async () => {
    const fixed = await synced()
    fixed.backend.state.failure = new Error('checksum')
    expect(errorOf(await ping(fixed)).code).toBe('INTERNAL')
  })
})
