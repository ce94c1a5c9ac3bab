import { expect, test } from 'vitest'
import { type LeftPosition, leftBodies } from './erasure-left.ts'

/** Conversations of so many events each, of which the user said every second one. */
const stateOf = (events: Readonly<Record<string, number>>) => ({
  conversationIdsOf: async () => Object.keys(events).toReversed(),
  bodiesAfter: async (conv: string, _user: string, after: number, limit: number) => {
    const head = events[conv]
    if (head === undefined) return null
    const next = Math.min(head, after + limit)
    const seqs = Array.from({ length: next - after }, (_, i) => after + 1 + i)
    return { seqs: seqs.filter((seq) => seq % 2 === 0), next: next < head ? next : null }
  },
})

/** All pages, as who asks for them puts them together. */
async function count(events: Readonly<Record<string, number>>, pause = async () => true) {
  const counts = new Map<string, number>()
  let pages = 0
  let at: LeftPosition | null = { conv: '', seq: 0 }
  while (at !== null) {
    const page = await leftBodies(stateOf(events), 'ann', at, pause)
    for (const { conv, bodies } of page.conversations) {
      counts.set(conv, (counts.get(conv) ?? 0) + bodies)
    }
    at = page.next
    pages += 1
  }
  return { counts: Object.fromEntries(counts), pages }
}

test('[AD11] every body is counted once, however the pages fall', async () => {
  const events = { a: 10, b: 120_000, c: 0, d: 256, e: 257, f: 1 }
  const counts = { a: 5, b: 60_000, d: 128, e: 128 }
  const all = await count(events)
  expect(all.counts).toEqual(counts)
  expect(all.pages).toBeGreaterThan(2)
  // Cut off after any read.
  let turns = 0
  const seldom = async () => (turns += 1) % 7 !== 0
  expect((await count(events, seldom)).counts).toEqual(counts)
})

test('[AD11] of a user without conversations there is one page, with nothing', async () => {
  expect(await count({})).toEqual({ counts: {}, pages: 1 })
})
