import type { Dashboard } from './dashboard.ts'
import { gauges, mean, panel, quantiles, rate } from './shorthand.ts'

export const RAFT: Dashboard = {
  id: 'parley-raft',
  title: 'Parley: Raft, log and store',
  rows: [
    {
      title: 'Leadership',
      panels: [
        panel(
          'Term',
          'short',
          'Rises by one with each election. Nodes that differ cannot reach each other.',
          gauges('parley_raft_term'),
        ),
        panel(
          'Leader changes',
          'short',
          'In the last quarter of an hour. A few come with restarts and drains.',
          [['increase(parley_raft_leader_changes_total[15m])', '{{instance}}']],
          { limit: 4 },
        ),
        panel(
          'Elections',
          'ops',
          'Stood for and won. Many stood for and few won: the members do not hear each other in time.',
          [
            [rate('parley_raft_elections_stood_total'), '{{instance}} stood'],
            [rate('parley_raft_elections_won_total'), '{{instance}} won'],
            [rate('parley_raft_leadership_transfers_total'), '{{instance}} handed over'],
          ],
        ),
      ],
    },
    {
      title: 'The log moves on',
      panels: [
        panel('Entries committed', 'ops', 'The same on every node. One that is lower is behind.', [
          [
            'sum by (instance) (rate(parley_raft_commit_index[$__rate_interval]))',
            '{{instance}} committed',
          ],
          [
            'sum by (instance) (rate(parley_raft_applied_index[$__rate_interval]))',
            '{{instance}} applied',
          ],
        ]),
        panel(
          'Not committed, not applied',
          'short',
          'Entries of the log that wait for a majority, and committed ones that wait for the apply.',
          [
            ['parley_raft_last_index - parley_raft_commit_index', '{{instance}} not committed'],
            ['parley_raft_commit_index - parley_raft_applied_index', '{{instance}} not applied'],
          ],
          { limit: 5_000 },
        ),
        panel(
          'Members behind',
          'short',
          'Entries that the leader has and a member does not.',
          [['parley_raft_peer_lag_entries', '{{peer}}']],
          { limit: 10_000 },
        ),
        panel(
          'Commit',
          's',
          'From proposal to majority, on the leader.',
          quantiles('parley_raft_commit_duration_seconds'),
        ),
        panel(
          'Wait for the apply',
          's',
          'From the commit known to the apply.',
          quantiles('parley_raft_apply_delay_seconds'),
        ),
        panel(
          'Commands in one entry',
          'short',
          'Grows with the load: what comes together is one entry.',
          [[mean('parley_raft_entry_commands'), '{{instance}}']],
        ),
        panel(
          'Commands offered',
          'ops',
          'Overloaded ones were refused: applying or checkpoints are behind.',
          [[rate('parley_raft_proposals_total', 'instance, result'), '{{instance}} {{result}}']],
        ),
        panel(
          'Commands that wait',
          'bytes',
          'Taken by the leader, not in its log yet; and writes of clients without a result.',
          gauges('parley_raft_proposals_waiting_bytes'),
        ),
        panel(
          'Writes without a result',
          'short',
          'Held by each node for its own clients.',
          gauges('parley_writes_waiting'),
        ),
        panel(
          'Linearizable reads',
          'ops',
          'Each costs a round of heartbeats. Refused ones: nobody could confirm the lead.',
          [[rate('parley_raft_reads_total', 'instance, result'), '{{instance}} {{result}}']],
        ),
        panel(
          'Time of such a read',
          's',
          'Until it had its index.',
          quantiles('parley_raft_read_duration_seconds'),
          { rare: true },
        ),
      ],
    },
    {
      title: 'Disk',
      panels: [
        panel(
          'Sync of the log',
          's',
          'One write and one fdatasync. Everything acknowledged waits for it.',
          quantiles('parley_log_sync_duration_seconds'),
          { limit: 0.1 },
        ),
        panel('Syncs, entries in one', 'short', 'The busier, the more entries share one sync.', [
          [
            'sum by (instance) (rate(parley_log_sync_duration_seconds_count[$__rate_interval]))',
            '{{instance}} syncs/s',
          ],
          [mean('parley_log_sync_entries'), '{{instance}} entries in one'],
        ]),
        panel('Written to the log', 'Bps', 'Entries alone, without headers.', [
          [rate('parley_log_entry_bytes_total'), '{{instance}}'],
        ]),
        panel(
          'Size of the log',
          'bytes',
          'Kept for members that are behind, and let go of after checkpoints.',
          gauges('parley_log_bytes'),
          { limit: 2 * 1024 ** 3 },
        ),
        panel(
          'Files of the log',
          'short',
          'Segments; whole ones are removed.',
          gauges('parley_log_segments'),
        ),
        panel(
          'Kept for a restart',
          'short',
          'Entries in the log, and those that a restart would apply again.',
          [
            ['parley_raft_last_index - parley_raft_first_index', '{{instance}} kept'],
            [
              'parley_raft_applied_index - parley_checkpoint_index',
              '{{instance}} since the checkpoint',
            ],
          ],
        ),
        panel(
          'Checkpoints',
          's',
          'How long one takes. They are paced; growing means more to write, or a slow disk.',
          quantiles('parley_checkpoint_duration_seconds'),
          { rare: true },
        ),
        panel(
          'Not written yet',
          'bytes',
          'At the limit the leader holds writes up.',
          gauges(
            'parley_state_unwritten_bytes',
            'parley_state_unwritten_limit_bytes',
            'parley_state_dirty_bytes',
          ),
        ),
        panel('Store', 'bytes', 'Checkpoints on disk.', gauges('parley_store_bytes')),
        panel(
          'Last verified',
          's',
          'Since the whole log and store were read and compared; once a day, first ten minutes after a start.',
          [
            ['time() - (parley_log_scrubbed_timestamp_seconds > 0)', '{{instance}} log'],
            ['time() - (parley_store_scrubbed_timestamp_seconds > 0)', '{{instance}} store'],
          ],
          { rare: true },
        ),
        panel(
          'Verified',
          'bytes',
          'Read and found good in the last day. Failures: the disk did not read.',
          [
            ['increase(parley_scrubbed_bytes_total[1d])', '{{instance}} {{part}}'],
            ['increase(parley_scrub_failures_total[1d])', '{{instance}} {{part}} failures'],
          ],
        ),
        panel(
          'Verified backup, age',
          's',
          'Since the moment of the newest backup that was read whole and found good, whichever node knows of it.',
          [
            [
              'time() - max by (cluster) (parley_backup_verified_timestamp_seconds > 0)',
              '{{cluster}}',
            ],
          ],
          { rare: true },
        ),
        panel(
          'Entries since the backup',
          'short',
          'What would be lost with all the disks, in entries of the log.',
          [
            [
              'max by (cluster) (parley_raft_applied_index) - max by (cluster) (parley_backup_verified_index > 0)',
              '{{cluster}}',
            ],
          ],
          { rare: true },
        ),
        panel('Backups read', 'short', 'From a node, by how they ended, and one under way.', [
          [
            'sum by (instance, result) (increase(parley_backup_reads_total[1h]))',
            '{{instance}} {{result}}',
          ],
          ['parley_backup_reading', '{{instance}} under way'],
        ]),
        panel('Backups sent', 'Bps', 'Paced: clients come first.', [
          [rate('parley_backup_sent_bytes_total'), '{{instance}}'],
        ]),
      ],
    },
    {
      title: 'State',
      panels: [
        panel(
          'Conversations and users',
          'short',
          'What there is, the same on every node.',
          gauges('parley_state_conversations', 'parley_state_users'),
        ),
        panel(
          'In memory',
          'short',
          'Of them, and inboxes; what is not is read from disk when wanted.',
          gauges('parley_state_conversations_in_memory', 'parley_state_inboxes_in_memory'),
        ),
        panel(
          'Memory of the state',
          'bytes',
          'Keys of messages that copies are known by, and newest events.',
          gauges('parley_state_dedupe_bytes', 'parley_state_hot_bytes'),
        ),
        panel(
          'Keys remembered',
          'short',
          'Grows with messages per window of retries.',
          gauges('parley_state_dedupe_entries'),
        ),
        panel(
          'Log time',
          's',
          'How long the cluster has had a leader, over its whole life: what windows and policies count in. Stands still while nothing is written.',
          gauges('parley_state_log_time_seconds'),
        ),
        panel(
          'Damage',
          'short',
          'Any rise is a machine to look at: states that differ, state lost.',
          [
            ['increase(parley_state_divergences_total[1h])', '{{instance}} diverged'],
            ['parley_state_lost', '{{instance}} lost'],
          ],
          { limit: 1 },
        ),
      ],
    },
    {
      title: 'Snapshots',
      panels: [
        panel(
          'Snapshots',
          'short',
          'Sent to members whose log starts too late, and installed by them.',
          [
            ['increase(parley_raft_snapshots_total[1h])', '{{instance}} {{result}}'],
            ['parley_raft_snapshots_sending', '{{instance}} under way'],
          ],
        ),
        panel('Sent', 'Bps', 'Bytes of snapshots.', [
          [rate('parley_raft_snapshot_sent_bytes_total'), '{{instance}}'],
        ]),
        panel(
          'Time of one',
          's',
          'From the offer to its end at the member.',
          quantiles('parley_raft_snapshot_send_duration_seconds'),
          { rare: true },
        ),
      ],
    },
  ],
}
