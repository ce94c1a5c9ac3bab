import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import type { FuzzDone } from './fuzz-worker.ts'
import { runFuzz } from './run-fuzz.ts'
import { TARGETS } from './targets/index.ts'

const USAGE = `Attacks everything that reads bytes which others wrote: frames, messages, files, values.

  npm run fuzz -- [--inputs 200000] [--seed 1] [--target NAME] [--from 0]

  --inputs  of all targets together
  --from    the number of the first input: with --inputs 1 it replays one

Targets: ${TARGETS.map(({ name }) => name).join(', ')}`

const options = readArguments()
const startMs = performance.now()
const done = await runFuzz({
  ...options,
  onProgress: (count, inputs, target) => {
    if (!process.stderr.isTTY && Math.round((performance.now() - startMs) / 1_000) % 10 !== 0)
      return
    const share = ((100 * count) / inputs).toFixed(0)
    process.stderr.write(
      `${process.stderr.isTTY ? '\r\x1b[K' : ''}${share} % ${count} of ${inputs} inputs, ${target}${process.stderr.isTTY ? '' : '\n'}`,
    )
  },
})
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
console.log(tableOf(done))
const failures = done.flatMap(({ failure }) => failure ?? [])
for (const { target, number, message, hex, bytes } of failures) {
  console.log(`\n${target} fails at input ${number}: ${message}`)
  if (bytes > 0) console.log(`shortest input found, ${bytes} bytes: ${hex}`)
  console.log(
    `replay: npm run fuzz -- --target ${target} --seed ${options.seed} --from ${number} --inputs 1`,
  )
}
process.exitCode = failures.length === 0 ? 0 : 1

function tableOf(all: readonly FuzzDone[]): string {
  const table = new Table({
    head: ['target', 'inputs', 'accepted', 'rejected', 'ways to refuse', 'inputs/s'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  })
  for (const { name, tally } of all) {
    const { inputs, accepted, rejected, refusals, cpuMs } = tally
    const perSecond = cpuMs === 0 ? 0 : Math.round((inputs * 1_000) / cpuMs)
    table.push([name, inputs, accepted, rejected, refusals.size, perSecond])
  }
  const sum = (of: (done: FuzzDone) => number): number => all.reduce((n, each) => n + of(each), 0)
  const inputs = sum(({ tally }) => tally.inputs)
  const cpuMs = sum(({ tally }) => tally.cpuMs)
  table.push([
    'all',
    inputs,
    sum(({ tally }) => tally.accepted),
    sum(({ tally }) => tally.rejected),
    sum(({ tally }) => tally.refusals.size),
    Math.round((inputs * 1_000) / Math.max(cpuMs, 1)),
  ])
  return table.toString()
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        inputs: { type: 'string', default: '200000' },
        seed: { type: 'string', default: '1' },
        from: { type: 'string', default: '0' },
        target: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      console.log(USAGE)
      process.exit(0)
    }
    const { target } = values
    if (target !== undefined && !TARGETS.some(({ name }) => name === target)) {
      throw new Error(`there is no target ${target}`)
    }
    return {
      inputs: count('--inputs', values.inputs, 1),
      seed: count('--seed', values.seed, 0),
      from: count('--from', values.from, 0),
      ...(target === undefined ? {} : { target }),
    }
  } catch (error) {
    console.error(`fuzz: ${(error as Error).message}\n\n${USAGE}`)
    process.exit(64)
  }
}

/** A run of nothing must not look like one without a failure. */
function count(flag: string, text: string, least: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value < 2 ** 31) return value
  throw new Error(`${flag} must be a whole number from ${least} to 2^31-1, not "${text}"`)
}
