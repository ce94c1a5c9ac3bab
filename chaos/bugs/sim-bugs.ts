import { parseArgs } from 'node:util'
import { Prng } from '../prng.ts'
import { currentCommit, describeCommit, seedOfCommit } from '../search/commit.ts'
import { type Finding, findBug, type SearchLimit } from './find-bug.ts'
import { recordFindings } from './findings-record.ts'
import type { SeededBug } from './seeded-bug.ts'
import { SEEDED_BUGS } from './seeded-bugs.ts'

const USAGE = `Puts bugs into copies of the program, one at a time, and lets \`parley sim\` look for them.

  npm run sim:bugs -- [--seeds 3] [--jobs 1] [--only NAME,…] [--seed N|commit]
                      [--time 60 | --runs N] [--record]

  --seeds   searches for each bug, each from a seed of its own
  --seed    what these are drawn from; "commit" derives it from the commit that is checked out.
            Without it they are new every time
  --time    seconds of one core that a search may begin runs in
  --runs    instead of --time: runs of a search, so that the outcome does not depend on the machine
  --record  writes what was found into chaos/README.md

Bugs: ${SEEDED_BUGS.map(({ name }) => name).join(', ')}`

const options = readArguments()
const waiting = [...options.bugs]
/** Asked before the first record changes the tree. */
const commit = describeCommit()
let recording = Promise.resolve()
const done: { bug: SeededBug; findings: readonly Finding[] }[] = []
await Promise.all(Array.from({ length: options.jobs }, work))
const missing = done.filter(({ findings }) => findings.some(({ found }) => found === null))
const failed = missing.map(({ bug }) => bug.name).join(', ')
console.log(`${done.length - missing.length} of ${done.length} bugs found from every seed`)
if (missing.length > 0) console.log(`not found: ${failed}`)
process.exitCode = missing.length === 0 ? 0 : 1

async function work(): Promise<void> {
  for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
    const prng = new Prng(`${options.seed}/${bug.name}`)
    const seeds = Array.from({ length: options.seeds }, () => prng.uint32())
    const findings = await findBug(bug, seeds, options.limit, (finding) => tell(bug.name, finding))
    done.push({ bug, findings })
    if (!options.record) continue
    recording = recording.then(() => recordFindings(bug, findings, commit))
    await recording
  }
}

function tell(name: string, { from, found, others, runs, cpuMs }: Finding): void {
  const verdict = found === null ? 'NOT FOUND' : `found by ${found.property} at seed ${found.seed}`
  const figures = `${runs} runs, ${(cpuMs / 1_000).toFixed(1)} s`
  console.log(`${name} from ${from}: ${verdict} (${figures}) ${firstLine(found?.message ?? '')}`)
  for (const { seed, message } of others) {
    console.log(`  something else, at seed ${seed}: ${firstLine(message)}`)
  }
}

function firstLine(message: string): string {
  return message.split('\n')[0]!.slice(0, 120)
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string', default: '3' },
        jobs: { type: 'string', default: '1' },
        only: { type: 'string' },
        seed: { type: 'string' },
        time: { type: 'string' },
        runs: { type: 'string' },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) usage(null)
    const only = values.only?.split(',') ?? SEEDED_BUGS.map(({ name }) => name)
    const bugs = only.map(
      (name) => SEEDED_BUGS.find((bug) => bug.name === name) ?? usage(`no bug is called ${name}`),
    )
    return {
      bugs,
      seeds: number(values.seeds, 'seeds'),
      jobs: number(values.jobs, 'jobs'),
      seed: seedOf(values.seed),
      limit: limitOf(values.time, values.runs),
      record: values.record,
    }
  } catch (error) {
    return usage((error as Error).message)
  }
}

function number(text: string, flag: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1) return value
  return usage(`--${flag} must be an integer from 1 on`)
}

function limitOf(time: string | undefined, runs: string | undefined): SearchLimit {
  if (runs === undefined) return { timeMs: number(time ?? '60', 'time') * 1_000 }
  return time === undefined ? { runs: number(runs, 'runs') } : usage('--time or --runs, not both')
}

function seedOf(text: string | undefined): number {
  if (text === undefined) return crypto.getRandomValues(new Uint32Array(1))[0]!
  if (text !== 'commit') return Number(text)
  const commit = currentCommit()
  return commit === null ? 1 : seedOfCommit(commit)
}

function usage(problem: string | null): never {
  console.log(problem === null ? USAGE : `${problem}\n\n${USAGE}`)
  process.exit(problem === null ? 0 : 2)
}
