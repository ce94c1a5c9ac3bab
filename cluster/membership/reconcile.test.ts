import { describe, expect, test } from 'vitest'
import type { Configuration, Member } from '../raft/configuration.ts'
import type { PeerStatus } from '../raft/ready.ts'
import { nextConfiguration, withLearner } from './reconcile.ts'

const member = (id: string, name = id): Member => ({
  id,
  name,
  peerAddress: `${name}:7501`,
  clientUrl: `http://${name}:7401`,
})
const peer = (id: string, match: number, more: Partial<PeerStatus> = {}): PeerStatus => ({
  id,
  match,
  state: 'replicate',
  next: match + 1,
  learner: false,
  active: true,
  inflight: 0,
  ...more,
})
const voters = [member('a', 'n1'), member('b', 'n2'), member('c', 'n3')]
const base: Configuration = { voters, outgoing: [], learners: [] }
const names = (configuration: Configuration | null) =>
  configuration && {
    voters: configuration.voters.map(({ id }) => id),
    learners: configuration.learners.map(({ id }) => id),
  }

describe('membership', () => {
  test('[MR1] nothing changes without a learner', () => {
    const progress = [peer('a', 9), peer('b', 9), peer('c', 9)]
    expect(nextConfiguration({ configuration: base, progress, commit: 9, self: 'a' })).toBeNull()
  })

  test('[MR2] a learner that lags behind waits', () => {
    const configuration = withLearner(base, member('d', 'n4'))
    const progress = [peer('a', 900), peer('d', 100)]
    expect(nextConfiguration({ configuration, progress, commit: 900, self: 'a' })).toBeNull()
  })

  test('[MR2] a learner of a new name is promoted once it has caught up', () => {
    const configuration = withLearner(base, member('d', 'n4'))
    const progress = [peer('a', 900), peer('b', 900), peer('d', 900)]
    const next = nextConfiguration({ configuration, progress, commit: 900, self: 'a' })
    expect(names(next)).toEqual({ voters: ['a', 'b', 'c', 'd'], learners: [] })
  })

  test('[MR3] a stand-in: the old id goes first, then the new one votes', () => {
    const configuration = withLearner(base, member('d', 'n3'))
    const progress = [
      peer('a', 900),
      peer('b', 900),
      peer('c', 1, { active: false }),
      peer('d', 890),
    ]
    const removed = nextConfiguration({ configuration, progress, commit: 900, self: 'a' })
    expect(names(removed)).toEqual({ voters: ['a', 'b'], learners: ['d'] })
    const promoted = nextConfiguration({
      configuration: removed!,
      progress,
      commit: 901,
      self: 'a',
    })
    expect(names(promoted)).toEqual({ voters: ['a', 'b', 'd'], learners: [] })
  })

  test('[MR4] the old id stays while the rest could not form a majority without it', () => {
    const configuration = withLearner(base, member('d', 'n3'))
    const progress = [peer('a', 900), peer('b', 1, { active: false }), peer('d', 900)]
    expect(nextConfiguration({ configuration, progress, commit: 900, self: 'a' })).toBeNull()
  })

  test('[MR5] a second empty directory under the same name replaces the first learner', () => {
    const configuration = withLearner(withLearner(base, member('d', 'n3')), member('e', 'n3'))
    expect(names(configuration)).toEqual({ voters: ['a', 'b', 'c'], learners: ['e'] })
  })
})
