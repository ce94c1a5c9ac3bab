import type { RunResult, RunStats } from '../simulation/run-seed.ts'

/** What a search keeps of a run. `stats` are missing if its process did not live to tell them. */
export type RunReport = Omit<RunResult, 'notes' | 'stats' | 'ok'> & {
  readonly stats: RunStats | null
}

export function reportOf({ seed, violation, brokenForMs, traceHash, stats }: RunResult): RunReport {
  return { seed, violation, brokenForMs, traceHash, stats }
}
