import { describe, expect, test } from 'vitest'
import { type ClusterView, replication } from './cluster-view.ts'
import {
  type MemberReport,
  preflight,
  type PreflightRequest,
  type PreflightView,
} from './preflight.ts'

type Member = ClusterView['members'][number]

interface Case {
  readonly voters?: number
  readonly down?: readonly string[]
  readonly learners?: readonly string[]
  /** Of a member, beside what it has. */
  readonly member?: Readonly<Record<string, Partial<Member>>>
  readonly reports?: Readonly<Record<string, MemberReport>>
  readonly state?: Partial<PreflightView>
}

/** A cluster that n1 leads, all well but for what a case says. */
function cluster({
  voters = 3,
  down = [],
  learners = [],
  member = {},
  ...more
}: Case): PreflightView {
  const names = Array.from({ length: voters }, (_, at) => `n${at + 1}`)
  const memberOf = (name: string, role: Member['role']): Member => ({
    ...{ name, role, id: name, url: `http://${name}:1`, peer: `${name}:2`, contactMs: 10 },
    ...{ match: 50_000, progress: 'replicate' },
    state: down.includes(name) ? 'unreachable' : name === 'n1' ? 'leader' : 'follower',
    ...member[name],
  })
  const members = [
    ...names.map((name) => memberOf(name, 'voter')),
    ...learners.map((name) => memberOf(name, 'learner')),
  ]
  const facts = { leader: 'n1', commit: 50_000, members, replication: replication(voters) }
  return {
    view: facts as unknown as ClusterView,
    ...{ isChanging: false, transferTo: null, strangers: [] },
    reports: new Map(Object.entries(more.reports ?? {})),
    ...more.state,
  }
}

const judge = (of: Case, request: PreflightRequest) => {
  const { verdict, reasons } = preflight(cluster(of), request)
  return `${verdict}: ${reasons.map(({ code }) => code).join(' ')}`.trimEnd()
}
const draining = { reasons: ['draining: this node is going away'] }
const full = { disk: { freeBytes: 1, sizeBytes: 100 } }
const n4 = { peer: 'n4:2', url: 'http://n4:1' }
const remove = (node: string): PreflightRequest => ({ action: 'remove', node })
const stop = (node: string): PreflightRequest => ({ action: 'stop', node })
const add = (node: string, more: object = n4): PreflightRequest => ({
  action: 'add',
  node,
  ...more,
})
const replace = (node: string, more = {}): PreflightRequest => ({
  action: 'replace',
  node,
  ...more,
})
const transfer = (node: string | null): PreflightRequest => ({ action: 'transfer', node })

