import { runScenario } from '../simulation/run-seed.ts'
import type { Scenario } from '../simulation/scenario.ts'
import { reportOf } from './run-report.ts'

// A signal to the terminal is for the process that started this one; without it there is no use in us.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit())
process.on('message', (scenario: Scenario) => {
  void runScenario(scenario).then((result) => process.send!(reportOf(result)))
})
