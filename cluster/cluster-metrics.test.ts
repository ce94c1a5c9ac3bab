import { expect, test } from 'vitest'
import type { HistogramCell } from './cells.ts'
import { ClusterMetrics } from './cluster-metrics.ts'
import { ElectionCounts } from './election-counts.ts'
import { ProposalTimes } from './proposal-times.ts'
import { NO_ONE } from './raft/types.ts'
import { ManualClock } from './testing/manual-clock.ts'

const [SELF, OTHER] = ['1'.repeat(16), '2'.repeat(16)] as const
const observations = ({ counts }: HistogramCell) => counts.reduce((sum, count) => sum + count, 0)

test('[ME3] elections are those of this life: stood for, won, and leaders that came of them', () => {
  const metrics = new ClusterMetrics()
  const elections = new ElectionCounts(metrics, SELF, 7)
  const counted = () => {
    const { electionsStood, electionsWon, leaderChanges } = metrics
    return [electionsStood.value, electionsWon.value, leaderChanges.value]
  }
  // The vote that the disk held.
  elections.noticed({ leader: NO_ONE, term: 7, vote: SELF })
  expect(counted()).toEqual([0, 0, 0])
  elections.noticed({ leader: NO_ONE, term: 8, vote: SELF })
  elections.noticed({ leader: SELF, term: 8, vote: SELF })
  expect(counted()).toEqual([1, 1, 1])
  elections.noticed({ leader: NO_ONE, term: 9, vote: OTHER })
  elections.noticed({ leader: OTHER, term: 9, vote: OTHER })
  expect(counted()).toEqual([1, 1, 2])
})

test('[ME3] a commit counts from the proposal, and only while who proposed it leads', () => {
  const metrics = new ClusterMetrics()
  const times = new ProposalTimes(metrics)
  const clock = new ManualClock()
  times.proposed(5, 3, clock)
  clock.advance(20)
  times.proposed(6, 1, clock)
  clock.advance(30)
  times.committed([{ index: 4 }], clock)
  expect(observations(metrics.commitDuration)).toBe(0)
  times.committed([{ index: 5 }], clock)
  expect(observations(metrics.commitDuration)).toBe(1)
  expect(metrics.commitDuration.sum).toBeCloseTo(0.05)
  expect(metrics.commandsPerEntry.sum).toBe(4)
  times.clear()
  times.committed([{ index: 6 }], clock)
  expect(observations(metrics.commitDuration)).toBe(1)
})
