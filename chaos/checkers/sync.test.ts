import { expect, test } from 'vitest'
import type { History } from '../history/history.ts'
import { sync } from './sync.ts'

const [node, conv] = ['n1', 'd_1']

/** A conversation that ann and bob filled in turn, of which a node tells ann so many unread. */
function told(count: number, unread: number): History {
  const events = Array.from({ length: count }, (_, at) => ({
    ...{ kind: 'message', seq: at + 1, from: at % 2 === 0 ? 'ann' : 'bob' },
  }))
  const page = { node, conv, final: true, events, upTo: count }
  const conversations = [{ conv, head: count, unread }]
  const answer = { final: true, after: 0, next: 0, upTo: 0, hasMore: false, gap: null, events: [] }
  const features = {
    ...{ syncs: [{ ...answer, node, user: 'ann', device: 'a', conversations }], pages: [page] },
    ...{ pushes: [], receipts: [], writes: [], owner: 'ann' },
  }
  return { features, when: String } as unknown as History
}

test('[P22] of a long backlog own messages are told apart among the newest 1,000 only, and no others', () => {
  expect(sync(told(1_000, 500))).toEqual([])
  expect(sync(told(1_000, 501))).toHaveLength(1)
  // Five of the ten oldest are her own.
  expect(sync(told(1_010, 510))).toEqual([])
  expect(sync(told(1_010, 505))).toHaveLength(1)
  expect(sync(told(1_010, 511))).toHaveLength(1)
})
