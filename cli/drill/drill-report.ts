import type { NamedDrillReport } from '../../chaos/drills/run-named-drill.ts'
import { plainText } from '../plain-text.ts'

/** More of them say nothing that these do not. */
const MOST_VIOLATIONS = 20

export type DrillVerdict = 'passed' | 'failed' | 'unproven'

export function verdictOf({ violations, rounds }: NamedDrillReport): DrillVerdict {
  if (violations.length > 0) return 'failed'
  return rounds === 0 ? 'unproven' : 'passed'
}

/** What became of a drill, for people. */
export function drillText(name: string, report: NamedDrillReport): string {
  const { violations, rounds, written, acknowledged, copies } = report
  const of = (property: string) =>
    violations.filter((violation) => violation.property === property).length
  const lines = [
    `${verdictOf(report).toUpperCase()} · ${name} · ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`,
    '',
    `messages    ${written} written, ${acknowledged} acknowledged, ${copies} copies sent again`,
    `judged      lost ${of('P1')} · doubled ${of('P2')} · out of order ${of('P5')} · anything else ${violations.length - of('P1') - of('P2') - of('P5')}`,
  ]
  if (report.newLeaderMs.length > 0) lines.push(`new leader  ${spread(report.newLeaderMs)}`)
  if (report.recoveriesMs.length > 0) lines.push(`sends go on ${spread(report.recoveriesMs)}`)
  lines.push(`longest gap ${report.longestGapMs.toFixed(0)} ms without an answer to one sender`)
  for (const { property, message } of violations.slice(0, MOST_VIOLATIONS)) {
    lines.push(`  ${property} ${plainText(message)}`)
  }
  return lines.join('\n')
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  const [median, most] = [sorted[(sorted.length - 1) >> 1]!, sorted.at(-1)!]
  return `after ${median.toFixed(0)} ms, at most ${most.toFixed(0)} ms`
}
