// node .ci/count.mjs [--skips-fail] report.json…   prints "passed failed", adding up reports, and on
// standard error what failed, with the first lines of why.
// A report that is missing or unreadable counts as one failure: a run that died is not a pass.
import { readFileSync } from 'node:fs'

const WHY_LINES = 15

const args = process.argv.slice(2)
const skipsFail = args.includes('--skips-fail')
let passed = 0
let failed = 0
for (const path of args.filter((arg) => !arg.startsWith('--'))) {
  let report
  try {
    report = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    failed += 1
    continue
  }
  for (const file of report.testResults) {
    if (file.status === 'failed' && file.assertionResults.length === 0) {
      failed += 1
      console.error(`failed: ${file.name}: ${String(file.message ?? '').split('\n')[0]}`)
    }
    for (const { status, fullName, failureMessages } of file.assertionResults) {
      if (status === 'passed') passed += 1
      else if (status === 'failed') {
        failed += 1
        const why = failureMessages.join('\n').split('\n').slice(0, WHY_LINES).join('\n    ')
        console.error(`failed: ${file.name}: ${fullName}\n    ${why}`)
      } else if (skipsFail) {
        failed += 1
        console.error(`skipped, and everything is required here: ${fullName}`)
      }
    }
  }
  // An error outside any test: an unhandled rejection, a worker that died.
  if (report.success === false && failed === 0) failed += 1
}
console.log(`${passed} ${failed}`)
