// Switches off one mechanism after another in a copy of the program, and looks whether the test that
// bears its number turns red: `npm run mission:mutants -- [--rows 1,2] [--names a,b]`.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../bugs/broken-tree.ts'
import { withBug } from '../bugs/seeded-bug.ts'
import { writeFormatted } from '../search/write-formatted.ts'
import { type Mutant, MUTANTS } from './mutants.ts'

const TABLE = join(ROOT, 'chaos/mission/mutants.json')
const PARTS = [
  ...['package.json', 'vitest.config.ts', '.ci'],
  ...['cli', 'client', 'cluster', 'node', 'chaos'],
]
const RUN_TIMEOUT_MS = 300_000

/** What the tests of one number said. */
interface Outcome {
  readonly passed: number
  readonly failed: number
  /** Numbers of tests that failed beside it. */
  readonly alsoRed: readonly number[]
}

interface Row extends Pick<Mutant, 'row' | 'name' | 'story' | 'file' | 'test'> {
  readonly result: 'red' | 'green' | 'broken'
  readonly alsoRed: readonly number[]
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

async function makeTree(): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), 'parley-mutants-'))
  for (const part of PARTS) await cp(join(ROOT, part), join(tree, part), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
  return tree
}

/** Runs the tests of the file that bear a number. Rejects if there is no report: nothing was tested. */
async function run(tree: string, mutant: Mutant, all: boolean): Promise<Outcome> {
  const report = join(tree, 'report.json')
  await rm(report, { force: true })
  const titles = all ? '\\[M-' : `\\[M-${mutant.row}\\]`
  const config = mutant.test.endsWith('.ci.test.ts') ? '.ci/vitest.config.ts' : 'vitest.config.ts'
  const what = ['run', mutant.test, '--config', config, '-t', titles]
  const words = [...what, '--reporter=json', `--outputFile=${report}`]
  const vitest = join(tree, 'node_modules/vitest/vitest.mjs')
  await new Promise<void>((resolve) => {
    const options = { cwd: tree, timeout: RUN_TIMEOUT_MS, killSignal: 'SIGKILL' as const }
    execFile(process.execPath, [vitest, ...words], options, () => resolve())
  })
  const { testResults } = JSON.parse(await readFile(report, 'utf8')) as Report
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  const rowsOf = (name: string) => [...name.matchAll(/\[M-(\d+)\]/g)].map(([, row]) => Number(row))
  const own = tests.filter(({ fullName }) => rowsOf(fullName).includes(mutant.row))
  const failed = tests.filter(({ status }) => status === 'failed')
  const red = new Set(failed.flatMap(({ fullName }) => rowsOf(fullName)))
  red.delete(mutant.row)
  return {
    passed: own.filter(({ status }) => status === 'passed').length,
    failed: own.filter(({ status }) => status === 'failed').length,
    alsoRed: [...red].sort((a, b) => a - b),
  }
}

async function judge(tree: string, mutant: Mutant, all: boolean): Promise<Row> {
  const { row, name, story, file, test } = mutant
  const path = join(tree, file)
  const sound = await readFile(path, 'utf8')
  await writeFile(path, withBug(mutant, sound))
  try {
    const { failed, passed, alsoRed } = await run(tree, mutant, all)
    const result = failed > 0 ? 'red' : passed > 0 ? 'green' : 'broken'
    return { row, name, story, file, test, result, alsoRed }
  } finally {
    await writeFile(path, sound)
  }
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    names: { type: 'string' },
    /** Runs the tests of the other numbers in the same file as well. */
    all: { type: 'boolean', default: false },
  },
})
const listOf = (text: string | undefined) => text?.split(',')
const rows = listOf(values.rows)
const names = listOf(values.names)
const wanted = MUTANTS.filter(
  ({ row, name }) => (rows?.includes(String(row)) ?? true) && (names?.includes(name) ?? true),
)
const before = JSON.parse(await readFile(TABLE, 'utf8').catch(() => '[]')) as Row[]
const table = new Map(before.map((row) => [row.name, row]))
const tree = await makeTree()
let isRight = true
try {
  const sound = new Set<string>()
  for (const mutant of wanted) {
    const tested = `${mutant.test} ${mutant.row}`
    if (!sound.has(tested)) {
      const { failed, passed } = await run(tree, mutant, false)
      if (failed > 0 || passed === 0) {
        throw new Error(`[M-${mutant.row}] in ${mutant.test} is not green as it is`)
      }
      sound.add(tested)
    }
    const row = await judge(tree, mutant, values.all)
    table.set(row.name, row)
    isRight &&= row.result === 'red'
    const others = row.alsoRed.length === 0 ? '' : ` (also M-${row.alsoRed.join(', M-')})`
    console.log(`M-${row.row} ${row.name}: ${row.result}${others}`)
    const known = MUTANTS.flatMap(({ name }) => table.get(name) ?? [])
    await writeFormatted(TABLE, JSON.stringify(known.sort((a, b) => a.row - b.row)))
  }
} finally {
  await rm(tree, { recursive: true, force: true })
}
process.exitCode = isRight ? 0 : 1
