import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Where `.ci/run` wants the results as JSON. */
const report = process.env['PARLEY_TEST_REPORT']

/** Of what properties generate: the commit's, so that a second run gives the same verdict. */
function propertySeed(): number {
  try {
    return Number.parseInt(
      execFileSync('git', ['rev-parse', '--short=8', 'HEAD'], {
        encoding: 'utf8',
        stdio: 'pipe',
      }).slice(0, 8),
      16,
    )
  } catch {
    return 1
  }
}

/** Begun in this order, so that in the end nobody waits for one that takes long. */
const FIRST = [
  /chaos\/simulation\/(failpoints|seeds)\./,
  /chaos\/(simulation|search|bugs|fuzz)\//,
  /\.int\.test\.ts$/,
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = FIRST.findIndex((pattern) => pattern.test(moduleId))
      return at < 0 ? FIRST.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  resolve: {
    alias: {
      'fast-check': fileURLToPath(import.meta.resolve('./.ci/seeded-properties.ts')),
    },
  },
  test: {
    env: { PROPERTY_SEED: process.env['PROPERTY_SEED'] ?? String(propertySeed()) },
    include: ['**/*.test.ts'],
    // What needs minutes, root, Docker or a browser is named *.ci.test.ts and runs in .ci/run.
    exclude: ['**/node_modules/**', '**/dist/**', '.parley/**', '**/*.ci.test.ts'],
    // They end a test that hangs; what is promised in time is measured where it is promised.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 30_000 } },
    // Tests over real nodes mostly wait: for elections, disks, time limits.
    maxWorkers: Math.max(4, availableParallelism()),
    sequence: { sequencer: LongestFirst },
    ...(report === undefined
      ? {}
      : { reporters: ['default', 'json'], outputFile: { json: report } }),
  },
})
