import { describe, expect, test } from 'vitest'
import { FakeState } from '../gateway/testing/fake-state.ts'
import { conversation, event } from '../gateway/testing/samples.ts'
import type { AppliedRemoval } from '../state-machine/types.ts'
import { type ExpiredNotice, ExpiredNotices } from './expired-notices.ts'

const small = { ...conversation('c', 'ann', 'ben', 'cy'), large: false }
const receipt = (user: string, delivered: number) => ({ user, delivered, read: 0, changedIndex: 1 })

/** Ann wrote 1 and 2, Ben 3 and 4; Ann has all, Ben up to 2, Cy up to 1. */
function fixture() {
  const state = new FakeState()
  const by = ['ann', 'ann', 'ben', 'ben']
  state.events.set(
    'c',
    by.map((from, i) => event(i + 1, { from })),
  )
  state.receipts.set('c', [receipt('ann', 4), receipt('ben', 2), receipt('cy', 1)])
  const told: ExpiredNotice[] = []
  const failures: unknown[] = []
  const here = new Set(['ann', 'ben'])
  const notices = new ExpiredNotices(
    state,
    (user) => here.has(user),
    (notice) => told.push(notice),
    (error) => failures.push(error),
  )
  const removed = async (more: Partial<AppliedRemoval>) => {
    notices.removed({ conversation: small, from: 1, upTo: 4, seqs: null, ...more })
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
    return told.map(({ author, upTo, by: who }) => `${author} ${upTo} ${who}`)
  }
  return { state, here, removed, failures, told }
}

describe('what retention took away before somebody had it', () => {
  test('[NR9] is told to its author, once for each who lacks it', async () => {
    const { removed } = fixture()
    expect(await removed({})).toEqual(['ann 2 cy', 'ben 4 cy'])
  })

  test('[NR9] only of what went, only to authors who are here, never of large conversations', async () => {
    const { removed, here } = fixture()
    expect(await removed({ seqs: [1, 3] })).toEqual(['ben 3 cy'])
    here.delete('ben')
    expect(await removed({ seqs: [3] })).toEqual(['ben 3 cy'])
    here.add('ben')
    expect(await removed({ conversation: { ...small, large: true } })).toEqual(['ben 3 cy'])
  })

  test('[NR9] of what went from the middle each is named, and only what was lacked', async () => {
    const { removed, told } = fixture()
    await removed({ from: 1, upTo: 3, seqs: [1, 2, 3] })
    await removed({ from: 1, upTo: 2, seqs: null })
    const lacked = told.map(({ by, upTo, seqs }) => ({ by, upTo, seqs }))
    expect(lacked).toEqual([
      { by: 'cy', upTo: 2, seqs: [2] },
      { by: 'cy', upTo: 3, seqs: [3] },
      { by: 'cy', upTo: 2, seqs: undefined },
    ])
  })

  test('[NR9] who was not there when it was said does not lack it', async () => {
    const { removed, state } = fixture()
    state.eventsAfter = async () => ({
      events: [],
      next: 4,
      upTo: 4,
      hasMore: false,
      gap: { from: 1, to: 4, reason: 'membership' },
    })
    expect(await removed({})).toEqual([])
  })

  test('[NR9] a read that fails ends nothing but itself', async () => {
    const { removed, state, failures } = fixture()
    state.failure = new Error('gone')
    expect(await removed({})).toEqual([])
    expect(failures).toHaveLength(1)
    state.failure = null
    expect(await removed({ from: 1, upTo: 2 })).toEqual(['ann 2 cy'])
  })
})
