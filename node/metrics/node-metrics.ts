import type { Clock, ClusterNode } from '#cluster'
import { CHECKS } from '../failing-checks.ts'
import type { NodeData } from '../node-data.ts'
import type { FeatureLevels } from '../feature-levels.ts'
import { DRAIN_PHASES, type NodeDrain } from '../node-drain.ts'
import type { NodeSettings } from '../node-settings.ts'
import type { DiskGuard } from '../disk/disk-guard.ts'
import { defineDiskMetrics } from './disk-metrics.ts'
import { defineLogMetrics } from './log-metrics.ts'
import type { MetricsRegistry } from './metrics-registry.ts'
import { definePeerMetrics } from './peer-metrics.ts'
import { defineRaftMetrics } from './raft-metrics.ts'
import { defineStateMetrics } from './state-metrics.ts'

export interface NodeMetricsSources {
  readonly settings: NodeSettings
  readonly ports: { readonly clock: Clock }
  readonly data: NodeData
  readonly diskGuard: DiskGuard
  readonly levels: FeatureLevels
  readonly drain: NodeDrain
  readonly cluster: () => ClusterNode
  /** A sentence for each check that fails. */
  failing(): readonly string[]
  /** Writes without a result yet. */
  pendingWrites(): number
}

/** Most are read when scraped: nothing is counted for them on the way. Once per registry. */
export function defineNodeMetrics(metrics: MetricsRegistry, sources: NodeMetricsSources): void {
  const { settings, ports, data, cluster } = sources
  if (settings.processMetrics === true) metrics.collectProcessMetrics()
  metrics.collected('parley_build_info', 'Always 1; the version is its label.', 'gauge', () => [
    { labels: { version: settings.version, node_version: process.versions.node }, value: 1 },
  ])
  metrics.collected('parley_node_info', 'Always 1; who this node is.', 'gauge', () => {
    const { clusterId = '', epoch = '' } = data.log.formation ?? {}
    return [{ labels: { node: settings.name, cluster_id: clusterId, epoch }, value: 1 }]
  })
  metrics.gauge(
    'parley_wall_clock_seconds',
    "This node's clock when it was scraped. Far from the time of the scrape: its clock is wrong.",
    () => ports.clock.wallMs() / 1_000,
  )
  metrics.collected(
    'parley_ready_check',
    '1 for each check of /readyz that passes. Any 0: clients are sent to other nodes.',
    'gauge',
    () => {
      const failing = sources.failing()
      return CHECKS.map((check) => ({
        labels: { check: check.replaceAll(' ', '_') },
        value: failing.some((reason) => reason.startsWith(`${check}:`)) ? 0 : 1,
      }))
    },
  )
  metrics.gauge(
    'parley_writes_waiting',
    'Writes of clients of this node that have no result yet. Grows while there is no leader or no majority.',
    () => sources.pendingWrites(),
  )
  defineLevelMetrics(metrics, sources.levels)
  metrics.collected(
    'parley_drain_phase',
    '1 for how far a drain of this node is; serving: nobody asked for one. Anything else for long: it was drained and not taken back.',
    'gauge',
    () =>
      DRAIN_PHASES.map((phase) => ({
        labels: { phase },
        value: sources.drain.phase === phase ? 1 : 0,
      })),
  )
  defineReloadMetrics(metrics, settings)
  defineRaftMetrics(metrics, cluster, data.log)
  defineLogMetrics(metrics, cluster, data.log)
  definePeerMetrics(metrics, cluster, data.log)
  defineStateMetrics(metrics, data)
  defineDiskMetrics(metrics, sources.diskGuard)
}

function defineLevelMetrics(metrics: MetricsRegistry, levels: FeatureLevels): void {
  metrics.gauge(
    'parley_feature_level',
    'Feature level of the cluster, as far as this node has applied: what may stand in the log.',
    () => levels.own.level,
  )
  metrics.gauge(
    'parley_feature_level_min',
    'Lowest feature level that this node can do.',
    () => levels.own.levels.min,
  )
  metrics.gauge(
    'parley_feature_level_max',
    'Highest feature level that this node can do. On all nodes higher than the level of the cluster: an upgrade was not finalized.',
    () => levels.own.levels.max,
  )
}

function defineReloadMetrics(metrics: MetricsRegistry, { reloads }: NodeSettings): void {
  metrics.collected(
    'parley_config_reloads_total',
    'Reloads of the configuration, put in force whole or refused whole.',
    'counter',
    () =>
      (['applied', 'refused'] as const).map((result) => ({
        labels: { result },
        value: reloads?.counts[result] ?? 0,
      })),
  )
  metrics.gauge(
    'parley_config_refused',
    '1 if the last reload was refused: what is written is not what is in force, and a restart would fail.',
    () => (reloads?.isRefused === true ? 1 : 0),
  )
}
