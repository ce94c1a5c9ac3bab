import type { Dashboard, State } from './dashboard.ts'
import { gauges, LEADS, panel, quantiles, rate, YES_OR_NO } from './shorthand.ts'

const FAILED = 'code=~"NO_LEADER|NO_QUORUM|OVERLOADED|OUTCOME_UNKNOWN|DISK_FULL|INTERNAL"'

const AWAY: readonly State[] = [
  ['no', 'text'],
  ['yes', 'orange'],
]
const ROOM: readonly State[] = [
  ['room', 'green'],
  ['low', 'orange'],
  ['hard', 'red'],
  ['reserve used', 'red'],
]

export const CLUSTER: Dashboard = {
  id: 'parley-cluster',
  title: 'Parley: cluster',
  rows: [
    {
      title: 'Does it work',
      panels: [
        panel(
          'Nodes up',
          'short',
          'Nodes that were scraped, and how many there are to scrape. Fewer than a majority: nothing is accepted.',
          [
            ['sum(up{job="parley", cluster="$cluster"})', 'up'],
            ['count(up{job="parley", cluster="$cluster"})', 'of'],
          ],
          { kind: 'stat' },
        ),
        panel(
          'Failures that can be borne',
          'short',
          'The least that any node sees which follows a leader, or leads. 0: one more loss stops every write.',
          [
            [
              'min(parley_cluster_failure_tolerance and on (cluster, instance) parley_raft_has_leader == 1)',
              'nodes',
            ],
          ],
          { kind: 'stat', least: 1 },
        ),
        panel(
          'Members',
          'short',
          'Voters and learners as each node knows them. They differ only while members change.',
          gauges('parley_cluster_voters', 'parley_cluster_learners'),
        ),
        panel(
          'Learner without progress',
          's',
          'How long a member that is being taken in has taken in nothing, as the leader sees it. Near 0, or somebody has to look.',
          gauges('parley_cluster_learner_stuck_seconds'),
          { limit: 300 },
        ),
        panel(
          'Who leads',
          'short',
          'One node at a time. A gap is an election; normal ones take about a second.',
          gauges('parley_raft_is_leader'),
          { kind: 'state-timeline', states: LEADS },
        ),
        panel(
          'Who knows a leader',
          'short',
          'Where it is 0, writes wait and are refused after two seconds.',
          gauges('parley_raft_has_leader'),
          { kind: 'state-timeline', states: YES_OR_NO },
        ),
        panel(
          'Ready',
          'short',
          'Which nodes serve clients. One that does not sends its clients to the others: the next panel says why.',
          gauges('parley_ready'),
          { kind: 'state-timeline', states: YES_OR_NO },
        ),
        panel(
          'Sends clients away',
          'short',
          'Drained, ending or without room on its disk; and how far a drain is that somebody asked for.',
          [
            ['parley_draining', '{{instance}}'],
            ['parley_drain_phase{phase!="serving"}', '{{instance}} {{phase}}'],
          ],
          { kind: 'state-timeline', states: AWAY },
        ),
        panel(
          'Checks that fail',
          'short',
          'Why a node is not ready: checks of /readyz that do not pass.',
          [['sum by (instance, check) (1 - parley_ready_check)', '{{instance}} {{check}}']],
          { limit: 1 },
        ),
        panel(
          'Messages accepted',
          'ops',
          'Sent for the first time, and copies that got the first answer. Many copies: clients do not hear answers.',
          [
            [rate('parley_messages_accepted_total', 'cluster'), 'accepted'],
            [rate('parley_messages_duplicate_total', 'cluster'), 'copies'],
          ],
        ),
        panel(
          'Time to accept',
          's',
          'From a message read to its answer queued: two disks of three and the network between them.',
          quantiles('parley_request_duration_seconds').map(([expression, legend]) => [
            expression.replace('_bucket[', '_bucket{op="msg"}['),
            legend,
          ]),
          { limit: 0.1 },
        ),
        panel(
          'Sends that failed',
          'percentunit',
          'By a failure of the cluster, not of the message. The promise is fewer than one in a thousand.',
          [
            [
              `sum(rate(parley_requests_total{op="msg", ${FAILED}}[$__rate_interval])) / sum(rate(parley_requests_total{op="msg"}[$__rate_interval]))`,
              'failed',
            ],
          ],
          { limit: 0.001 },
        ),
        panel(
          'Alerts',
          'short',
          'Alerts that fire or are about to; what to do stands in docs/operations.md.',
          [
            [
              'count by (alertname, alertstate) (ALERTS{cluster="$cluster"})',
              '{{alertname}} {{alertstate}}',
            ],
          ],
          { rare: true },
        ),
        panel(
          'Versions',
          'short',
          'More than one: an upgrade is under way, or was left half done.',
          [
            [
              'count by (version, node_version) (parley_build_info)',
              '{{version}} on Node {{node_version}}',
            ],
            [
              'count by (node, cluster_id, epoch) (parley_node_info)',
              '{{node}} of {{cluster_id}}, epoch {{epoch}}',
            ],
          ],
        ),
        panel(
          'Feature level',
          'short',
          'In force, and the highest that every node which is up can do. The first is below the second after an upgrade, until it is finalized.',
          [
            ['max(parley_feature_level)', 'in force'],
            ['min(parley_feature_level_max)', 'all can do'],
            ['max(parley_feature_level_min)', 'all need'],
          ],
        ),
      ],
    },
    {
      title: 'Between the nodes',
      panels: [
        panel(
          'Connections',
          'short',
          'From each node to each other: 1 is up.',
          [['parley_peer_up', '{{instance}} → {{peer}}']],
          { kind: 'state-timeline', states: YES_OR_NO },
        ),
        panel(
          'Round trip',
          's',
          'Pings twice a second. It has to be far below an election timeout of one second.',
          [['parley_peer_round_trip_seconds', '{{instance}} → {{peer}}']],
          { limit: 0.15 },
        ),
        panel(
          'Traffic',
          'Bps',
          'Mostly the log: what the leader sends grows with members and load.',
          [[rate('parley_peer_bytes_total', 'instance, direction'), '{{instance}} {{direction}}']],
        ),
        panel('Frames', 'ops', 'Appends and answers, forwarded writes, signals.', [
          [rate('parley_peer_frames_total', 'instance, direction'), '{{instance}} {{direction}}'],
        ]),
        panel(
          'Frames dropped',
          'ops',
          'To a member that is away or does not take what it is sent. Raft sends again what matters.',
          [[rate('parley_peer_frames_dropped_total'), '{{instance}}']],
        ),
        panel(
          'Connections lost, frames refused',
          'ops',
          'Lost ones come with restarts. Any refused frame: versions differ, or something changes bytes on the way.',
          [
            [rate('parley_peer_disconnects_total'), '{{instance}} lost'],
            [rate('parley_peer_malformed_frames_total'), '{{instance}} malformed'],
            [rate('parley_forwarded_malformed_total'), '{{instance}} forwarded malformed'],
          ],
        ),
      ],
    },
    {
      title: 'Certificates and secrets',
      panels: [
        panel(
          'Certificates end in',
          's',
          'Renew them two weeks before: past the end nobody talks to the node any more.',
          [
            [
              '(parley_tls_certificate_expiry_timestamp_seconds > 0) - time()',
              '{{instance}} {{use}}',
            ],
          ],
          { rare: true, signed: true, least: 14 * 86_400 },
        ),
        panel(
          'Turned away',
          'ops',
          'Nodes without the right certificate or secret, strangers on the peer port, and clients that do not trust the certificate.',
          [
            [
              rate('parley_peer_untrusted_total', 'instance, reason'),
              '{{instance}} peer {{reason}}',
            ],
            [rate('parley_tls_client_handshake_failures_total'), '{{instance}} clients'],
          ],
        ),
        panel(
          'Lines of the audit log',
          'short',
          'What operators did, in an hour. Failed: they can change nothing on that node until the file can be written.',
          [
            [
              'sum by (instance, outcome) (increase(parley_audit_records_total[1h]))',
              '{{instance}} {{outcome}}',
            ],
          ],
        ),
        panel(
          'Files read again',
          'short',
          'Certificates, secrets and keys that changed. Failed: the old ones stay in force until somebody mends the files.',
          [
            [
              'sum by (instance, outcome) (increase(parley_tls_reloads_total[1h]))',
              '{{instance}} {{outcome}}',
            ],
          ],
        ),
      ],
    },
    {
      title: 'The machines',
      panels: [
        panel(
          'CPU',
          'percentunit',
          'Of one core; a node is one thread and a few helpers. Near 1: it is the limit.',
          [
            [rate('process_cpu_seconds_total'), '{{instance}}'],
            [rate('process_cpu_user_seconds_total'), '{{instance}} user'],
            [rate('process_cpu_system_seconds_total'), '{{instance}} system'],
          ],
        ),
        panel(
          'Event loop delay',
          's',
          'How late the thread comes to what is due. From 100 ms on heartbeats are late, then elections follow.',
          gauges(
            'nodejs_eventloop_lag_seconds',
            'nodejs_eventloop_lag_p50_seconds',
            'nodejs_eventloop_lag_p90_seconds',
            'nodejs_eventloop_lag_p99_seconds',
            'nodejs_eventloop_lag_max_seconds',
            'nodejs_eventloop_lag_mean_seconds',
            'nodejs_eventloop_lag_min_seconds',
            'nodejs_eventloop_lag_stddev_seconds',
          ),
          { limit: 0.1 },
        ),
        panel(
          'Garbage collection',
          's',
          'Time in collections per second, by kind. Major ones that grow: the heap is near its bound.',
          [[rate('nodejs_gc_duration_seconds_sum', 'instance, kind'), '{{instance}} {{kind}}']],
        ),
        panel(
          'Memory',
          'bytes',
          'Resident memory, heap and buffers. Levels off once caches are full.',
          gauges(
            'process_resident_memory_bytes',
            'process_virtual_memory_bytes',
            'process_heap_bytes',
            'nodejs_heap_size_used_bytes',
            'nodejs_heap_size_total_bytes',
            'nodejs_external_memory_bytes',
          ),
        ),
        panel('Heap spaces', 'bytes', 'Of V8, by space: used, taken, and free.', [
          [
            'sum by (instance, space) (nodejs_heap_space_size_used_bytes)',
            '{{instance}} {{space}}',
          ],
          ['sum by (space) (nodejs_heap_space_size_total_bytes)', '{{space}} taken'],
          ['sum by (space) (nodejs_heap_space_size_available_bytes)', '{{space}} free'],
        ]),
        panel(
          'Descriptors',
          'short',
          'Open files and sockets, and how many there may be: each client takes one.',
          gauges('process_open_fds', 'process_max_fds'),
        ),
        panel(
          'Handles and requests',
          'short',
          'What keeps the process busy, as Node counts it.',
          gauges(
            'nodejs_active_resources_total',
            'nodejs_active_handles_total',
            'nodejs_active_requests_total',
          ),
        ),
        panel('Handles by kind', 'short', 'The same by kind.', [
          ['sum by (type) (nodejs_active_resources)', '{{type}}'],
          ['sum by (type) (nodejs_active_handles)', '{{type}} handles'],
        ]),
        panel(
          'Requests of the runtime by kind',
          'short',
          'File and name look-ups under way, as seen by a scrape.',
          [['sum by (type) (nodejs_active_requests)', '{{type}}']],
          { rare: true },
        ),
        panel(
          'Disk free',
          'percentunit',
          'Of the file system of the data. At nothing a node stops rather than guess.',
          [['parley_data_disk_free_bytes / parley_data_disk_size_bytes', '{{instance}}']],
          { least: 0.1 },
        ),
        panel(
          'Disk level',
          'short',
          'How short of room each disk is: 0 not, 1 low, 2 hard, 3 on what was set aside. A majority at 1: clients hear DISK_FULL.',
          [['parley_data_disk_level', '{{instance}}']],
          { kind: 'state-timeline', states: ROOM },
        ),
        panel(
          'Turned away for want of room',
          'ops',
          'Writes and acknowledgements answered with DISK_FULL by the leader, and whether the file for a full disk is there.',
          [
            ['rate(parley_data_disk_refused_total[$__rate_interval])', '{{instance}}'],
            ['parley_data_disk_reserve_bytes > bool 0', 'reserve of {{instance}}'],
          ],
        ),
        panel(
          'Clocks',
          's',
          'How far each clock is from the one of Prometheus: policies, tokens and times shown depend on them.',
          [['parley_wall_clock_seconds - timestamp(parley_wall_clock_seconds)', '{{instance}}']],
          { signed: true, limit: 0.5 },
        ),
        panel(
          'Configuration',
          'short',
          'Reloads by result. While the last one was refused, what is written is not what is in force.',
          [
            ['parley_config_reloads_total', '{{instance}} {{result}}'],
            ['parley_config_refused', '{{instance}} last one refused'],
          ],
        ),
        panel('Up since', 's', 'Age of the processes. Many young ones: something restarts them.', [
          ['time() - process_start_time_seconds', '{{instance}}'],
          ['count by (version) (nodejs_version_info)', 'nodes on Node {{version}}'],
        ]),
      ],
    },
  ],
}
