import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { ClusterMember, ClusterView } from '../cluster/cluster-view.ts'
import type { Capture, NodeCapture } from './capture.ts'
import { doctorText } from './doctor-text.ts'
import { CHECKS, examine } from './examine.ts'
import { patientOf } from './patient.ts'

const NOW_MS = 1_800_000_000_000
const NAMES = ['n1', 'n2', 'n3']
const HEALTHY_METRICS = `# HELP a b
parley_log_sync_duration_seconds_bucket{le="0.1"} 500
parley_log_sync_duration_seconds_bucket{le="1"} 500
parley_log_sync_duration_seconds_bucket{le="+Inf"} 500
nodejs_eventloop_lag_p99_seconds 0.02
process_open_fds 40
process_max_fds 1024
parley_raft_proposals_total{result="overloaded"} 0
parley_state_unwritten_bytes 10
parley_state_unwritten_limit_bytes 100
parley_state_lost 0
parley_tls_certificate_expiry_timestamp_seconds{use="peer"} 0
parley_push_calls_total{outcome="sent"} 90
parley_push_calls_total{outcome="failed"} 0
`

const members = (over: Record<string, Partial<ClusterMember>> = {}, names = NAMES) =>
  names.map((name) => ({
    ...{ name, role: 'voter', url: `http://${name}:1`, peer: `${name}:2`, id: name },
    ...{ state: name === 'n2' ? 'leader' : 'follower', contactMs: 60, match: 100 },
    ...over[name],
  }))

const view = (node: string, over: Partial<ClusterView> = {}): ClusterView => ({
  ...{ clusterId: 'c', epoch: 'e', node, leader: 'n2', term: 7, commit: 100, applied: 100 },
  ...{ ready: true, reasons: [], version: '1.0.0', stateHash: 'aa', wallTimeMs: NOW_MS },
  ...{ logTimeMs: 50, recentLeaders: 1, disk: { freeBytes: 50 << 20, sizeBytes: 100 << 20 } },
  members: members(),
  ...over,
})

interface Twist {
  readonly view?: Partial<ClusterView>
  readonly metrics?: string
  readonly before?: string
  readonly settings?: Readonly<Record<string, unknown>>
}

/** A healthy cluster of three but for what is said of single nodes; `null`: it is silent. */
function capture(twists: Record<string, Twist | null> = {}, names = NAMES): Capture {
  const nodes = names.map((name): NodeCapture => {
    const twist = twists[name]
    const url = `http://${name}:1`
    if (twist === null) {
      const answer = { view: null, failure: 'silent', detail: 'ECONNREFUSED' } as const
      return { url, answer, metrics: null, metricsBefore: null, self: null, missing: [] }
    }
    return {
      url,
      answer: { view: view(name, twist?.view), askedAtMs: NOW_MS, tookMs: 4 },
      metricsBefore: twist?.before ?? HEALTHY_METRICS,
      metrics: twist?.metrics ?? HEALTHY_METRICS,
      self: { settings: twist?.settings ?? {}, machine: null },
      missing: [],
    }
  })
  return { schema: 1, takenAtMs: NOW_MS, nodes }
}

const all = (twist: Twist, names = NAMES) => Object.fromEntries(names.map((n) => [n, twist]))
const more = (lines: string) => `${HEALTHY_METRICS}${lines}\n`
const syncs = (fast: number, slow: number) => `
parley_log_sync_duration_seconds_bucket{le="0.1"} ${fast}
parley_log_sync_duration_seconds_bucket{le="1"} ${fast + slow}
parley_log_sync_duration_seconds_bucket{le="+Inf"} ${fast + slow}`
const inTwoDays = NOW_MS / 1_000 + 3 * 86_400

