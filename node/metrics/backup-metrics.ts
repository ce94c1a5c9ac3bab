import type { Backups } from '../backup/backups.ts'
import type { VerifiedBackups } from '../backup/verified-backup.ts'
import type { MetricsRegistry } from './metrics-registry.ts'

/** Defines what this node knows of backups of its cluster. Once per registry. */
export function defineBackupMetrics(
  metrics: MetricsRegistry,
  backups: Backups,
  verified: VerifiedBackups,
): void {
  metrics.counters(
    'parley_backup_reads_total',
    'Backups read from this node by how they ended; cut_off: whoever took it left before its end.',
    'result',
    ['complete', 'cut_off', 'failed'],
    { ...backups.ended, cut_off: backups.ended.cutOff },
  )
  metrics.counter(
    'parley_backup_sent_bytes_total',
    'Bytes of backups that this node gave out.',
    backups.bytes,
  )
  metrics.gauge(
    'parley_backup_reading',
    '1 while a backup is being read from this node: what it pins stays on disk until its end.',
    () => (backups.running ? 1 : 0),
  )
  metrics.collected(
    'parley_backup_verified_timestamp_seconds',
    'Moment that the newest backup stands for which was read whole and found good, as this node was told; 0: none. The newest of all nodes counts.',
    'gauge',
    async () => [{ labels: {}, value: (await verified.newest()).takenAtMs / 1_000 }],
  )
  metrics.collected(
    'parley_backup_verified_index',
    'Applied index of that backup: whatever came after it would be lost with the cluster.',
    'gauge',
    async () => [{ labels: {}, value: (await verified.newest()).index }],
  )
}
