import type { Logger } from '#cluster'
import type { BackupRoutesHost } from '../admin/backup-routes.ts'
import { defineBackupMetrics } from '../metrics/backup-metrics.ts'
import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import type { NodeData } from '../node-data.ts'
import type { NodePorts, NodeSettings } from '../node-settings.ts'
import { Backups } from './backups.ts'
import { VerifiedBackups } from './verified-backup.ts'

export interface NodeBackupsHost {
  readonly settings: Pick<NodeSettings, 'name' | 'version' | 'dataDirectory'>
  readonly ports: NodePorts
  readonly logger: Logger
  readonly data: NodeData
}

/** What a node has to do with backups of its cluster. Once per registry. */
export function nodeBackups(
  { settings, ports, logger, data }: NodeBackupsHost,
  metrics: MetricsRegistry,
): BackupRoutesHost {
  const backups = new Backups({
    clock: ports.clock,
    log: data.log,
    node: settings.name,
    version: settings.version,
    store: () => data.stores.store,
    checkpoint: () => data.stateMachine.checkpoint(),
  })
  const verified = new VerifiedBackups(ports.fileSystem, settings.dataDirectory, logger)
  defineBackupMetrics(metrics, backups, verified)
  return { backups, verified, identity: () => data.log.formation }
}
