import { bytesText } from '../byte-size.ts'
import { longDuration } from '../duration.ts'
import { table } from '../output.ts'
import type { ClusterStatus, NodeStatus } from './cluster-status.ts'

/** The whole status, for people. */
export function statusText(status: ClusterStatus): string {
  const { nodes, disagreements, view, next } = status
  const lines = [status.sentence]
  if (nodes.length > 0) {
    const head = ['NAME', 'ROLE', 'STATE', 'LAG', 'CONTACT', 'VERSION', 'DISK', 'SESSIONS', 'NOTE']
    lines.push('', table(head, nodes.map(row)))
  }
  if (disagreements.length > 0) {
    lines.push('', `as ${view} sees it, in term ${status.term}; not all agree:`)
    for (const line of disagreements) lines.push(`  ${line}`)
  }
  if (next.length > 0) lines.push('', ...next.map((step) => `next: ${step}`))
  return lines.join('\n')
}

function row(node: NodeStatus): string[] {
  return [
    node.name,
    node.role,
    node.state,
    lagText(node),
    node.contactMs === null ? '-' : longDuration(node.contactMs),
    node.version ?? '-',
    node.disk === null ? '-' : diskText(node.disk),
    node.sessions === null ? '-' : String(node.sessions),
    [
      ...node.reasons,
      ...node.notes,
      ...(node.through === null ? [] : [`reached through ${node.through} only`]),
      ...(node.up && node.through === null ? [] : [node.url]),
    ].join(', '),
  ]
}

function lagText({ lag, lagMs }: NodeStatus): string {
  if (lag === null) return '-'
  const inTime = lagMs === null || lag === 0 ? '' : `, ${(lagMs / 1_000).toFixed(1)} s`
  return `${lag}${inTime}`
}

function diskText({ freeBytes, sizeBytes }: NonNullable<NodeStatus['disk']>): string {
  const share = sizeBytes > 0 ? ` (${Math.round((100 * freeBytes) / sizeBytes)} %)` : ''
  return `${bytesText(freeBytes)} free${share}`
}
