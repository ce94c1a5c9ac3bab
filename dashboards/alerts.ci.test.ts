import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking } from '../chaos/processes/requirements.ts'
import { ALERT_CASES } from './alert-cases.ts'
import { ALERTS_FILE, alertRules } from './alert-rules.ts'

const run = promisify(execFile)

describe.skipIf(lacking('prometheus'))('alerts', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'parley-alerts-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('[OE4] promtool takes the rules', async () => {
    const { stdout } = await run('promtool', ['check', 'rules', '--lint=all', ALERTS_FILE])
    expect(stdout).toContain(`${alertRules().length} rules found`)
  })

  test('[OE4] each has a case', () => {
    expect([...new Set(ALERT_CASES.map(({ alert }) => alert))].toSorted()).toEqual(
      alertRules()
        .map(({ name }) => name)
        .toSorted(),
    )
  })

  // What takes days is looked at less often.
  test.each([
    { which: 'minutes', interval: '15s', evaluation_interval: '30s', days: false },
    { which: 'hours', interval: '5m', evaluation_interval: '15m', days: true },
  ])('[OE4] fires when it should and only then, of $which', async (one) => {
    const { which, interval, evaluation_interval, days } = one
    const file = join(directory, `${which}.yml`)
    const cases = ALERT_CASES.filter(({ at }) => at.endsWith('h') === days)
    expect(cases.length).toBeGreaterThan(1)
    const tests = cases.flatMap(({ alert, fires, quiet, at }) => [
      caseOf(alert, fires, at, interval, 1),
      ...[quiet].flat().map((inputs) => caseOf(alert, inputs, at, interval, 0)),
    ])
    await writeFile(file, JSON.stringify({ rule_files: [ALERTS_FILE], evaluation_interval, tests }))
    const outcome = await run('promtool', ['test', 'rules', file]).catch(
      (error: { stdout: string; stderr: string }) => error,
    )
    expect(`${outcome.stdout}${outcome.stderr}`).toMatch(/^Unit Testing: +\S+\n +SUCCESS\n+$/)
  })
})

/** JSON is YAML. The series of an alert says whether it fires, whatever its texts are. */
function caseOf(
  alert: string,
  inputs: Readonly<Record<string, string>>,
  at: string,
  interval: string,
  count: 0 | 1,
) {
  return {
    name: `${alert} ${count === 1 ? 'fires' : 'is quiet'}`,
    interval,
    input_series: Object.entries(inputs).map(([series, values]) => ({ series, values })),
    promql_expr_test: [
      {
        expr: `count(count by (alertname) (ALERTS{alertname="${alert}", alertstate="firing"}))`,
        eval_time: at,
        exp_samples: count === 1 ? [{ labels: '{}', value: 1 }] : [],
      },
    ],
  }
}
