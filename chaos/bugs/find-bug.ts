import { BrokenTree } from './broken-tree.ts'
import { hunt, type Violation } from './hunt.ts'
import type { SeededBug } from './seeded-bug.ts'

export interface Finding {
  /** Where it began to look. */
  readonly from: number
  /**
   * What the bug is listed for was violated, and is not in the same run without the bug. `null`: the
   * time was up.
   */
  readonly found: Violation | null
  /** Violations on the way that show nothing of the bug: the search went on behind them. */
  readonly others: readonly Violation[]
  readonly runs: number
  /** Of the processor, by the runs; starts of processes and the runs without the bug not counted. */
  readonly cpuMs: number
}

/** Where a search ends that has found nothing. */
export interface SearchLimit {
  /** Seeds: with these alone the outcome is the same on every machine. @default no limit */
  readonly runs?: number
  /** Of one core. @default no limit */
  readonly timeMs?: number
}

/** Looks for one bug from each of the seeds, up to `limit`, in a copy that has it. */
export async function findBug(
  bug: SeededBug,
  seeds: readonly number[],
  limit: SearchLimit,
  onFinding: (finding: Finding) => void = () => {},
): Promise<Finding[]> {
  await using broken = await BrokenTree.make(bug)
  await using sound = await BrokenTree.make(null)
  const findings: Finding[] = []
  for (const from of seeds) {
    const finding = await search(bug, from, limit, { broken, sound })
    findings.push(finding)
    onFinding(finding)
  }
  return findings
}

async function search(
  bug: SeededBug,
  from: number,
  { runs: mostRuns = Infinity, timeMs = Infinity }: SearchLimit,
  { broken, sound }: { readonly broken: BrokenTree; readonly sound: BrokenTree },
): Promise<Finding> {
  const others: Violation[] = []
  let [seed, runs, cpuMs] = [from, 0, 0]
  // The search stops by the clock on the wall; where others use the machine too, it goes on.
  while (runs < mostRuns && cpuMs < timeMs) {
    const flags = [
      ...(mostRuns === Infinity ? [] : ['--runs', String(mostRuns - runs)]),
      ...(timeMs === Infinity ? [] : ['--time', `${Math.ceil(timeMs - cpuMs)}ms`]),
    ]
    const hunted = await hunt(broken.path, seed, flags)
    runs += hunted.runs
    cpuMs += hunted.cpuMs
    seed += hunted.runs
    const { violation } = hunted
    if (violation === null) continue
    if (bug.breaks.includes(violation.property)) {
      const control = await hunt(sound.path, violation.seed, ['--runs', '1'])
      if (control.violation === null) return { from, found: violation, others, runs, cpuMs }
    }
    others.push(violation)
  }
  return { from, found: null, others, runs, cpuMs }
}
