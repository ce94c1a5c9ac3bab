import { expect, test } from 'vitest'
import { judge } from './cluster-status.ts'
import type { ClusterView, NodeAnswer } from './cluster-view.ts'
import { statusText } from './status-table.ts'

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

const SILENT: NodeAnswer = { view: null, failure: 'silent', detail: 'ECONNREFUSED' }
const answerOf = (one: ClusterView | null): NodeAnswer =>
  one === null ? SILENT : { view: one, askedAtMs: 0, tookMs: 1 }
const answers = (...views: (ClusterView | null)[]) =>
  new Map(views.map((one, i) => [URLS[i] ?? '', answerOf(one)]))
/** The leader's members, some of them seen otherwise. */
const seen = (over: Record<string, object>) =>
  members.map((member) => ({ ...member, contactMs: 60, match: 90, ...over[member.name] }))

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
    ...{
      name: 'n1',
      url: URLS[0],
      role: 'voter',
      up: false,
      ready: false,
      leads: false,
      through: null,
    },
    ...{ state: 'down', term: null, applied: null, lag: null, lagMs: null, contactMs: null },
    ...{ version: null, disk: null, sessions: null, reasons: ['does not answer'], notes: [] },
  })
  expect(status.next[0]).toBe(
    'start n1 again with the same data directory; the end of its log says why it ended',
  )
})

test('who is silent here and heard by the leader is not lost to the cluster', () => {
  const leads = view('n2', { members: seen({}), persisted: 120 })
  const status = judge(answers(null, leads, null))
  expect(status).toMatchObject({ verdict: 'degraded', canLose: 1 })
  expect(status.nodes[0]).toMatchObject({ state: 'down', lag: 30, notes: ['n2 hears it'] })
  const frozen = { n1: { contactMs: 2_400 }, n3: { state: 'unreachable', contactMs: 100 } }
  const lost = view('n2', { members: seen(frozen) })
  expect(judge(answers(null, lost, null))).toMatchObject({ verdict: 'unavailable', canLose: -1 })
})

test('who answers here and is not reached by the leader is no voter to count on', () => {
  const leads = view('n2', { members: seen({ n3: { state: 'unreachable' } }) })
  const status = judge(answers(view('n1'), leads, view('n3')))
  expect(status).toMatchObject({ verdict: 'degraded', canLose: 0 })
  expect(status.sentence).toContain('n3: n2 does not reach it · writes go on, can lose no more')
})

test('a row tells lag, contact, version, disk, sessions; the verdict how long the leader has led', () => {
  const more = { version: '1.2.3', sessions: 7, disk: { freeBytes: 40 << 20, sizeBytes: 80 << 20 } }
  const leads = view('n2', {
    ...more,
    members: seen({}),
    leaderForMs: 15_120_000,
    logTimeMs: 9_400,
  })
  const late = view('n1', { ...more, applied: 80, logTimeMs: 9_000 })
  const status = judge(answers(late, leads, view('n3', more)))
  expect(status.sentence).toBe('HEALTHY · can lose 1 node · leader n2 for 4h12m · term 7')
  const [n1, n2] = statusText(status).split('\n').slice(3)
  expect(n1?.split(/ {2,}/)).toEqual([
    'n1',
    'voter',
    'follower',
    '20, 0.4 s',
    '0.1s',
    '1.2.3',
    '40.0 MiB free (50 %)',
    '7',
  ])
  expect(n2).toMatch(/^n2 +voter +leader +0 +- +1\.2\.3/)
})

test('nodes that see another leader, other members, another cluster are named', () => {
  const old = view('n1', { leader: 'n1', term: 6 })
  const few = view('n3', { members: members.slice(0, 2) })
  const said = judge(answers(old, view('n2'), few))
  expect(said).toMatchObject({ view: 'n2', verdict: 'healthy' })
  expect(said.disagreements).toEqual([
    'n1 takes n1 for the leader, in term 6',
    'n3 knows other members: n1 (voter), n2 (voter)',
  ])
  expect(statusText(said)).toContain('as n2 sees it, in term 7; not all agree:\n  n1 takes n1')
  const other = view('n3', { clusterId: 'd', term: 99, leader: 'n3' })
  const mixed = judge(answers(view('n1'), view('n2'), other))
  expect(mixed).toMatchObject({ clusterId: 'c', verdict: 'degraded', leader: 'n2' })
  expect(mixed.disagreements).toEqual(['n3 at http://a:3 is of another cluster, d'])
})

test('an emptied directory is no vote, and its node a stranger', () => {
  const reasons = ['stranger: cluster c does not know this empty data directory']
  const empty = view('n3', { clusterId: '', term: 0, commit: 0, applied: 0, ready: false, reasons })
  const status = judge(answers(view('n1'), view('n2'), empty))
  expect(status).toMatchObject({ verdict: 'degraded', canLose: 0, view: 'n2' })
  expect(status.nodes[2]).toMatchObject({ state: 'stranger', up: true, ready: false, lag: null })
})

test('before there is a cluster it says what that waits for', () => {
  const waiting = {
    clusterId: '',
    leader: null,
    term: 0,
    ready: false,
    reasons: ['forming: waits'],
  }
  const status = judge(answers(view('n1', waiting), view('n2', waiting), null))
  expect(status.sentence).toMatch(/^UNAVAILABLE · not formed yet: .* · n1: forming: waits/)
  expect(status.next).toEqual([expect.stringContaining('--initial-members')])
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
  const status = judge(answers(...views))
  expect(status).toMatchObject({ verdict: 'degraded', canLose: 1 })
})

test('nobody answers: says whom it asked', () => {
  const status = judge(answers(null, null, null))
  expect(status).toMatchObject({ verdict: 'unavailable', nodes: [] })
  expect(status.sentence).toBe(`UNAVAILABLE · no node answers at ${URLS.join(', ')}`)
})