const SICK: [string, Capture, RegExp][] = [
  ['no-answer', capture({ n1: null, n2: null, n3: null }), /no node answers at http:\/\/n1:1/],
  [
    'not-formed',
    capture({ ...all({ view: { clusterId: '', leader: null, ready: false } }), n3: null }),
    /2 of 3 initial members answer; n3 do not/,
  ],
  [
    'no-quorum',
    capture({
      n1: null,
      n3: null,
      n2: {
        view: { members: members({ n1: { state: 'unreachable' }, n3: { state: 'unreachable' } }) },
      },
    }),
    /1 of 3 voters are there, 2 are needed; missing: n1, n3/,
  ],
  [
    'no-leader',
    capture(all({ view: { leader: null, leaderForMs: 3_100, ready: false } })),
    /no node leads term 7; n1, n2, n3 know none, for up to 3\.1s/,
  ],
  [
    'single-member',
    capture({ n2: { view: { members: members({}, ['n2']) } } }, ['n2']),
    /1 voter, 0 may be lost/,
  ],
  [
    'even-voters',
    capture(all({ view: { members: members({}, [...NAMES, 'n4']) } }, [...NAMES, 'n4']), [
      ...NAMES,
      'n4',
    ]),
    /4 voters, 1 may be lost: as many as of 3/,
  ],
  ['leader-flapping', capture({ n1: { view: { recentLeaders: 9 } } }), /n1 saw 9 leaders/],
  ['node-down', capture({ n3: null }), /http:\/\/n3:1 does not answer/],
  [
    'not-ready',
    capture({ n3: { view: { ready: false, reasons: ['catching up: x'] } } }),
    /catching up: x/,
  ],
  [
    'stranger',
    capture({ n3: { view: { clusterId: '', term: 0, ready: false } } }),
    /answers as n3 and is of no cluster; n3 is a member of c/,
  ],
  [
    'link-down',
    capture({ n1: { view: { members: members({ n3: { state: 'unreachable' } }) } } }),
    /n1 does not reach n3 at n3:2, while n3 reaches n1: one way only/,
  ],
  [
    'slow-link',
    capture({ n1: { metrics: more('parley_peer_round_trip_seconds{peer="n3"} 0.4') } }),
    /n1 to n3: 400 ms/,
  ],
  ['views-differ', capture({ n1: { view: { leader: 'n1', term: 6 } } }), /n1 takes n1 for the/],
  [
    'peers-refuse',
    capture({ n1: { metrics: more('parley_peer_malformed_frames_total 2') } }),
    /2 connections and 0 forwarded/,
  ],
  [
    'follower-lag',
    capture({
      ...all({ view: { commit: 9_000, applied: 9_000 } }),
      n1: { view: { commit: 9_000, applied: 100, logTimeMs: 20 } },
    }),
    /8900 entries, 0\.0 s behind/,
  ],
  [
    'learner-stuck',
    capture({
      n2: { view: { members: members({ n3: { role: 'learner', progress: 'probe', match: 3 } }) } },
    }),
    /n2 still looks for where its log ends, at index 3 of 100/,
  ],
  [
    'learner-stuck',
    capture({
      n2: {
        view: { members: members({ n3: { role: 'learner', progress: 'snapshot', match: 3 } }) },
        metrics: more('parley_cluster_learner_stuck_seconds 45'),
      },
    }),
    /of the snapshot that it gets it has taken in nothing for 45 s, at index 3 of 100/,
  ],
  ['apply-lag', capture({ n1: { view: { commit: 9_000 } } }), /committed 9000, applied 100/],
  [
    'state-lost',
    capture({ n3: { metrics: more('parley_state_lost 1').replace('parley_state_lost 0', '') } }),
    /parley_state_lost is 1/,
  ],
  [
    'state-diverged',
    capture({ n3: { view: { stateHash: 'bb' } } }),
    /at index 100 n1 has aa, n3 has bb/,
  ],
  [
    'slow-disk',
    capture({ n1: { before: more(syncs(500, 0)), metrics: syncs(520, 5) } }),
    /takes up to 1000 ms, of 25 just now/,
  ],
  [
    'disk-low',
    capture({ n1: { view: { disk: { freeBytes: 5 << 20, sizeBytes: 100 << 20 } } } }),
    /5\.0 MiB of 100 MiB are free, 5\.0 %/,
  ],
  [
    'event-loop-late',
    capture({ n1: { metrics: 'nodejs_eventloop_lag_p99_seconds 0.4' } }),
    /p99 of 400 ms/,
  ],
  [
    'descriptors-low',
    capture({ n1: { metrics: 'process_open_fds 1000\nprocess_max_fds 1024' } }),
    /1000 of 1024 are open/,
  ],
  ['clock-off', capture({ n3: { view: { wallTimeMs: NOW_MS + 2_500 } } }), /2\.5 s from the other/],
  [
    'backpressure',
    capture({ n2: { metrics: 'parley_raft_proposals_total{result="overloaded"} 40' } }),
    /40 writes refused/,
  ],
  [
    'push-fails',
    capture({
      n2: {
        metrics:
          'parley_push_calls_total{outcome="sent"} 95\nparley_push_calls_total{outcome="failed"} 5',
      },
    }),
    /5 of 10 calls failed just now/,
  ],
  [
    'moderation-fails',
    capture({ n2: { metrics: 'parley_moderation_verdicts_total{verdict="fail"} 4' } }),
    /4 of 4 verdicts failed since its start/,
  ],
  [
    'retention-fails',
    capture({ n2: { metrics: 'parley_retention_failures_total 9' } }),
    /9 looks ended with an error/,
  ],
  [
    'backup-stale',
    capture(
      all({
        metrics: more(`parley_backup_verified_timestamp_seconds ${NOW_MS / 1_000 - 200_000}`),
      }),
    ),
    /the last one was 2d7h ago/,
  ],
  [
    'certificate-expires',
    capture({
      n1: {
        metrics: more(`parley_tls_certificate_expiry_timestamp_seconds{use="client"} ${inTwoDays}`),
      },
    }),
    /that for client expires in 3\.0 days/,
  ],
  [
    'versions-differ',
    capture({ n3: { view: { version: '1.1.0' } } }),
    /n1, n2: 1\.0\.0; n3: 1\.1\.0/,
  ],
  [
    'config-refused',
    capture({ n3: { metrics: more('parley_config_refused 1') } }),
    /a restart would fail/,
  ],
  [
    'reload-fails',
    capture({ n1: { metrics: more('parley_tls_reloads_total{outcome="failed"} 2') } }),
    /2 files could not be used since its start/,
  ],
  [
    'peer-untrusted',
    capture({
      n1: {
        before: more('parley_peer_untrusted_total{reason="secret"} 1'),
        metrics: more('parley_peer_untrusted_total{reason="secret"} 4'),
      },
    }),
    /3 connections between nodes refused just now/,
  ],
  [
    'audit-fails',
    capture({
      n2: {
        before: more('parley_audit_records_total{outcome="failed"} 0'),
        metrics: more('parley_audit_records_total{outcome="failed"} 1'),
      },
    }),
    /1 lines could not be written just now/,
  ],
  [
    'upgrade-not-final',
    capture(all({ metrics: more('parley_feature_level 2\nparley_feature_level_max 3') })),
    /level 2 is in force, all nodes can do 3/,
  ],
  ['left-in-settings', capture({ n1: { settings: { unsafeFailpoints: 'a=1' } } }), /kills itself/],
]

