import { expect, test } from 'vitest'
import { drillText, verdictOf } from './drill-report.ts'

const REPORT = {
  violations: [],
  rounds: 3,
  written: 900,
  acknowledged: 900,
  copies: 80,
  newLeaderMs: [80, 1_500.4, 60],
  recoveriesMs: [200, 300],
  longestGapMs: 688.2,
}

test('what was kept is told with the times that it took', () => {
  expect(verdictOf(REPORT)).toBe('passed')
  expect(drillText('kill-leader', REPORT).split('\n')).toEqual([
    'PASSED · kill-leader · 3 rounds',
    '',
    'messages    900 written, 900 acknowledged, 80 copies sent again',
    'judged      lost 0 · doubled 0 · out of order 0 · anything else 0',
    'new leader  after 80 ms, at most 1500 ms',
    'sends go on after 200 ms, at most 300 ms',
    'longest gap 688 ms without an answer to one sender',
  ])
})

test('what is broken is counted by what it means and told, and nothing done proves nothing', () => {
  const violations = [
    { property: 'P1', message: 'm-1 is gone' },
    { property: 'P5', message: 'm-3 before m-2' },
    { property: 'P12', message: 'a mark went back' },
  ]
  const broken = { ...REPORT, violations }
  expect(verdictOf(broken)).toBe('failed')
  expect(drillText('x', broken)).toContain('lost 1 · doubled 0 · out of order 1 · anything else 1')
  expect(drillText('x', broken)).toContain('\n  P1 m-1 is gone\n')
  expect(verdictOf({ ...REPORT, rounds: 0 })).toBe('unproven')
})
