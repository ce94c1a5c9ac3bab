import type { DiskGuard } from '../disk/disk-guard.ts'
import type { MetricsRegistry } from './metrics-registry.ts'

/** Defines what there is to know of the room on the disk. Once per registry. */
export function defineDiskMetrics(metrics: MetricsRegistry, guard: DiskGuard): void {
  metrics.gauge(
    'parley_data_disk_level',
    'How short of room the disk of the data is. 0: it is not. 1, low: this node does not lead while others can. 2, hard: it takes only what is small or makes room. 3: and uses what was set aside.',
    () => guard.level,
  )
  metrics.gauge(
    'parley_data_disk_reserve_bytes',
    'Size of the file that is given up when the disk is full. 0 where one is wanted: it was given up, and is made again when there is room.',
    () => guard.reserveBytes,
  )
  metrics.total(
    'parley_data_disk_refused_total',
    'Writes and acknowledgements that this node as the leader turned away with DISK_FULL: too few members have room. Clients send them again.',
    () => guard.refused.value,
  )
  const read = (of: 'freeBytes' | 'sizeBytes') => () => {
    const { space } = guard
    return space === null ? [] : [{ labels: {}, value: space[of] }]
  }
  metrics.collected(
    'parley_data_disk_free_bytes',
    'What is left of the file system that holds the data. A node that cannot write stops.',
    'gauge',
    read('freeBytes'),
  )
  metrics.collected(
    'parley_data_disk_size_bytes',
    'Size of the file system that holds the data.',
    'gauge',
    read('sizeBytes'),
  )
}
