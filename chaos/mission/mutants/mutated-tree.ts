import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../../bugs/broken-tree.ts'
import { withBug } from '../../bugs/seeded-bug.ts'
import { rowsIn } from './mission-tests.ts'
import type { Mutant } from './mutant.ts'

const PARTS = ['package.json', 'cli', 'client', 'cluster', 'node', 'chaos']

/** Those of the slow stage as well. */
const CONFIG = `export default {
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
  },
}
`

/** What became of the tests of one row in one file. */
export interface RowOutcome {
  readonly row: number
  readonly test: string
  passed: number
  failed: number
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

/** A copy of the program with its tests, in which one mechanism at a time is switched off. */
export class MutatedTree {
  readonly #path: string
  #running: ChildProcess | null = null

  private constructor(path: string) {
    this.#path = path
  }

  static async make(): Promise<MutatedTree> {
    const tree = await mkdtemp(join(tmpdir(), 'parley-mutants-'))
    for (const part of PARTS) await cp(join(ROOT, part), join(tree, part), { recursive: true })
    await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
    await writeFile(join(tree, 'vitest.config.ts'), CONFIG)
    return new MutatedTree(tree)
  }

  /** Does something while the mechanism is off. */
  async without<T>(mutant: Mutant, run: () => Promise<T>): Promise<T> {
    const path = join(this.#path, mutant.file)
    const sound = await readFile(path, 'utf8')
    await writeFile(path, withBug(mutant, sound))
    try {
      return await run()
    } finally {
      await writeFile(path, sound)
    }
  }

  /**
   * Runs the tests of the files whose titles bear one of the rows; `null`: any row. What takes longer
   * than `limitMs` is ended, and `null` is returned: that is no verdict.
   */
  async run(
    tests: readonly string[],
    rows: readonly number[] | null,
    limitMs: number,
  ): Promise<RowOutcome[] | null> {
    const report = join(this.#path, 'report.json')
    await rm(report, { force: true })
    const titles = rows === null ? '\\[M-' : rows.map((row) => `\\[M-${row}\\]`).join('|')
    const words = ['run', ...tests, '-t', titles, '--maxWorkers=2']
    const ended = await this.#vitest(
      [...words, '--reporter=json', `--outputFile=${report}`],
      limitMs,
    )
    if (!ended) return null
    return this.#outcomes(JSON.parse(await readFile(report, 'utf8')) as Report, rows)
  }

  /** Ends what runs and removes the copy. */
  async remove(): Promise<void> {
    this.#end()
    await rm(this.#path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }

  #outcomes({ testResults }: Report, rows: readonly number[] | null): RowOutcome[] {
    const outcomes = new Map<string, RowOutcome>()
    for (const { name, status: ofFile, assertionResults } of testResults) {
      const test = name.slice(name.indexOf(this.#path) + this.#path.length + 1)
      for (const { fullName, status } of assertionResults) {
        for (const row of new Set(rowsIn(fullName))) {
          if (rows !== null && !rows.includes(row)) continue
          const key = `${row} ${test}`
          const outcome = outcomes.get(key) ?? { row, test, passed: 0, failed: 0 }
          outcomes.set(key, outcome)
          // A file whose beginning fails skips its tests.
          if (status === 'failed' || (status !== 'passed' && ofFile === 'failed')) outcome.failed++
          else if (status === 'passed') outcome.passed++
        }
      }
    }
    return [...outcomes.values()]
  }

  /** Whether it came to its end by itself. */
  #vitest(words: readonly string[], limitMs: number): Promise<boolean> {
    const vitest = join(this.#path, 'node_modules/vitest/vitest.mjs')
    // A group of its own, so that its nodes end with it.
    const child = spawn(process.execPath, [vitest, ...words], {
      cwd: this.#path,
      stdio: 'ignore',
      detached: true,
    })
    this.#running = child
    return new Promise((resolve) => {
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        this.#end()
      }, limitMs)
      child.once('exit', () => {
        clearTimeout(timer)
        this.#running = null
        resolve(!isLate)
      })
    })
  }

  #end(): void {
    const pid = this.#running?.pid
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
