import { longDuration } from '../duration.ts'
import type { Check, Sighting } from './check.ts'
import { growth, type NodeRecord } from './patient.ts'

const DAY_SECONDS = 86_400

/** What a node does beside answering, and how it was set up. */
export const WORK_CHECKS: readonly Check[] = [
  {
    id: 'backpressure',
    severity: 'warning',
    title: 'the leader holds writes up',
    runbook: 'parleywritesheldup',
    find: ({ nodes }) =>
      nodes.flatMap((node) => {
        const refused = growth(node, 'parley_raft_proposals_total', { result: 'overloaded' })
        const unwritten = node.now?.value('parley_state_unwritten_bytes') ?? 0
        const limit = node.now?.value('parley_state_unwritten_limit_bytes') ?? 0
        const share = limit === 0 ? 0 : unwritten / limit
        if (refused === 0 && share <= 0.8) return []
        return [
          {
            node: node.name,
            evidence: `${refused} writes refused with OVERLOADED just now; ${Math.round(share * 100)} % of what may wait for the store waits`,
            next: 'look at the disk that this report names, or send less: the machines take no more',
          },
        ]
      }),
  },
  {
    id: 'push-fails',
    severity: 'warning',
    title: 'calls of devices that are away fail',
    runbook: 'parleypushfails',
    find: ({ nodes }) =>
      nodes.flatMap((node) =>
        failing(
          node,
          'parley_push_calls_total',
          { label: 'outcome', failed: 'failed' },
          'calls',
          `look for push.lost in the log of ${node.name}`,
        ),
      ),
  },
  {
    id: 'moderation-fails',
    severity: 'warning',
    title: 'the moderation hook does not answer',
    runbook: 'parleymoderationfails',
    find: ({ nodes }) =>
      nodes.flatMap((node) =>
        failing(
          node,
          'parley_moderation_verdicts_total',
          { label: 'verdict', failed: 'fail' },
          'verdicts',
          'mend the hook at --moderation-url',
        ),
      ),
  },
  {
    id: 'retention-fails',
    severity: 'warning',
    title: 'what is to be removed is not',
    runbook: 'parleyretentionfails',
    find: ({ nodes }) =>
      nodes.flatMap(({ name, now }) => {
        const failures = now?.value('parley_retention_failures_total') ?? 0
        if (failures <= 5) return []
        const evidence = `${failures} looks ended with an error since its start`
        return [{ node: name, evidence, next: `look for retention.failed in the log of ${name}` }]
      }),
  },
  {
    id: 'backup-stale',
    severity: 'warning',
    title: 'no backup was verified lately',
    runbook: 'parleybackupstale',
    find: ({ nodes, takenAtMs }) => {
      const told = nodes.flatMap(
        ({ now }) => now?.value('parley_backup_verified_timestamp_seconds') ?? [],
      )
      if (told.length === 0) return []
      const ageSeconds = takenAtMs / 1_000 - Math.max(...told)
      if (ageSeconds <= 26 * 3_600) return []
      const isNever = Math.max(...told) === 0
      return [
        {
          node: null,
          ...(isNever ? { severity: 'info' as const } : {}),
          evidence: isNever
            ? 'none ever was'
            : `the last one was ${longDuration(ageSeconds * 1_000)} ago`,
          next: 'parley backup --to FILE, then parley backup verify FILE',
        },
      ]
    },
  },
  {
    id: 'certificate-expires',
    severity: 'warning',
    title: 'a certificate is about to expire',
    runbook: 'parleycertexpires',
    find: ({ nodes, takenAtMs }) =>
      nodes.flatMap(({ name, now }) =>
        [...(now?.byLabel('parley_tls_certificate_expiry_timestamp_seconds', 'use') ?? [])]
          // 0: it has none for that use.
          .filter(([, atSeconds]) => atSeconds > 0)
          .map(([use, atSeconds]) => ({ use, days: (atSeconds - takenAtMs / 1_000) / DAY_SECONDS }))
          // A list of what is revoked may be replaced every few days.
          .filter(({ use, days }) => days < (use === 'peer_crl' ? 0 : 14))
          .map(({ use, days }) => ({
            node: name,
            severity: days < 2 ? ('critical' as const) : ('warning' as const),
            evidence:
              days < 0
                ? `that for ${use || 'TLS'} expired ${(-days).toFixed(1)} days ago`
                : `that for ${use || 'TLS'} expires in ${days.toFixed(1)} days`,
            next: 'put the new one in its place; the node takes it without a restart',
          })),
      ),
  },
  {
    id: 'versions-differ',
    severity: 'info',
    title: 'nodes run different versions',
    runbook: 'parleyversionsdiffer',
    find: ({ nodes }) => {
      const versions = new Map<string, string[]>()
      for (const { name, view } of nodes) {
        const version = view.version ?? 'unknown'
        versions.set(version, [...(versions.get(version) ?? []), name])
      }
      if (versions.size < 2) return []
      const evidence = [...versions]
        .map(([version, of]) => `${of.join(', ')}: ${version}`)
        .join('; ')
      return [{ node: null, evidence, next: 'finish the upgrade, one node at a time' }]
    },
  },
  {
    id: 'left-in-settings',
    severity: 'warning',
    title: 'a node has a setting that is for a first start or a drill only',
    runbook: 'what-one-needs',
    find: ({ nodes, members }) =>
      nodes.flatMap(({ name, self }): Sighting[] => {
        const { foundAlone, unsafeFailpoints } = self?.settings ?? {}
        return [
          ...(foundAlone === true && members.length > 1
            ? [
                {
                  node: name,
                  evidence: '--found-alone, in a cluster of several',
                  next: 'take --found-alone out: with an empty disk the node could found a second cluster',
                },
              ]
            : []),
          ...(typeof unsafeFailpoints === 'string'
            ? [
                {
                  node: name,
                  severity: 'critical' as const,
                  evidence: `--unsafe-failpoints ${unsafeFailpoints}: the process kills itself there`,
                  next: 'restart the node without --unsafe-failpoints',
                },
              ]
            : []),
        ]
      }),
  },
]

/** More than a tenth of what ended just now or, if nothing did, since the start. */
function failing(
  node: NodeRecord,
  metric: string,
  { label, failed }: { readonly label: string; readonly failed: string },
  what: string,
  next: string,
): Sighting[] {
  const all = growth(node, metric)
  const lately = { all, bad: growth(node, metric, { [label]: failed }), when: 'just now' }
  const ever = {
    all: node.now?.value(metric) ?? 0,
    bad: node.now?.value(metric, { [label]: failed }) ?? 0,
    when: 'since its start',
  }
  const { all: total, bad, when } = lately.all > 0 ? lately : ever
  if (total === 0 || bad / total <= 0.1) return []
  return [{ node: node.name, evidence: `${bad} of ${total} ${what} failed ${when}`, next }]
}
