import { describe, expect, test } from 'vitest'
import { fixedRandom } from '../state-machine/testing.ts'
import { planRecovery, planShape } from './recovery-plan.ts'
import { RefusedError } from './refused-error.ts'
import type { SurvivorReport } from './survivor.ts'
import { OLD_FORMATION, OLD_MEMBERS } from './testing.ts'

const report = (at: number, more: Partial<SurvivorReport> = {}): SurvivorReport => ({
  schema: 1,
  name: `n${at}`,
  raftId: `${at}`.repeat(16),
  clusterId: OLD_FORMATION.clusterId,
  epoch: OLD_FORMATION.epoch,
  ...{ term: 4, firstIndex: 1, lastIndex: 100, lastTerm: 4, commit: 90 },
  ...{ applied: 80, stateHash: 'a'.repeat(24), store: 'whole' },
  configuration: OLD_FORMATION.configuration,
  ...more,
})

const five = {
  voters: [1, 2, 3, 4, 5].map((at) => {
    return { ...OLD_MEMBERS[0]!, id: `${at}`.repeat(16), name: `n${at}` }
  }),
  outgoing: [],
  learners: [],
}
const plan = (...reports: SurvivorReport[]) => planRecovery(reports, fixedRandom)

describe('a plan', () => {
  test('[BK9] goes on from the log that ends furthest, by term and then by index', () => {
    const configuration = five
    const longer = report(1, { configuration, lastTerm: 3, lastIndex: 500 })
    const newer = report(2, { configuration, lastTerm: 4, lastIndex: 100 })
    expect(plan(longer, newer).chosen).toMatchObject({ name: 'n2', lastIndex: 100, lastTerm: 4 })
    const further = report(1, { configuration, lastIndex: 101 })
    expect(plan(newer, further).chosen.name).toBe('n1')
    const broken = report(1, { configuration, lastIndex: 900, store: 'damaged', firstIndex: 40 })
    expect(plan(newer, broken).chosen.name).toBe('n2')
    const made = plan(newer)
    expect(made.lost.map(({ name }) => name)).toEqual(['n1', 'n3', 'n4', 'n5'])
    expect(planShape(JSON.parse(JSON.stringify(made)), '')).toEqual(made)
    expect([made.newClusterId, made.newEpoch]).not.toContain(made.clusterId)
  })

  test('[BK9] says what may be lost, and what is kept that may never have been sent', () => {
    const [after, kept] = plan(report(1)).mayBeLost
    expect(after).toContain('after index 100 of term 4: n2, n3 may have acknowledged more')
    expect(kept).toContain('kept are also the entries 91 to 100')
    expect(plan(report(1, { commit: 100 })).mayBeLost).toHaveLength(1)
  })

  test('[BK9] is refused while nothing has to be given up, or nothing can be had', () => {
    expect(() => plan(report(1), report(2))).toThrow('n1, n2 are a majority of 3')
    expect(() => plan()).toThrow(RefusedError)
    expect(() => plan(report(1), report(1))).toThrow('of one node')
    expect(() => plan(report(1), report(2, { epoch: '0'.repeat(16) }))).toThrow('plan each')
    expect(() => plan(report(1, { raftId: '9'.repeat(16) }))).toThrow('no member')
    const useless = report(1, { store: 'damaged', firstIndex: 7 })
    expect(() => plan(useless)).toThrow('restore the newest backup')
  })
})
