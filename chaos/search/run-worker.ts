import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Scenario } from '../simulation/scenario.ts'
import type { RunReport } from './run-report.ts'

const PROGRAM = fileURLToPath(new URL('./run-worker-main.ts', import.meta.url))
/** A run that goes round and round must not hold up the search: it has so much wall time and … */
const PATIENCE_MS = 10 * 60_000
/** … must be faster than this many times real time. */
const SLOWEST = 2
/** In MiB. An event leaves short-lived objects: with more room for them the collector runs seldom. */
const YOUNG_GENERATION = '--max-semi-space-size=64'

/** A process of its own that runs scenarios, one after the other: each has a whole core. */
export class RunWorker {
  #child: ChildProcess | null = null
  #busy = false

  /** Never rejects: a process that dies or does not come to an end is a violation too. */
  run(scenario: Scenario): Promise<RunReport> {
    if (this.#busy) throw new Error('this worker runs a scenario already')
    this.#busy = true
    // Advanced: numbers such as Infinity arrive as they are.
    const execArgv = [...process.execArgv, YOUNG_GENERATION]
    const child = (this.#child ??= fork(PROGRAM, { serialization: 'advanced', execArgv }))
    const patienceMs = PATIENCE_MS + scenario.safetyMs / SLOWEST
    return new Promise<RunReport>((resolve) => {
      const settle = (report: RunReport) => {
        clearTimeout(timer)
        child.off('message', settle).off('exit', onExit).off('error', onError)
        this.#busy = false
        resolve(report)
      }
      const broken = (message: string) => {
        this.close()
        const violation = { property: 'harness', message }
        settle({ seed: scenario.seed, violation, brokenForMs: 0, traceHash: '', stats: null })
      }
      const onExit = (code: number | null, signal: string | null) =>
        broken(`the process of the run ended: ${signal ?? `exit code ${code}`}`)
      const onError = (error: Error) => broken(`the process of the run: ${error.message}`)
      const timer = setTimeout(
        () => broken(`no end after ${Math.round(patienceMs / 60_000)} minutes`),
        patienceMs,
      )
      child.on('message', settle).on('exit', onExit).on('error', onError)
      child.send(scenario, (error) => {
        if (error !== null) onError(error)
      })
    })
  }

  /** Ends the process, and with it a run that is under way. */
  close(): void {
    const child = this.#child
    this.#child = null
    child?.kill('SIGKILL')
  }
}
