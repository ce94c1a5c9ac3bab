import { expect, test } from 'vitest'
import type { ActionResult } from './dev-events.ts'
import { describeEvent, describeNews, describeResult } from './dev-report.ts'

const nodes = [{ id: 'n2', pid: 7 }]

test.each<[ActionResult, string, string]>([
  [{ ok: true, action: 'start', nodes }, 'started n2 (pid 7)', ''],
  [
    { ok: true, action: 'kill', nodes, oldLeader: 'n2', newLeader: 'n1', leaderAfterMs: 40 },
    'killed n2 (pid 7); n1 leads after 40 ms',
    'n1 leads after 40 ms',
  ],
  [
    { ok: true, action: 'stop', nodes, oldLeader: 'n2', newLeader: null },
    'stopped n2 (pid 7); no new leader: too few nodes are up; "parley dev start" brings them back',
    'no new leader: too few nodes are up; "parley dev start" brings them back',
  ],
  [
    { ok: true, action: 'start', nodes, remark: 'n2 not ready yet' },
    'started n2 (pid 7); n2 not ready yet',
    'n2 not ready yet',
  ],
  [
    { ok: true, action: 'partition', nodes, from: ['n1', 'n3'], oneWay: true, newLeader: null },
    'cut off n2 (pid 7) from n1, n3, whom they still hear; no new leader: too few nodes reach each other; "parley dev heal" joins them again',
    'no new leader: too few nodes reach each other; "parley dev heal" joins them again',
  ],
  [{ ok: true, action: 'heal', nodes }, 'joined again n2 (pid 7)', ''],
  [{ ok: false, action: 'kill', message: 'n2 is down', usage: false }, 'n2 is down', 'n2 is down'],
])('%o', (result, whole, news) => {
  expect(describeResult(result)).toBe(whole)
  expect(describeNews(result)).toBe(news)
})

test('a cut, one way or both', () => {
  const cut = { event: 'partitioned', nodes: ['n1'], from: ['n2', 'n3'] } as const
  expect(describeEvent({ ...cut, oneWay: false })).toBe('n1 cut off from n2, n3')
  expect(describeEvent({ ...cut, oneWay: true })).toBe('n1 not heard any more by n2, n3')
})

test.each([
  [3, 'n2 ended by itself: what it has on disk is damaged; the end of its log says what to do'],
  [1, 'n2 ended by itself: see its log; bring it back with "start"'],
])('a node that ended with %i', (code, said) => {
  const end = { pid: 7, code, signal: null, expected: false }
  expect(describeEvent({ event: 'exit', node: 'n2', ...end })).toBe(
    `${said} (pid 7, exit code ${code})`,
  )
})
