import { basename, join } from 'node:path'
import type { Scenario } from '../simulation/scenario.ts'
import type { RunReport } from './run-report.ts'
import { writeFormatted } from './write-formatted.ts'

export interface Regression {
  readonly scenario: Scenario
  readonly violation: NonNullable<RunReport['violation']>
  /** Where it was found. */
  readonly commit: string
  /** From what to what it was made smaller. */
  readonly summary: string
}

/** Where regressions are kept: every test there runs with `npm test`. */
export const REGRESSIONS = join(import.meta.dirname, '..', 'regressions')

/** Writes a test that runs the scenario and expects no violation. Returns its path. */
export async function writeRegression(
  { scenario, violation, commit, summary }: Regression,
  directory = REGRESSIONS,
): Promise<string> {
  const { property } = violation
  const name = `seed-${scenario.seed}-${property.toLowerCase().replace(/[^a-z\d]+/g, '-')}`
  const path = join(directory, `${name}.test.ts`)
  const rule = /^[A-Z]+\d+$/.test(property) ? `[${property}] ` : ''
  const said = `${violation.message.split('\n')[0]}`.slice(0, 400).replaceAll('*/', '* /')
  const simulation = '../simulation'
  await writeFormatted(
    path,
    `import { expect, test } from 'vitest'
import { runScenario } from '${simulation}/run-seed.ts'
import type { Scenario } from '${simulation}/scenario.ts'

/**
 * Found by seed ${scenario.seed} at ${commit}:
${wrapped(said)}
 * ${summary}
 */
const scenario: Scenario = ${literal(scenario)}

test('${rule}${basename(path, '.test.ts')}', async () => {
  const { violation } = await runScenario(scenario)
  expect(violation).toBeNull()
})
`,
  )
  return path
}

/** In lines of a comment. */
function wrapped(text: string): string {
  const lines = text.match(/.{1,90}(\s|$)|\S{90,}/g) ?? [text]
  return lines.map((line) => ` * ${line.trimEnd()}`).join('\n')
}

/** As it stands in a program: JSON, but for numbers that JSON has not. */
function literal(scenario: Scenario): string {
  return JSON.stringify(
    scenario,
    (_, value: unknown) => (value === Infinity ? '∞' : value),
    2,
  ).replaceAll('"∞"', 'Infinity')
}
