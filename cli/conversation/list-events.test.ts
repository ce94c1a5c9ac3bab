import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { ListedItem } from './event-row.ts'
import { eventRow } from './event-row.ts'
import { followEvents, listEvents } from './list-events.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A node with a conversation of `head` events, one page of which holds at most three. */
async function node() {
  const state = { head: 0, url: '', isDown: false, calls: [] as string[], marks: new Set<string>() }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://node')
    const what = pathname.split('/').at(-1)!
    state.calls.push(what)
    state.marks.add(String(request.headers['parley-mark']))
    if (state.isDown) {
      response.writeHead(503).end(JSON.stringify({ code: 'BEHIND', retryable: true }))
      return
    }
    const limit = Number(searchParams.get('limit'))
    const given = searchParams.get('after')
    const after = given === null ? Math.max(0, state.head - limit) : Number(given)
    const next = Math.min(state.head, after + Math.min(3, limit))
    const items = Array.from({ length: next - after }, (_, i) => {
      const seq = after + i + 1
      return { seq, kind: 'message', ...(what === 'messages' ? { body: `b${seq}` } : {}) }
    })
    const { head } = state
    const page = { conv: 'c', items, next, hasMore: next < head, head, firstSeq: 1 }
    response.writeHead(200, { 'parley-mark': `e.${head}` }).end(JSON.stringify(page))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return state
}

const seqs = (items: readonly ListedItem[]) => items.map((item) => 'seq' in item && item.seq)
const callOf = ({ url }: { url: string }, patienceMs = 5_000) => {
  return { urls: [url], timeoutMs: 5_000, patienceMs }
}

test('as many events as are wanted come from as many pages as it takes', async () => {
  const one = await node()
  one.head = 10
  const wanted = { conversation: 'c', after: null, limit: 7, withBodies: false }
  const { page, position } = await listEvents(wanted, callOf(one))
  expect(seqs(page.items)).toEqual([4, 5, 6, 7, 8, 9, 10])
  expect(position).toEqual({ next: 10, mark: 'e.10' })
  expect(one.calls).toEqual(['events', 'events', 'events'])
  const first = await listEvents({ ...wanted, after: 2, limit: 4 }, callOf(one))
  expect(seqs(first.page.items)).toEqual([3, 4, 5, 6])
  expect(first.page).toMatchObject({ hasMore: true, next: 6 })
})

test('what comes is shown once, and bodies are asked for only where there are some to show', async () => {
  const one = await node()
  const shown: ListedItem[] = []
  const ending = new AbortController()
  const wanted = { conversation: 'c', after: 0, limit: 20, withBodies: true }
  const following = followEvents(
    { ...wanted, position: { next: 0, mark: null } },
    callOf(one),
    (items) => shown.push(...items),
    ending.signal,
  )
  await expect.poll(() => one.calls.length).toBeGreaterThan(1)
  expect(one.calls).not.toContain('messages')
  // More than a page, and a node that is away for a while.
  one.head = 5
  await expect.poll(() => shown.length, { timeout: 15_000 }).toBe(5)
  one.isDown = true
  const { length } = one.calls
  await expect.poll(() => one.calls.length, { timeout: 15_000 }).toBeGreaterThan(length + 1)
  one.isDown = false
  one.head = 6
  await expect.poll(() => shown.length, { timeout: 15_000 }).toBe(6)
  ending.abort()
  await following
  expect(seqs(shown)).toEqual([1, 2, 3, 4, 5, 6])
  expect(shown[5]).toMatchObject({ body: 'b6' })
  expect(one.calls.filter((what) => what === 'messages')).toHaveLength(3)
  expect(one.marks).toContain('e.5')
})

test('a node that stays away ends it', async () => {
  const one = await node()
  one.isDown = true
  const wanted = { conversation: 'c', after: 0, limit: 20, withBodies: false }
  const from = { ...wanted, position: { next: 0, mark: null } }
  const following = followEvents(from, callOf(one, 0), () => {}, new AbortController().signal)
  await expect(following).rejects.toMatchObject({ exitCode: 1 })
})

test('a row says what is missing and why, and nothing of it drives the terminal', () => {
  const event = { kind: 'message', msgId: 'm', from: 'ann', device: 'd', at: 0 }
  const row = (more: object, withBodies = false) =>
    eventRow({ ...event, seq: 7, ...more }, withBodies)
  expect(row({ bodyBytes: 4, edited: 9, replyTo: 2 }).slice(-2)).toEqual([
    '4 bytes',
    'answers 2, edited by 9',
  ])
  expect(row({ bodyBytes: null, expired: true }).slice(-2)).toEqual([
    '-',
    'removed by retention or an erasure',
  ])
  expect(row({ body: 'a\u001b[2Jb\nc' }, true).at(-2)).toBe('a\\u001b[2Jb⏎c')
  const gap = { gap: { from: 1, to: 4, reason: 'retention' } }
  expect(eventRow(gap, false)).toEqual([
    '1–4',
    '-',
    'gap',
    ...Array(4).fill('-'),
    'removed: retention',
  ])
})
