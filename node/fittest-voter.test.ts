import type { PeerStatus, RaftId, Replica } from '#cluster'
import { expect, test } from 'vitest'
import { fittestVoter } from './fittest-voter.ts'

const [SELF, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(16)) as [RaftId, RaftId, RaftId]

/** What a leader knows of itself, which has everything, and of two others. */
function leaderWith(b: Partial<PeerStatus>, c: Partial<PeerStatus>): Replica {
  const other = { match: 5, learner: false, active: true }
  const progress = [
    { ...other, id: SELF, match: 9 },
    { ...other, id: B, ...b },
    { ...other, id: C, ...c },
  ]
  return { raftId: SELF, status: () => ({ progress }) } as unknown as Replica
}

test.each<[string, Partial<PeerStatus>, Partial<PeerStatus>, RaftId | null]>([
  ['who has most', { match: 5 }, { match: 6 }, C],
  ['no learner', { match: 5 }, { match: 6, learner: true }, B],
  ['of equals who answered', { active: false }, {}, C],
  ['who has most though it has yet to answer', { match: 6, active: false }, {}, B],
  ['one of those that have yet to answer', { active: false }, { active: false }, B],
  ['nobody if there are only learners', { learner: true }, { learner: true }, null],
])('%s', (_, b, c, expected) => {
  expect(fittestVoter(leaderWith(b, c))).toBe(expected)
})

test('the fittest comes first, and who is not to be had never', () => {
  const replica = leaderWith({ match: 5 }, { match: 6 })
  expect(fittestVoter(replica, (id) => (id === B ? 2 : 1))).toBe(B)
  expect(fittestVoter(replica, (id) => (id === C ? 0 : 1))).toBe(B)
  expect(fittestVoter(replica, () => 0)).toBe(null)
})
