import { relative } from 'node:path'
import { writeRegression } from '../../chaos/search/regression-file.ts'
import type { RunReport } from '../../chaos/search/run-report.ts'
import { RunWorker } from '../../chaos/search/run-worker.ts'
import { shrink } from '../../chaos/search/shrink.ts'
import { drawScenario, type Scenario } from '../../chaos/simulation/scenario.ts'
import type { Swarm } from '../../chaos/simulation/swarm.ts'
import { note, print, printJson } from '../output.ts'

interface Task {
  readonly report: RunReport
  readonly safetyMs: number
  readonly swarm: Partial<Swarm>
  readonly commit: string
  readonly shrinkTime: number
  readonly signal: AbortSignal
  readonly json?: boolean
}

/** Makes a violation as small as the time allows and leaves it as a test. */
export async function shrinkViolation(task: Task): Promise<void> {
  const { report, commit, signal } = task
  const { seed, violation } = report
  if (violation === null) return
  const before = drawScenario(seed, task.safetyMs, task.swarm)
  const deadline = performance.now() + task.shrinkTime
  const worker = new RunWorker()
  let last = violation
  const { scenario, runs, isSmallest } = await shrink({
    scenario: before,
    property: violation.property,
    run: async (candidate) => {
      const { violation: found, brokenForMs } = await worker.run(candidate)
      if (found?.property === violation.property) last = found
      return { violation: found, brokenForMs }
    },
    isOver: () => signal.aborted || performance.now() > deadline,
    onSmaller: (smaller, count) => note(`${sizeOf(smaller)} (${count} runs)`),
  })
  worker.close()
  if (scenario === null) {
    note('the violation does not come back when the seed runs alone: nothing to make smaller')
    return
  }
  const summary = `${sizeOf(before)} → ${sizeOf(scenario)}`
  const path = relative(
    process.cwd(),
    await writeRegression({ scenario, violation: last, commit, summary }),
  )
  if (task.json === true) {
    printJson({ event: 'shrunk', seed, before: sizes(before), after: sizes(scenario), runs, path })
    return
  }
  print(`${summary} (${runs} runs${isSmallest ? '' : ', and the time was up'})`)
  print(`written to ${path}; run it: npm test ${path}`)
}

function sizes({ faults, operations, devices, nodes }: Scenario) {
  const counts = { faults: faults.length, operations: operations.length }
  return { ...counts, devices: devices.length, nodes }
}

function sizeOf(scenario: Scenario): string {
  const { faults, operations, devices, nodes } = sizes(scenario)
  return `${faults} faults, ${operations} ops (devices ${devices}, nodes ${nodes})`
}
