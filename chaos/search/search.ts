import { drawScenario } from '../simulation/scenario.ts'
import type { Swarm } from '../simulation/swarm.ts'
import type { RunReport } from './run-report.ts'
import { RunWorker } from './run-worker.ts'
import { addTotals, NO_TOTALS, type Totals, totalsOf } from './search-totals.ts'

export interface SearchOptions {
  readonly firstSeed: number
  /** Seeds to run; without end if it is `Infinity`. */
  readonly runs: number
  /** No further run begins after this much wall time, in ms. */
  readonly timeMs: number
  /** Processes that run seeds. */
  readonly jobs: number
  /** Simulated time of each run in which things break. */
  readonly safetyMs: number
  /** What the seeds do not decide. */
  readonly swarm: Partial<Swarm>
  /** Goes on after a violation. */
  readonly keepGoing: boolean
  /** Ends the search at once; runs under way are dropped. */
  readonly signal: AbortSignal
  /** After each run, in the order in which they end. */
  readonly onRun: (report: RunReport, totals: Totals) => void
}

export interface SearchResult {
  readonly totals: Totals
  /** By seed. */
  readonly violations: readonly RunReport[]
}

/** Runs seeds until there are no more, the time is up, one shows a violation, or the signal comes. */
export async function search(options: SearchOptions): Promise<SearchResult> {
  const { firstSeed, runs, safetyMs, swarm, signal } = options
  const deadline = performance.now() + options.timeMs
  const violations: RunReport[] = []
  let totals = NO_TOTALS
  let started = 0
  const over = () =>
    signal.aborted ||
    started >= runs ||
    performance.now() >= deadline ||
    (violations.length > 0 && !options.keepGoing)
  const work = async () => {
    const worker = new RunWorker()
    const onAbort = () => worker.close()
    signal.addEventListener('abort', onAbort, { once: true })
    while (!over()) {
      const seed = firstSeed + started
      started += 1
      const report = await worker.run(drawScenario(seed, safetyMs, swarm))
      if (signal.aborted) break
      totals = addTotals(totals, totalsOf(report))
      if (report.violation !== null) violations.push(report)
      options.onRun(report, totals)
    }
    signal.removeEventListener('abort', onAbort)
    worker.close()
  }
  await Promise.all(Array.from({ length: Math.min(options.jobs, runs) }, work))
  return { totals, violations: violations.toSorted((a, b) => Number(a.seed) - Number(b.seed)) }
}
