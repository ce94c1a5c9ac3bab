import type { ClusterStatus } from '../cluster/cluster-status.ts'
import type { Finding } from './check.ts'

/** What was found, for people. */
export function doctorText(
  status: ClusterStatus,
  findings: readonly Finding[],
  missing: readonly string[],
): string {
  const lines = [status.sentence]
  for (const { severity, title, node, evidence, next, runbook } of findings) {
    lines.push(
      '',
      `${severity.toUpperCase()}  ${node === null ? '' : `${node}: `}${title}`,
      `  seen     ${evidence}`,
      `  next     ${next}`,
      `  more     ${runbook}`,
    )
  }
  if (findings.length === 0) lines.push('', 'nothing found')
  if (missing.length > 0) lines.push('', ...missing.map((line) => `not looked at: ${line}`))
  return lines.join('\n')
}
