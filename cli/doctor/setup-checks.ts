import type { Check, Sighting } from './check.ts'
import { growth, type NodeRecord } from './patient.ts'

/** What was set up and is not in force, or not wholly. */
export const SETUP_CHECKS: readonly Check[] = [
  {
    id: 'config-refused',
    severity: 'warning',
    title: 'a node refused its configuration',
    runbook: 'parleyconfigrefused',
    find: ({ nodes }) =>
      nodes
        .filter(({ now }) => now?.value('parley_config_refused') === 1)
        .map(({ name }) => ({
          node: name,
          evidence: 'the last reload was refused: a restart would fail',
          next: `look for config.refused in the log of ${name}, mend it, then: parley reload ${name}`,
        })),
  },
  {
    id: 'reload-fails',
    severity: 'warning',
    title: 'new certificates, secrets or keys cannot be used',
    runbook: 'parleycertreloadfails',
    find: ({ nodes }) =>
      nodes.flatMap((node) =>
        counted(node, 'parley_tls_reloads_total', { outcome: 'failed' }, (count, when) => ({
          evidence: `${count} files could not be used ${when}`,
          next: `look for security.reload_failed in the log of ${node.name}`,
        })),
      ),
  },
  {
    id: 'peer-untrusted',
    severity: 'warning',
    title: 'nodes are turned away by their peers',
    runbook: 'parleypeeruntrusted',
    find: ({ nodes }) =>
      nodes.flatMap((node) => {
        const all = growth(node, 'parley_peer_untrusted_total')
        const count = all - growth(node, 'parley_peer_untrusted_total', { reason: 'handshake' })
        if (count === 0) return []
        return [
          {
            node: node.name,
            evidence: `${count} connections between nodes refused just now`,
            next: `look for peer.untrusted in the log of ${node.name}: it names the address and what to do`,
          },
        ]
      }),
  },
  {
    id: 'audit-fails',
    severity: 'critical',
    title: 'the audit log of a node cannot be written',
    runbook: 'parleyauditfails',
    find: ({ nodes }) =>
      nodes.flatMap((node) =>
        counted(node, 'parley_audit_records_total', { outcome: 'failed' }, (count, when) => ({
          evidence: `${count} lines could not be written ${when}`,
          next: `look for audit.failed in the log of ${node.name}, and at the file of --audit-file`,
        })),
      ),
  },
  {
    id: 'upgrade-not-final',
    severity: 'info',
    title: 'every node can do more than the feature level in force',
    runbook: 'parleyupgradenotfinal',
    find: ({ nodes }) => {
      const levels = nodes.flatMap(({ now }) => now?.value('parley_feature_level') ?? [])
      const highest = nodes.flatMap(({ now }) => now?.value('parley_feature_level_max') ?? [])
      // Who says nothing of it may be of an older version.
      if (levels.length === 0 || highest.length < nodes.length) return []
      const [level, most] = [Math.max(...levels), Math.min(...highest)]
      if (level >= most) return []
      return [
        {
          node: null,
          evidence: `level ${level} is in force, all nodes can do ${most}`,
          next: 'parley upgrade finalize, once nobody wants to go back',
        },
      ]
    },
  },
]

/** What happened just now counts for what it is; what happened once since the start is worth a look. */
function counted(
  node: NodeRecord,
  metric: string,
  labels: Readonly<Record<string, string>>,
  sighting: (count: number, when: string) => Pick<Sighting, 'evidence' | 'next'>,
): Sighting[] {
  const lately = growth(node, metric, labels)
  if (lately > 0) return [{ node: node.name, ...sighting(lately, 'just now') }]
  const ever = node.now?.value(metric, labels) ?? 0
  if (ever === 0) return []
  return [{ node: node.name, severity: 'info', ...sighting(ever, 'since its start') }]
}
