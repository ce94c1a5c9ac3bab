import { defineConfig } from 'vitest/config'

/** Where `.ci/run` wants the results as JSON. */
const report = process.env['PARLEY_TEST_REPORT']

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    // What needs minutes, root, Docker or a browser is named *.ci.test.ts and runs in .ci/run.
    exclude: ['**/node_modules/**', '**/dist/**', '.parley/**', '**/*.ci.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    ...(report === undefined
      ? {}
      : { reporters: ['default', 'json'], outputFile: { json: report } }),
  },
})