describe('may this be done to that node now?', () => {
  test.each<[string, Case, PreflightRequest, string]>([
    ['one of three', {}, stop('n2'), 'ok: noneToSpare'],
    ['the leader', {}, stop('n1'), 'ok: noneToSpare leads'],
    ['one of five', { voters: 5 }, stop('n2'), 'ok:'],
    ['a second of five', { voters: 5, down: ['n3'] }, stop('n2'), 'warn: noneToSpare'],
    ['a third of five', { voters: 5, down: ['n3', 'n4'] }, stop('n2'), 'refuse: quorumLost'],
    ['a second of three', { down: ['n3'] }, stop('n2'), 'refuse: quorumLost'],
    ['that which is down', { down: ['n3'] }, stop('n3'), 'ok: noneToSpare'],
    ['the only one', { voters: 1 }, stop('n1'), 'refuse: onlyVoter'],
    ['one of two', { voters: 2 }, stop('n2'), 'refuse: quorumLost'],
    ['while another drains', { reports: { n3: draining } }, stop('n2'), 'refuse: quorumLost'],
    [
      'while another gets a snapshot',
      { member: { n3: { progress: 'snapshot' } } },
      stop('n2'),
      'refuse: quorumLost',
    ],
    ['while another lags', { member: { n3: { match: 10 } } }, stop('n2'), 'refuse: quorumLost'],
    [
      'while another is silent',
      { member: { n3: { contactMs: 2_500 } } },
      stop('n2'),
      'refuse: quorumLost',
    ],
    ['a learner', { learners: ['n4'] }, stop('n4'), 'ok: learner'],
    ['while one is taken in', { learners: ['n4'] }, stop('n2'), 'warn: noneToSpare changeUnderWay'],
    ['while a disk fills', { reports: { n3: full } }, stop('n2'), 'warn: noneToSpare diskLow'],
    ['nobody', {}, stop('n9'), 'refuse: unknownMember'],
  ])('[MR9] stop: %s', (_, of, request, verdict) => {
    expect(judge(of, request)).toBe(verdict)
  })

  test.each<[string, Case, PreflightRequest, string]>([
    ['of five', { voters: 5 }, remove('n5'), 'ok: fewerFailures'],
    ['of four', { voters: 4 }, remove('n4'), 'ok:'],
    ['of three', {}, remove('n3'), 'warn: noneToSpare fewVoters'],
    ['the leader', { voters: 5 }, remove('n1'), 'ok: fewerFailures leads'],
    ['the last', { voters: 1 }, remove('n1'), 'refuse: onlyVoter'],
    ['that which is down', { voters: 5, down: ['n5'] }, remove('n5'), 'ok: fewerFailures'],
    [
      'while another is down',
      { voters: 5, down: ['n4'] },
      remove('n5'),
      'refuse: noneToSpare memberDown fewerFailures',
    ],
    [
      'without a majority',
      { down: ['n3'] },
      remove('n2'),
      'refuse: quorumLost memberDown fewVoters',
    ],
    [
      'during a change',
      { voters: 4, state: { isChanging: true } },
      remove('n4'),
      'refuse: changeUnderWay',
    ],
    [
      'while one is taken in',
      { voters: 5, learners: ['n6'] },
      remove('n5'),
      'refuse: changeUnderWay fewerFailures',
    ],
    ['who is taken in', { learners: ['n4'] }, remove('n4'), 'ok: learner'],
  ])('[MR9] remove: %s', (_, of, request, verdict) => {
    expect(judge(of, request)).toBe(verdict)
  })

  test.each<[string, Case, PreflightRequest, string]>([
    ['a fourth', {}, add('n4'), 'ok: evenVoters'],
    ['a fifth', { voters: 4 }, add('n5', { peer: 'x:1', url: 'http://x:2' }), 'ok:'],
    ['again', { learners: ['n4'] }, add('n4'), 'ok: isMember'],
    ['under a name that is taken', {}, add('n3'), 'refuse: nameTaken evenVoters'],
    [
      'at an address that is taken',
      {},
      add('n4', { peer: 'n3:2', url: 'x' }),
      'refuse: addressTaken evenVoters',
    ],
    ['a second at a time', { learners: ['n5'] }, add('n4'), 'refuse: changeUnderWay evenVoters'],
    ['while one is down', { down: ['n3'] }, add('n4'), 'refuse: memberDown evenVoters'],
    ['in the place of that', { down: ['n3'] }, add('n4', { ...n4, instead: 'n3' }), 'ok:'],
    [
      'a sixteenth',
      { voters: 15 },
      add('n16', { peer: 'x:1', url: 'x' }),
      'refuse: tooMany evenVoters',
    ],
  ])('[MR9] add: %s', (_, of, request, verdict) => {
    expect(judge(of, request)).toBe(verdict)
  })

  test.each<[string, Case, PreflightRequest, string]>([
    ['one that is down', { down: ['n3'] }, replace('n3'), 'ok: noneToSpare notStarted'],
    [
      'one that is back, and empty',
      { state: { strangers: ['n3'] }, down: ['n3'] },
      replace('n3'),
      'ok: noneToSpare',
    ],
    ['one that is well', {}, replace('n3'), 'refuse: noneToSpare stillThere'],
    ['by another', {}, replace('n3', { instead: 'n4' }), 'ok: noneToSpare'],
    ['the leader, by another', {}, replace('n1', { instead: 'n4' }), 'ok: noneToSpare leads'],
    [
      'with too few left',
      { down: ['n2', 'n3'] },
      replace('n3'),
      'refuse: quorumLost memberDown notStarted',
    ],
    [
      'in the midst of it',
      { down: ['n3'], learners: ['n3'] },
      replace('n3'),
      'ok: noneToSpare notStarted',
    ],
  ])('[MR9] replace: %s', (_, of, request, verdict) => {
    expect(judge(of, request)).toBe(verdict)
  })

  test.each<[string, Case, PreflightRequest, string]>([
    ['to whoever can', {}, transfer(null), 'ok:'],
    ['to nobody', { down: ['n2', 'n3'] }, transfer(null), 'refuse: nobodyCanLead'],
    ['to one', {}, transfer('n2'), 'ok:'],
    ['to who leads', {}, transfer('n1'), 'ok: leads'],
    ['to one that is down', { down: ['n2'] }, transfer('n2'), 'refuse: cannotLead'],
    ['to one that drains', { reports: { n2: draining } }, transfer('n2'), 'refuse: cannotLead'],
    ['to a learner', { learners: ['n4'] }, transfer('n4'), 'refuse: notVoter'],
    ['while it moves', { state: { transferTo: 'n3' } }, transfer('n2'), 'refuse: transferUnderWay'],
  ])('[MR9] transfer: %s', (_, of, request, verdict) => {
    expect(judge(of, request)).toBe(verdict)
  })

  test('[MR9] it says why, and what to do', () => {
    const { reasons, next } = preflight(cluster({ down: ['n3'] }), stop('n2'))
    expect(reasons[0]!.text).toBe(
      'without n2 1 of the 2 voters needed would be left: n3 does not answer',
    )
    expect(next).toEqual(['parley doctor'])
  })
})
