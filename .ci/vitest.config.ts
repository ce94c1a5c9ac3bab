import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const report = process.env['PARLEY_TEST_REPORT']

/** The slow stage: real fresh clones, containers, faults that need root. */
export default defineConfig({
  root: dirname(dirname(fileURLToPath(import.meta.url))),
  test: {
    include: ['**/*.ci.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '.parley/**'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 30_000 } },
    // One at a time: each of them fills the machine.
    fileParallelism: false,
    ...(report === undefined
      ? {}
      : { reporters: ['default', 'json'], outputFile: { json: report } }),
  },
})