test('a healthy cluster has nothing to find', () => {
  expect(examine(capture())).toEqual([])
  const text = doctorText(patientOf(capture()).status, [], [])
  expect(text).toBe('HEALTHY · can lose 1 node · leader n2 · term 7\n\nnothing found')
})

test('a node of an older version holds the level back: that is no upgrade left open', () => {
  const newer = { metrics: more('parley_feature_level 2\nparley_feature_level_max 3') }
  const older = { metrics: more('parley_feature_level 2\nparley_feature_level_max 2') }
  for (const third of [older, {}]) {
    const found = examine(capture({ ...all(newer), n3: third })).map(({ check }) => check)
    expect(found).not.toContain('upgrade-not-final')
  }
})

test('a stranger who knocks is no node that is turned away', () => {
  const knocked = (count: number) =>
    more(`parley_peer_untrusted_total{reason="handshake"} ${count}`)
  const found = examine(capture({ n1: { before: knocked(1), metrics: knocked(9) } }))
  expect(found).toEqual([])
})

test.each(SICK)('%s is found by what nodes say', (id, captured, evidence) => {
  const findings = examine(captured)
  const [found] = findings.filter(({ check }) => check === id)
  expect(found?.evidence, JSON.stringify(findings)).toMatch(evidence)
  expect(found?.next).not.toBe('')
  // Whatever is found beside it comes of the same fault: nothing else is made up.
  expect(new Set(findings.map(({ check }) => check)).size).toBeLessThanOrEqual(5)
})

test('every check is shown to find what it is for', () => {
  expect([...new Set(SICK.map(([id]) => id))].toSorted()).toEqual(
    CHECKS.map(({ id }) => id).toSorted(),
  )
})

test('the worst comes first', () => {
  const old = { view: { version: '0.9.0' } }
  const found = examine(
    capture({ n1: null, n2: { ...old, settings: { unsafeFailpoints: 'x=1' } } }),
  )
  expect(found.map(({ severity }) => severity)).toEqual(['critical', 'warning', 'info'])
})

test('the page on operations names each check, with its section', () => {
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const rows = CHECKS.map(
    ({ id, severity, title, runbook }) => `${id} ${severity} ${title} #${runbook}`,
  )
  const table = [
    ...page.matchAll(/^\| `([a-z-]+)` +\| (\w+) +\| \[([^\]]+)\]\((#[a-z-]+)\) +\|$/gm),
  ]
  expect(
    table.map(([, id, severity, title, link]) => `${id} ${severity} ${title} ${link}`),
  ).toEqual(rows)
})
