/** Series → values from 0 on, every 15 s or, where `at` is in hours, 5 min; as promtool writes them. */
type Inputs = Readonly<Record<string, string>>

export interface AlertCase {
  readonly alert: string
  /** What it is about happens: it fires `at`. */
  readonly fires: Inputs
  /** What looks like it and is not: it does not. Several: each by itself. */
  readonly quiet: Inputs | readonly Inputs[]
  readonly at: string
}

const NODES = ['n1', 'n2', 'n3'] as const
const labels = (instance: string, more = '') =>
  `job="parley",cluster="c",instance="${instance}"${more}`
const one = (metric: string, values: string, more = ''): Inputs => ({
  [`${metric}{${labels('n1', more)}}`]: values,
})
const all = (metric: string, values: readonly [string, string, string], more = ''): Inputs =>
  Object.fromEntries(
    NODES.map((name, at) => [`${metric}{${labels(name, more)}}`, values[at] as string]),
  )
/** A histogram of which all observations are between the two bounds. */
const between = (metric: string, low: string, high: string, more = ''): Inputs => ({
  ...one(`${metric}_bucket`, '0x400', `${more},le="${low}"`),
  ...one(`${metric}_bucket`, '0+100x400', `${more},le="${high}"`),
  ...one(`${metric}_bucket`, '0+100x400', `${more},le="+Inf"`),
})
const OK = '1x400'
const DOWN = '1x10 0x390'

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: 'ParleyNodeDown',
    fires: all('up', [OK, DOWN, OK]),
    // Scraped again within two minutes.
    quiet: all('up', [OK, '1x10 0x5 1x385', OK]),
    at: '6m',
  },
  {
    alert: 'ParleyNodeNotReady',
    fires: {
      ...one('parley_ready', DOWN),
      ...one('parley_draining', '0x400'),
      ...one('parley_ready_check', '1x400', ',check="not_a_voter"'),
    },
    quiet: [
      { ...one('parley_ready', DOWN), ...one('parley_draining', '0x10 1x390') },
      // It is being taken in, for as long as a snapshot takes.
      {
        ...one('parley_ready', '0x400'),
        ...one('parley_draining', '0x400'),
        ...one('parley_ready_check', '0x400', ',check="not_a_voter"'),
      },
    ],
    at: '6m',
  },
  {
    alert: 'ParleyQuorumAtRisk',
    fires: {
      ...all('parley_cluster_failure_tolerance', ['0x400', OK, OK]),
      ...all('parley_raft_has_leader', [OK, OK, OK]),
      ...all('parley_cluster_voters', ['3x400', '3x400', '3x400']),
    },
    quiet: [
      {
        ...one('parley_cluster_failure_tolerance', '0x400'),
        ...one('parley_raft_has_leader', OK),
        ...one('parley_cluster_voters', '1x400'),
      },
      // A node that waits to be taken in, or one of five that is cut off, sees nobody.
      {
        ...all('parley_cluster_failure_tolerance', ['0x400', OK, OK]),
        ...all('parley_raft_has_leader', ['0x400', OK, OK]),
        ...all('parley_cluster_voters', ['0x400', '5x400', '5x400']),
      },
    ],
    at: '8m',
  },
  {
    alert: 'ParleyQuorumLost',
    fires: all('up', [OK, DOWN, DOWN]),
    quiet: [
      all('up', [OK, OK, DOWN]),
      // Who is there follows a leader: the others are there too, or are no members any more.
      { ...all('up', [OK, DOWN, DOWN]), ...one('parley_raft_has_leader', OK) },
    ],
    at: '6m',
  },
  {
    alert: 'ParleyNoLeader',
    fires: all('parley_raft_has_leader', [DOWN, DOWN, DOWN]),
    quiet: all('parley_raft_has_leader', [OK, DOWN, DOWN]),
    at: '6m',
  },
  {
    alert: 'ParleyTwoLeaders',
    fires: all('parley_raft_is_leader', [OK, OK, '0x400']),
    quiet: all('parley_raft_is_leader', ['1x12 0x388', '0x11 1x389', '0x400']),
    at: '5m',
  },
  {
    alert: 'ParleyTwoClusters',
    fires: {
      ...one('parley_node_info', OK, ',node="n1",cluster_id="a",epoch="1"'),
      [`parley_node_info{${labels('n2', ',node="n2",cluster_id="a",epoch="2"')}}`]: OK,
    },
    // A node that waits to be taken in is of none yet.
    quiet: {
      ...one('parley_node_info', OK, ',node="n1",cluster_id="a",epoch="1"'),
      [`parley_node_info{${labels('n2', ',node="n2",cluster_id="",epoch=""')}}`]: OK,
    },
    at: '15m',
  },
  {
    alert: 'ParleyLeaderChanges',
    fires: one('parley_raft_leader_changes_total', '0+1x400'),
    quiet: one('parley_raft_leader_changes_total', '1x10 2x10 3x400'),
    at: '12m',
  },
  {
    alert: 'ParleyPeerSlow',
    fires: one('parley_peer_round_trip_seconds', '0.2x400', ',peer="n2"'),
    quiet: one('parley_peer_round_trip_seconds', '0.002x20 0.9 0.002x379', ',peer="n2"'),
    at: '20m',
  },
  {
    alert: 'ParleyPeersDisagree',
    fires: {
      ...one('parley_peer_malformed_frames_total', '0x20 1x380'),
      ...one('parley_forwarded_malformed_total', '0x400'),
    },
    quiet: {
      ...one('parley_peer_malformed_frames_total', '3x400'),
      ...one('parley_forwarded_malformed_total', '0x400'),
    },
    at: '10m',
  },
  {
    alert: 'ParleyClockOff',
    fires: one('parley_wall_clock_seconds', '2+15x400'),
    quiet: one('parley_wall_clock_seconds', '0.1+15x400'),
    at: '10m',
  },
  {
    alert: 'ParleyVersionsDiffer',
    fires: {
      ...one('parley_build_info', '1x800', ',version="1"'),
      [`parley_build_info{${labels('n2', ',version="2"')}}`]: '1x800',
    },
    quiet: {
      ...one('parley_build_info', '1x800', ',version="1"'),
      [`parley_build_info{${labels('n2', ',version="1"')}}`]: '1x800',
    },
    at: '3h',
  },
  {
    alert: 'ParleyUpgradeNotFinal',
    fires: {
      ...all('parley_feature_level', ['2x800', '2x800', '2x800']),
      ...all('parley_feature_level_max', ['3x800', '3x800', '3x800']),
    },
    quiet: [
      // One of them is of the older version: ParleyVersionsDiffer.
      {
        ...all('parley_feature_level', ['2x800', '2x800', '2x800']),
        ...all('parley_feature_level_max', ['3x800', '3x800', '2x800']),
      },
      {
        ...all('parley_feature_level', ['2x300 3x500', '2x300 3x500', '2x300 3x500']),
        ...all('parley_feature_level_max', ['3x800', '3x800', '3x800']),
      },
    ],
    at: '60h',
  },
  {
    alert: 'ParleyNodeDrained',
    fires: one('parley_drain_phase', '0x800', ',phase="serving"'),
    quiet: one('parley_drain_phase', '1x12 0x12 1x776', ',phase="serving"'),
    at: '4h',
  },
  {
    alert: 'ParleyFollowerLag',
    fires: one('parley_raft_peer_lag_entries', '20000+100x400', ',peer="n2"'),
    // It catches up.
    quiet: one('parley_raft_peer_lag_entries', '90000-100x400', ',peer="n2"'),
    at: '15m',
  },
  {
    alert: 'ParleyLearnerStuck',
    fires: one('parley_cluster_learner_stuck_seconds', '0+15x400'),
    // A snapshot that comes in pieces.
    quiet: one('parley_cluster_learner_stuck_seconds', '20x400'),
    at: '15m',
  },
  {
    alert: 'ParleyApplyLag',
    fires: {
      ...one('parley_raft_commit_index', '9000x400'),
      ...one('parley_raft_applied_index', '1x400'),
    },
    quiet: {
      ...one('parley_raft_commit_index', '9000+100x400'),
      ...one('parley_raft_applied_index', '8000+100x400'),
    },
    at: '5m',
  },
  {
    alert: 'ParleyWritesHeldUp',
    fires: {
      ...one('parley_raft_proposals_total', '0+100x400', ',result="taken"'),
      ...one('parley_raft_proposals_total', '0+5x400', ',result="overloaded"'),
    },
    quiet: {
      ...one('parley_raft_proposals_total', '0+1000x400', ',result="taken"'),
      ...one('parley_raft_proposals_total', '0+1x400', ',result="overloaded"'),
    },
    at: '15m',
  },
  {
    alert: 'ParleyCheckpointsBehind',
    fires: {
      ...one('parley_state_unwritten_bytes', '9x400'),
      ...one('parley_state_unwritten_limit_bytes', '10x400'),
    },
    quiet: {
      ...one('parley_state_unwritten_bytes', '7x400'),
      ...one('parley_state_unwritten_limit_bytes', '10x400'),
    },
    at: '10m',
  },
  {
    alert: 'ParleyDiskSlow',
    fires: between('parley_log_sync_duration_seconds', '0.1', '0.25'),
    quiet: between('parley_log_sync_duration_seconds', '0.005', '0.01'),
    at: '20m',
  },
  {
    alert: 'ParleyDiskVerySlow',
    fires: between('parley_log_sync_duration_seconds', '0.5', '1'),
    quiet: between('parley_log_sync_duration_seconds', '0.1', '0.25'),
    at: '15m',
  },
  {
    alert: 'ParleyLogLarge',
    fires: one('parley_log_bytes', '3000000000x400'),
    quiet: one('parley_log_bytes', '500000000x400'),
    at: '40m',
  },
  {
    alert: 'ParleyStateLost',
    fires: one('parley_state_lost', OK),
    quiet: one('parley_state_lost', '0x10 1x10 0x380'),
    at: '10m',
  },
  {
    alert: 'ParleyStateDiverged',
    fires: one('parley_state_divergences_total', '0x20 1x380'),
    quiet: one('parley_state_divergences_total', '0x400'),
    at: '10m',
  },
  {
    alert: 'ParleyScrubOverdue',
    // The store is verified each hour, the log is not.
    fires: {
      ...one('parley_store_scrubbed_timestamp_seconds', '0+300x800'),
      ...one('parley_log_scrubbed_timestamp_seconds', '0x800'),
      ...one('process_start_time_seconds', '0x800'),
    },
    // The process is young: its scrub is yet to come.
    quiet: {
      ...one('parley_store_scrubbed_timestamp_seconds', '0x800'),
      ...one('parley_log_scrubbed_timestamp_seconds', '0x800'),
      ...one('process_start_time_seconds', '200000x800'),
    },
    at: '60h',
  },
  {
    alert: 'ParleyBackupStale',
    fires: all('parley_backup_verified_timestamp_seconds', ['1000x800', '0x800', '0x800']),
    quiet: [
      // One node knows of it.
      all('parley_backup_verified_timestamp_seconds', ['1000x800', '150000x800', '0x800']),
      // The cluster is young.
      {
        ...all('parley_backup_verified_timestamp_seconds', ['0x800', '0x800', '0x800']),
        ...one('parley_state_log_time_seconds', '0+100x800'),
      },
    ],
    at: '60h',
  },
  {
    alert: 'ParleyBackupStale',
    // There never was one, however often the nodes were restarted.
    fires: {
      ...all('parley_backup_verified_timestamp_seconds', ['0x800', '0x800', '0x800']),
      ...one('parley_state_log_time_seconds', '0+300x800'),
    },
    quiet: {
      ...all('parley_backup_verified_timestamp_seconds', ['0x800', '0x800', '200000x800']),
      ...one('parley_state_log_time_seconds', '0+300x800'),
    },
    at: '60h',
  },
  {
    alert: 'ParleySendsSlow',
    fires: between('parley_request_duration_seconds', '0.1', '0.25', ',op="msg"'),
    quiet: {
      ...between('parley_request_duration_seconds', '0.005', '0.01', ',op="msg"'),
      ...between('parley_request_duration_seconds', '1', '2.5', ',op="sync"'),
    },
    at: '20m',
  },
  {
    alert: 'ParleySendsFail',
    fires: {
      ...one('parley_requests_total', '0+100x400', ',op="msg",code="OK"'),
      ...one('parley_requests_total', '0+5x400', ',op="msg",code="NO_LEADER"'),
    },
    // Refusals of the message itself are no failures.
    quiet: {
      ...one('parley_requests_total', '0+100x400', ',op="msg",code="OK"'),
      ...one('parley_requests_total', '0+50x400', ',op="msg",code="NOT_MEMBER"'),
    },
    at: '10m',
  },
  {
    alert: 'ParleyDeliveryLate',
    fires: between('parley_delivery_latency_seconds', '1', '2.5'),
    quiet: between('parley_delivery_latency_seconds', '0.005', '0.01'),
    at: '20m',
  },
  {
    alert: 'ParleyModerationFails',
    fires: {
      ...one('parley_moderation_verdicts_total', '0+10x400', ',verdict="accept"'),
      ...one('parley_moderation_verdicts_total', '0+10x400', ',verdict="fail"'),
    },
    quiet: {
      ...one('parley_moderation_verdicts_total', '0+10x400', ',verdict="accept"'),
      ...one('parley_moderation_verdicts_total', '0+10x400', ',verdict="refuse"'),
      ...one('parley_moderation_verdicts_total', '0x400', ',verdict="fail"'),
    },
    at: '15m',
  },
  {
    alert: 'ParleyRetentionFails',
    fires: one('parley_retention_failures_total', '0+1x400'),
    quiet: one('parley_retention_failures_total', '0x20 2x380'),
    at: '20m',
  },
  {
    alert: 'ParleyPushFails',
    fires: {
      ...one('parley_push_calls_total', '0+10x400', ',outcome="sent"'),
      ...one('parley_push_calls_total', '0+10x400', ',outcome="failed"'),
    },
    quiet: {
      ...one('parley_push_calls_total', '0+10x400', ',outcome="gone"'),
      ...one('parley_push_calls_total', '0x400', ',outcome="failed"'),
    },
    at: '25m',
  },
  {
    alert: 'ParleySlowConsumers',
    fires: one('parley_sessions_closed_total', '0+1x400', ',reason="slow_consumer"'),
    quiet: one('parley_sessions_closed_total', '0+50x400', ',reason="client"'),
    at: '20m',
  },
  {
    alert: 'ParleyClientsComeAndGo',
    fires: {
      ...one('parley_sessions_opened_total', '0+900x400'),
      ...one('parley_sessions', '200x400'),
    },
    quiet: {
      ...one('parley_sessions_opened_total', '0+900x400'),
      ...one('parley_sessions', '2000x400'),
    },
    at: '20m',
  },
  {
    alert: 'ParleyDiskFills',
    fires: one('parley_data_disk_free_bytes', '100000000000-400000000x800'),
    // Falls, and lasts for weeks.
    quiet: one('parley_data_disk_free_bytes', '100000000000-4000000x800'),
    at: '7h',
  },
  {
    alert: 'ParleyDiskFull',
    fires: one('parley_data_disk_level', '2x400'),
    // It does not lead, and keeps up.
    quiet: one('parley_data_disk_level', '1x400'),
    at: '10m',
  },
  {
    alert: 'ParleyWritesRefused',
    fires: one('parley_data_disk_refused_total', '0+30x400'),
    quiet: one('parley_data_disk_refused_total', '30x400'),
    at: '10m',
  },
  {
    alert: 'ParleyDiskLow',
    fires: {
      ...one('parley_data_disk_free_bytes', '5x400'),
      ...one('parley_data_disk_size_bytes', '100x400'),
    },
    quiet: {
      ...one('parley_data_disk_free_bytes', '15x400'),
      ...one('parley_data_disk_size_bytes', '100x400'),
    },
    at: '10m',
  },
  {
    alert: 'ParleyEventLoopLate',
    fires: one('nodejs_eventloop_lag_p99_seconds', '0.2x400'),
    quiet: one('nodejs_eventloop_lag_p99_seconds', '0.01x10 0.2x10 0.01x380'),
    at: '10m',
  },
  {
    alert: 'ParleyDescriptorsLow',
    fires: { ...one('process_open_fds', '900x400'), ...one('process_max_fds', '1000x400') },
    quiet: { ...one('process_open_fds', '700x400'), ...one('process_max_fds', '1000x400') },
    at: '20m',
  },
  {
    alert: 'ParleyConfigRefused',
    fires: one('parley_config_refused', '0x10 1x390'),
    // Mended and reloaded.
    quiet: one('parley_config_refused', '0x10 1x5 0x385'),
    at: '10m',
  },
  {
    alert: 'ParleyCertExpires',
    fires: one('parley_tls_certificate_expiry_timestamp_seconds', '1000000x400', ',use="peers"'),
    quiet: {
      ...one('parley_tls_certificate_expiry_timestamp_seconds', '2000000x400', ',use="clients"'),
      ...one('parley_tls_certificate_expiry_timestamp_seconds', '0x400', ',use="peers"'),
      // Lists of what is revoked are replaced every few days by many an authority.
      ...one('parley_tls_certificate_expiry_timestamp_seconds', '9000x400', ',use="peer_crl"'),
    },
    at: '15m',
  },
  {
    alert: 'ParleyCertReloadFails',
    fires: one('parley_tls_reloads_total', '0x20 1+1x380', ',outcome="failed"'),
    quiet: one('parley_tls_reloads_total', '0x20 1+1x380', ',outcome="changed"'),
    at: '15m',
  },
  {
    alert: 'ParleyPeerUntrusted',
    fires: one('parley_peer_untrusted_total', '0+1x400', ',reason="secret"'),
    quiet: {
      // Somebody looks whether the port is open.
      ...one('parley_peer_untrusted_total', '0+1x400', ',reason="handshake"'),
      ...one('parley_peer_untrusted_total', '1x400', ',reason="expired"'),
    },
    at: '20m',
  },
  {
    alert: 'ParleyAuditFails',
    fires: one('parley_audit_records_total', '0x20 1+1x380', ',outcome="failed"'),
    quiet: one('parley_audit_records_total', '0x20 1+1x380', ',outcome="written"'),
    at: '15m',
  },
]
