import { expect, test } from 'vitest'
import { judge } from './cluster-status.ts'
import type { ClusterView } from './cluster-view.ts'

const URLS = ['http://a:1', 'http://a:2', 'http://a:3']
const members = URLS.map((url, i) => ({ name: `n${i + 1}`, role: 'voter', url, state: 'follower' }))

const view = (node: string, over: Partial<ClusterView> = {}): ClusterView => ({
  clusterId: 'c',
  epoch: 'e',
  node,
  leader: 'n2',
  term: 7,
  commit: 100,
  applied: 100,
  ready: true,
  reasons: [],
  members,
  ...over,
})

const answers = (...views: (ClusterView | null)[]) =>
  new Map(views.map((one, i) => [URLS[i] ?? '', one]))

test('all ready: healthy, and says how many may be lost', () => {
  const status = judge(answers(view('n1', { applied: 97 }), view('n2'), view('n3')))
  expect(status).toMatchObject({ verdict: 'healthy', leader: 'n2', term: 7, canLose: 1 })
  expect(status.sentence).toBe('HEALTHY · can lose 1 node · leader n2 · term 7')
  expect(status.nodes[0]).toMatchObject({ name: 'n1', up: true, leads: false, lag: 3 })
  expect(status.nodes[1]).toMatchObject({ name: 'n2', leads: true, lag: 0 })
})

test('a dead node is listed and named; writes go on', () => {
  const status = judge(answers(null, view('n2'), view('n3')))
  expect(status.verdict).toBe('degraded')
  expect(status.sentence).toBe(
    'DEGRADED · n1 does not answer · writes go on, can lose no more · leader n2 · term 7',
  )
  expect(status.nodes[0]).toEqual({
    ...{ name: 'n1', url: URLS[0], role: 'voter', up: false, ready: false, leads: false },
    ...{ term: null, applied: null, lag: null, reasons: ['does not answer'] },
  })
})

test('a node that is up but not ready says why', () => {
  const late = view('n3', { ready: false, reasons: ['has not caught up'] })
  const status = judge(answers(view('n1'), view('n2'), late))
  expect(status).toMatchObject({ verdict: 'degraded', canLose: 1 })
  expect(status.sentence).toContain('n3: has not caught up')
})

test('the word of a deposed leader does not count', () => {
  const old = view('n1', { leader: 'n1', term: 6, commit: 120 })
  const status = judge(answers(old, view('n2'), view('n3')))
  expect(status).toMatchObject({ leader: 'n2', term: 7 })
})

test('a leader that only others name is no leader', () => {
  const status = judge(answers(view('n1'), null, view('n3')))
  expect(status).toMatchObject({ verdict: 'unavailable', leader: null })
  expect(status.sentence).toBe('UNAVAILABLE · no leader in term 7 · n2 does not answer')
})

test('without a majority nothing is available, whatever the survivor believes', () => {
  const status = judge(answers(null, view('n2'), null))
  expect(status).toMatchObject({ verdict: 'unavailable', canLose: -1 })
  expect(status.sentence).toContain('no quorum: 1 of the 2 voters needed answer')
})

test('learners do not count for the quorum', () => {
  const withLearner = [
    ...members,
    { name: 'n4', role: 'learner', url: 'http://a:4', state: 'follower' },
  ]
  const views = ['n1', 'n2', 'n3'].map((node) => view(node, { members: withLearner }))
  const status = judge(new Map(views.map((one, i) => [URLS[i] ?? '', one])))
  expect(status).toMatchObject({ verdict: 'degraded', canLose: 1 })
})

test('nobody answers: says whom it asked', () => {
  const status = judge(answers(null, null, null))
  expect(status).toMatchObject({ verdict: 'unavailable', nodes: [] })
  expect(status.sentence).toBe(`UNAVAILABLE · no node answers at ${URLS.join(', ')}`)
})
