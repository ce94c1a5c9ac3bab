import { availableParallelism } from 'node:os'
import { currentCommit, describeCommit, seedOfCommit } from '../../chaos/search/commit.ts'
import type { RunReport } from '../../chaos/search/run-report.ts'
import { search } from '../../chaos/search/search.ts'
import { addToTrackRecord } from '../../chaos/search/track-record.ts'
import { SPARSE } from '../../chaos/simulation/swarm.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson } from '../output.ts'
import { onStopSignals } from '../stop-signals.ts'
import { shrinkViolation } from './shrink-violation.ts'
import { describeRun, describeTotals, SimProgress } from './sim-report.ts'
import { traceSeed } from './trace-seed.ts'

export interface SimFlags {
  readonly seed: number | 'commit'
  readonly runs?: number
  readonly time?: number
  readonly jobs: number
  readonly length: number
  readonly sparse?: boolean
  readonly keepGoing?: boolean
  readonly shrink?: boolean
  readonly shrinkTime: number
  readonly trace?: string | true
  readonly record?: boolean
  readonly json?: boolean
}

/** Runs that are told one by one; of more only the sum is told. */
const TOLD_ONE_BY_ONE = 20

export async function runSim(flags: SimFlags): Promise<void> {
  const firstSeed = seedOf(flags)
  const swarm = flags.sparse === true ? SPARSE : {}
  const { length: safetyMs, json = false } = flags
  if (flags.trace !== undefined) {
    if ((flags.runs ?? 1) > 1 || flags.time !== undefined) {
      throw new CliError(ExitCode.usage, '--trace shows one seed: leave out --runs and --time')
    }
    const ok = await traceSeed({ seed: firstSeed, safetyMs, swarm }, flags.trace)
    if (ok) return
    throw new CliError(ExitCode.failed)
  }
  if (flags.jobs > availableParallelism()) {
    note(`parley: ${flags.jobs} jobs on ${availableParallelism()} cores get in each other's way`)
  }
  const runs = flags.runs ?? (flags.time === undefined ? 1 : Infinity)
  const stopping = new AbortController()
  const stop = () => stopping.abort()
  onStopSignals(['SIGINT', 'SIGTERM'], { stop, stopNow: () => process.exit(ExitCode.failed) })
  const progress = new SimProgress(runs)
  const commit = describeCommit()
  const { totals, violations } = await search({
    firstSeed,
    runs,
    timeMs: flags.time ?? Infinity,
    jobs: flags.jobs,
    safetyMs,
    swarm,
    keepGoing: flags.keepGoing === true,
    signal: stopping.signal,
    onRun: (report, sum) => {
      if (json) printJson({ event: 'run', ...report })
      else if (runs <= TOLD_ONE_BY_ONE) print(describeRun(report))
      else progress.show(sum)
      if (report.violation === null) return
      progress.clear()
      // At once: a search that goes on may go on for hours.
      tellViolation(report, commit, flags)
    },
  })
  progress.clear()
  if (flags.shrink === true && violations[0] !== undefined && !stopping.signal.aborted) {
    const [report] = violations
    await shrinkViolation({ report, safetyMs, swarm, commit, signal: stopping.signal, ...flags })
  }
  if (json) printJson({ event: 'totals', commit, interrupted: stopping.signal.aborted, ...totals })
  else print(describeTotals(totals))
  if (flags.record === true) await record(totals, commit)
  if (violations.length > 0) throw new CliError(ExitCode.failed)
  if (totals.acknowledged === 0) {
    throw new CliError(ExitCode.outcomeUnknown, 'nothing was proven: no run acknowledged anything')
  }
}

function seedOf({ seed }: SimFlags): number {
  if (seed !== 'commit') return seed
  const commit = currentCommit()
  if (commit !== null) return seedOfCommit(commit)
  throw new CliError(ExitCode.failed, 'there is no commit to derive a seed from: name a --seed')
}

function tellViolation({ seed, violation }: RunReport, commit: string, flags: SimFlags): void {
  if (violation === null) return
  const { property, message } = violation
  const length = flags.length % 1_000 === 0 ? `${flags.length / 1_000}s` : `${flags.length}ms`
  const sparse = flags.sparse === true ? ' --sparse' : ''
  const replay = `npx parley sim --seed ${seed} --length ${length}${sparse} --trace`
  if (flags.json === true) {
    printJson({ event: 'violation', seed, commit, checker: property, message, replay })
    return
  }
  print(`violation seed=${seed} commit=${commit} checker=${property} ${message}`)
  print(`replay: ${replay}`)
}

async function record(totals: Parameters<typeof addToTrackRecord>[1], commit: string) {
  // What nobody can check out and run again is no record.
  if (commit === 'unknown' || commit.endsWith('+changes')) {
    throw new CliError(ExitCode.refused, `not recorded: what ran is not a commit (${commit})`)
  }
  await addToTrackRecord(commit, totals)
  note('recorded in chaos/track-record.json and chaos/README.md')
}
