import type { ClusterMetrics, Logger } from '#cluster'
import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import { defineSecurityMetrics } from '../metrics/security-metrics.ts'
import type { NodePorts, NodeSettings } from '../node-settings.ts'
import { AuditTrail } from './audit-trail.ts'

/** The audit log of a node, and the metrics of it and of who was turned away. Once per registry. */
export function nodeAudit(
  host: {
    readonly settings: Pick<NodeSettings, 'name'>
    readonly ports: NodePorts
    readonly logger: Logger
  },
  metrics: MetricsRegistry,
  cluster: ClusterMetrics,
): AuditTrail {
  const { settings, ports, logger } = host
  const audit = AuditTrail.of(settings.name, ports, logger)
  defineSecurityMetrics(metrics, { report: ports.security, cluster, audit })
  return audit
}
