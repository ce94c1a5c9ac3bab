import { Findings } from '../history/findings.ts'
import type { History, Recovery, Violation } from '../history/history.ts'

/**
 * Ticks after the last fault. An election takes 10 to 20; a node may have to start, to read its log
 * and to connect first, its disk and links may be slow, and a split vote begins anew. What 120 seeds
 * took is 27, 220 and 51; a snapshot in chunks of a few hundred bytes over a slow link took 450.
 */
const LEADER_TICKS = 240
const SETTLED_TICKS = 1_400
/** An application whose writes were refused for long, as while disks are full, asks once a minute. */
const SETTLED_MS = 75_000
/** After the last verdict, without a further write. */
const EQUAL_TICKS = 1_200

/**
 * R10: once the faults are over there is a leader, then every write has its verdict, then all nodes
 * hold the same, without a further write, each within a bound that is counted in ticks.
 */
export function liveness({ recovery, finals }: History): Violation[] {
  const findings = new Findings('R10')
  if (recovery === null) return []
  const { healedMs, leaderMs, settledMs, equalMs, tickMs, positions } = recovery
  const within = (what: string, from: number | null, to: number | null, ticks: number) => {
    if (from === null) return
    const took = to === null ? Infinity : (to - from) / tickMs
    findings.demand(took <= ticks, () => `${what} ${textOf(took)}, ${ticks} are allowed`)
  }
  const settledTicks = Math.max(SETTLED_TICKS, Math.ceil(SETTLED_MS / tickMs))
  within('a leader after the last fault', healedMs, leaderMs, LEADER_TICKS)
  within('all verdicts after the last fault', healedMs, settledMs, settledTicks)
  within('equal nodes after the last verdict', settledMs, equalMs, EQUAL_TICKS)
  judgePositions(findings, positions)
  const [first] = positions
  findings.demand(
    first === undefined || finals.length > 0,
    () => `no conversation was read from ${first!.node}`,
  )
  return findings.violations
}

const textOf = (ticks: number): string =>
  ticks === Infinity ? 'never came' : `took ${Math.ceil(ticks)} ticks`

function judgePositions(findings: Findings, positions: Recovery['positions']): void {
  const [first, ...others] = positions
  for (const other of others) {
    for (const field of ['applied', 'stateHash', 'voters'] as const) {
      const [one, two] = [String(first![field]), String(other[field])]
      findings.demand(
        one === two,
        () => `${field}: ${first!.node} has ${one}, ${other.node} ${two}`,
      )
    }
  }
}
