import type { Dashboard, State } from './dashboard.ts'
import { gauges, LEADS, panel, rate, YES_OR_NO } from './shorthand.ts'

const BROKEN: readonly State[] = [
  ['left alone', 'green'],
  ['broken', 'red'],
]
const VERDICT: readonly State[] = [
  ['runs', 'blue'],
  ['passed', 'green'],
  ['failed', 'red'],
]
const UNSURE = 'OUTCOME_UNKNOWN|NO_LEADER|NO_QUORUM|OVERLOADED|DRAINING|INTERNAL'

/** Of all rounds so far: a drill is short, so they are not taken by time. */
const spread = (metric: string) =>
  [0.5, 1].map(
    (share) =>
      [
        `histogram_quantile(${share}, sum by (le) (${metric}_bucket))`,
        share === 1 ? 'longest' : 'p50',
      ] as const,
  )

export const CHAOS: Dashboard = {
  id: 'parley-chaos',
  title: 'Parley: chaos',
  rows: [
    {
      title: 'What is broken',
      panels: [
        panel(
          'Faults',
          'short',
          'What a drill does to which node, as the drill itself says (parley drill run). Without a drill the panels below show what nodes notice by themselves.',
          [['max by (node, fault) (parley_chaos_fault_active)', '{{node}} {{fault}}']],
          { kind: 'state-timeline', states: BROKEN, rare: true },
        ),
        panel(
          'Nodes that answer',
          'short',
          'Scraped or not. A frozen node is late first, then missing.',
          [['up{job="parley", cluster="$cluster"}', '{{instance}}']],
          { kind: 'state-timeline', states: YES_OR_NO },
        ),
        panel(
          'Faults so far',
          'short',
          'Of the drill that runs.',
          [['sum by (fault) (parley_chaos_faults_total)', '{{fault}}']],
          { rare: true },
        ),
        panel(
          'Starts',
          'short',
          'Processes that began in the last quarter of an hour. More than somebody did: see the log of the node.',
          [['changes(process_start_time_seconds{job="parley"}[15m])', '{{instance}}']],
        ),
        panel('Age of the processes', 's', 'Falls to 0 with each start.', [
          ['time() - process_start_time_seconds{job="parley"}', '{{instance}}'],
        ]),
        panel('Connections lost', 'ops', 'Between the nodes, and frames that found none.', [
          [rate('parley_peer_disconnects_total'), '{{instance}} lost'],
          [rate('parley_peer_frames_dropped_total'), '{{instance}} frames dropped'],
        ]),
      ],
    },
    {
      title: 'What the cluster does about it',
      panels: [
        panel(
          'Who leads now',
          'short',
          'One node at a time. A gap is an election.',
          gauges('parley_raft_is_leader'),
          { kind: 'state-timeline', states: LEADS },
        ),
        panel(
          'Time to a new leader',
          's',
          'From the harm done to the one before. A process that is killed is noticed at once, a frozen one after an election timeout.',
          spread('parley_chaos_new_leader_seconds'),
          { rare: true },
        ),
        panel(
          'Time until sends go on',
          's',
          'From the harm to the next message that anybody is told is sent.',
          spread('parley_chaos_recovery_seconds'),
          { rare: true },
        ),
        panel(
          'Terms',
          'short',
          'New ones in five minutes. Far more than faults: elections come to nothing.',
          [['max(parley_raft_term) - min(min_over_time(parley_raft_term[5m]))', 'terms']],
        ),
        panel('Sends accepted', 'ops', 'A dip for each fault. It comes back by itself.', [
          [rate('parley_messages_accepted_total', 'cluster'), 'accepted'],
          [rate('parley_messages_duplicate_total', 'cluster'), 'copies'],
        ]),
        panel(
          'Answers that leave it open, or ask to try again',
          'ops',
          'OUTCOME_UNKNOWN: it may be stored, and the copy that clients send has the first answer. None of them is a loss.',
          [
            [
              `sum by (code) (rate(parley_requests_total{op="msg", code=~"${UNSURE}"}[$__rate_interval]))`,
              '{{code}}',
            ],
          ],
        ),
        panel(
          'Behind the leader',
          'short',
          'Entries that each member lacks: rises while it is away, and is gone soon after it is back.',
          [['parley_raft_peer_lag_entries', '{{peer}}']],
        ),
        panel('Committed and not applied', 'short', 'After a start: the replay.', [
          ['parley_raft_commit_index - parley_raft_applied_index', '{{instance}}'],
        ]),
        panel('Ready again', 'short', 'Which nodes serve clients.', gauges('parley_ready'), {
          kind: 'state-timeline',
          states: YES_OR_NO,
        }),
      ],
    },
    {
      title: 'What came of it',
      panels: [
        panel(
          'Verdict',
          'short',
          'Of the judges, once all nodes are back and every conversation was read from each of them.',
          [
            [
              'max by (drill) (parley_chaos_verdict * on (cluster, instance) group_left (drill) parley_chaos_drill_info)',
              '{{drill}}',
            ],
          ],
          { kind: 'stat', states: VERDICT, rare: true },
        ),
        panel(
          'Messages of the drill',
          'short',
          'Written, and told to be sent. Equal in the end: nothing is given up.',
          [['sum by (state) (parley_chaos_messages_total)', '{{state}}']],
          { rare: true },
        ),
        panel(
          'What is broken in the end',
          'short',
          'By property of chaos/SPEC.md: P1 lost, P2 doubled, P5 out of order. Anything above 0 is a bug.',
          [['sum by (property) (parley_chaos_violations)', '{{property}}']],
          { limit: 1, rare: true },
        ),
        panel(
          'States that differ',
          'short',
          'What the nodes find by themselves: their hashes at one index, and state that was lost.',
          [
            ['increase(parley_state_divergences_total[15m])', '{{instance}} differs'],
            ['parley_state_lost', '{{instance}} lost'],
          ],
          { limit: 1 },
        ),
      ],
    },
  ],
}
