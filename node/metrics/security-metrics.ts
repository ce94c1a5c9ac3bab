import type { ClusterMetrics } from '#cluster'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { NO_SECURITY, PEER_FAULTS, type SecurityReport } from '../security-report.ts'
import type { MetricsRegistry } from './metrics-registry.ts'

/** Defines what certificates and secrets come to. Once per registry. */
export function defineSecurityMetrics(
  metrics: MetricsRegistry,
  sources: {
    /** @default there are neither certificates nor secrets */
    readonly report: SecurityReport | undefined
    readonly cluster: ClusterMetrics
    readonly audit: AuditTrail
  },
): void {
  const { report = NO_SECURITY, cluster, audit } = sources
  metrics.collected(
    'parley_tls_certificate_expiry_timestamp_seconds',
    'When a certificate of this node ends, 0: it has none for that use. Past it nobody talks to this node any more. peer_crl: when a newer list of revoked ones should be there; past it the old one holds.',
    'gauge',
    () =>
      Object.entries(report.certificateEnds()).map(([use, wallMs]) => ({
        labels: { use },
        value: wallMs / 1_000,
      })),
  )
  metrics.counters(
    'parley_tls_reloads_total',
    'Certificates, secrets and keys that were read again because their files changed. Failed: what was read before stays in force; see the log.',
    'outcome',
    ['changed', 'failed'],
    report.reloads,
  )
  metrics.collected(
    'parley_peer_untrusted_total',
    'Connections between nodes that came to nothing because one side did not show that it belongs to the cluster. Rising: a node has a wrong certificate or secret, or a stranger tries.',
    'counter',
    () => [
      ...PEER_FAULTS.map((fault) => ({
        labels: { reason: fault },
        value: report.peerFaults[fault].value,
      })),
      { labels: { reason: 'name' }, value: cluster.peersMisnamed.value },
    ],
  )
  metrics.counters(
    'parley_audit_records_total',
    'Lines of the audit log. Any failed: operators can change nothing on this node until it can be written again.',
    'outcome',
    ['written', 'failed'],
    audit.records,
  )
  metrics.total(
    'parley_tls_client_handshake_failures_total',
    'Clients whose TLS handshake failed: they do not trust the certificate, or speak no TLS.',
    () => report.clientFaults.handshake.value,
  )
}
