import type { RunStats } from '../simulation/run-seed.ts'
import type { RunReport } from './run-report.ts'

export type Tally = Readonly<Record<string, number>>

/** What runs add up to. Times are in ms. */
export interface Totals {
  readonly seeds: number
  readonly violations: number
  readonly simulatedMs: number
  /** The part of it in which enough happened; see `counts`. */
  readonly countedMs: number
  /** Of all processes together. */
  readonly cpuMs: number
  readonly operations: number
  readonly acknowledged: number
  readonly leaderChanges: number
  readonly restarts: number
  /** Injected faults by kind. */
  readonly faults: Tally
  /** Faults that were seen to do something, by kind. */
  readonly evidence: Tally
  /** Deaths at each failpoint. */
  readonly failpoints: Tally
  /** How often a process came by each. */
  readonly failpointHits: Tally
}

export const NO_TOTALS: Totals = {
  seeds: 0,
  violations: 0,
  simulatedMs: 0,
  countedMs: 0,
  cpuMs: 0,
  operations: 0,
  acknowledged: 0,
  leaderChanges: 0,
  restarts: 0,
  faults: {},
  evidence: {},
  failpoints: {},
  failpointHits: {},
}

/** What an hour must hold to be worth its name. */
export const COUNTS = { nodes: 3, operationsPerSecond: 5, faultsPerSecond: 0.05 } as const

/** Whether a run's time counts: on average enough is done, and enough of what breaks really broke. */
export function counts({ nodes, simulatedMs, operations, evidence }: RunStats): boolean {
  const seconds = simulatedMs / 1_000
  return (
    nodes >= COUNTS.nodes &&
    operations >= COUNTS.operationsPerSecond * seconds &&
    sumOf(evidence) >= COUNTS.faultsPerSecond * seconds
  )
}

export function totalsOf({ violation, stats }: RunReport): Totals {
  const violations = violation === null ? 0 : 1
  if (stats === null) return { ...NO_TOTALS, seeds: 1, violations }
  return {
    seeds: 1,
    violations,
    simulatedMs: stats.simulatedMs,
    countedMs: violation === null && counts(stats) ? stats.simulatedMs : 0,
    cpuMs: stats.cpuMs,
    operations: stats.operations,
    acknowledged: stats.acknowledged,
    leaderChanges: stats.elections,
    restarts: stats.restarts,
    faults: stats.faults,
    evidence: stats.evidence,
    failpoints: stats.failpoints,
    failpointHits: stats.failpointHits,
  }
}

export function addTotals(a: Totals, b: Totals): Totals {
  return {
    seeds: a.seeds + b.seeds,
    violations: a.violations + b.violations,
    simulatedMs: a.simulatedMs + b.simulatedMs,
    countedMs: a.countedMs + b.countedMs,
    cpuMs: a.cpuMs + b.cpuMs,
    operations: a.operations + b.operations,
    acknowledged: a.acknowledged + b.acknowledged,
    leaderChanges: a.leaderChanges + b.leaderChanges,
    restarts: a.restarts + b.restarts,
    faults: addTallies(a.faults, b.faults),
    evidence: addTallies(a.evidence, b.evidence),
    failpoints: addTallies(a.failpoints, b.failpoints),
    failpointHits: addTallies(a.failpointHits, b.failpointHits),
  }
}

export function sumOf(tally: Tally): number {
  return Object.values(tally).reduce((sum, count) => sum + count, 0)
}

/** A search of an earlier version may not have counted. */
function addTallies(a: Tally = {}, b: Tally = {}): Tally {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].toSorted()
  return Object.fromEntries(names.map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]))
}
