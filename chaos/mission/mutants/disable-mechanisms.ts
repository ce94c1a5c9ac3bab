import { parseArgs } from 'node:util'
import { crossTests, leadsTo } from './mission-tests.ts'
import { MutatedTree, type RowOutcome } from './mutated-tree.ts'
import { digestOf, type Mutant } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import { readRecord, recordSeen, type Seen } from './mutants-record.ts'

const USAGE = `Switches off one mechanism after another in a copy of the program, and looks whether the test that
bears its number turns red.

  npm run mission:mutants -- [--only M-14,NAME,…] [--all] [--rest] [--minutes N]

  --only     rows or names of mutants; without it all of them
  --all      with each of them, runs the tests of all other rows of the table as well
  --rest     leaves out what was tried as it is now
  --minutes  begins no mutant after so long. Without it 30, with --all 180

What was seen is written to chaos/mission/mutants/mutants.json and chaos/README.md.`

/** Of the tests of one row, and of all. */
const [OWN_LIMIT_MS, ALL_LIMIT_MS] = [240_000, 900_000]

const { only, isCross, limitMs } = readArguments()
const startedMs = performance.now()
const secondsSince = (ms: number) => Math.round((performance.now() - ms) / 1_000)
const tree = await MutatedTree.make()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    void tree.remove().finally(() => process.exit(130))
  })
}
try {
  process.exitCode = (await tryAll()) ? 0 : 1
} finally {
  await tree.remove()
}

/** Whether each was noticed, and by nobody who is not named. */
async function tryAll(): Promise<boolean> {
  const tests = isCross
    ? crossTests().filter((test) => only.some(({ file }) => leadsTo(test, file)))
    : []
  /** Runs of tests that are green as the program is. */
  const sound = new Set<string>()
  /** Rows whose tests are red without any change: they show nothing. */
  const unsound = isCross ? await redAsItIs(tests) : new Set<number>()
  let isRight = unsound.size === 0
  for (const [at, mutant] of only.entries()) {
    if (performance.now() - startedMs > limitMs) {
      const rest = only.slice(at).map(({ name }) => name)
      console.log(`the time is up; not tried: ${rest.join(', ')}`)
      return false
    }
    const tested = `${mutant.test} ${mutant.row}`
    if (!sound.has(tested) && !tests.includes(mutant.test)) {
      const result = resultOf(await tree.run([mutant.test], [mutant.row], OWN_LIMIT_MS))
      if (result !== 'green') {
        console.log(`[M-${mutant.row}] in ${mutant.test} is not green as it is: ${result}`)
        isRight = false
        continue
      }
      sound.add(tested)
    }
    const beganMs = performance.now()
    const seen = await tree.without(mutant, () => look(mutant, tests, unsound))
    const unnamed = (seen.alsoRed ?? []).filter((row) => !mutant.also.rows.includes(row))
    isRight &&= seen.result === 'red' && unnamed.length === 0
    await recordSeen(seen)
    const others = seen.alsoRed === null ? '' : `, also red: ${seen.alsoRed.join(' ') || 'none'}`
    const leftMinutes = (secondsSince(startedMs) / (at + 1)) * ((only.length - at - 1) / 60)
    console.log(
      `${at + 1}/${only.length} M-${mutant.row} ${mutant.name}: ${seen.result}${others} ` +
        `(${secondsSince(beganMs)} s; about ${Math.ceil(leftMinutes)} min to go)`,
    )
  }
  return isRight
}

async function redAsItIs(tests: readonly string[]): Promise<Set<number>> {
  const first = await redRows(tests, null)
  // Once may be the machine.
  const red = first.size === 0 ? first : await redRows(tests, [...first])
  console.log(`as it is, in ${secondsSince(startedMs)} s: red ${[...red].join(' ') || 'none'}`)
  return red
}

async function look(
  mutant: Mutant,
  tests: readonly string[],
  unsound: ReadonlySet<number>,
): Promise<Seen> {
  const { name, row, file } = mutant
  const digest = digestOf(mutant)
  const reached = tests.filter((test) => leadsTo(test, file))
  const outcomes = isCross ? await tree.run(reached, null, ALL_LIMIT_MS) : null
  const isOwn = (one: RowOutcome) => one.row === row && one.test === mutant.test
  // Not among the others: a drill.
  const own = outcomes?.some(isOwn)
    ? outcomes.filter(isOwn)
    : await tree.run([mutant.test], [row], OWN_LIMIT_MS)
  const seen = { name, digest, result: resultOf(own) }
  if (outcomes === null) return { ...seen, alsoRed: null, stayedGreen: 0 }
  const first = outcomes.filter((one) => one.failed > 0 && one.row !== row && !unsound.has(one.row))
  // Once may be the machine.
  const again = await redRows(
    [...new Set(first.map(({ test }) => test))],
    [...new Set(first.map((one) => one.row))],
  )
  const alsoRed = [...again].filter((one) => one !== row).sort((a, b) => a - b)
  const others = new Set(outcomes.map((one) => one.row))
  for (const red of [row, ...alsoRed]) others.delete(red)
  return { ...seen, alsoRed, stayedGreen: others.size }
}

async function redRows(
  tests: readonly string[],
  rows: readonly number[] | null,
): Promise<Set<number>> {
  if (tests.length === 0) return new Set()
  const outcomes = await tree.run(tests, rows, ALL_LIMIT_MS)
  if (outcomes === null) throw new Error(`the tests took longer than ${ALL_LIMIT_MS / 60_000} min`)
  return new Set(outcomes.filter(({ failed }) => failed > 0).map(({ row }) => row))
}

/** Of one row; `broken`: nothing ran to its end. */
function resultOf(outcomes: RowOutcome[] | null): Seen['result'] {
  if (outcomes?.some(({ failed }) => failed > 0)) return 'red'
  return outcomes?.some(({ passed }) => passed > 0) ? 'green' : 'broken'
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        all: { type: 'boolean', default: false },
        rest: { type: 'boolean', default: false },
        minutes: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) usage(null)
    const minutes = Number(values.minutes ?? (values.all ? 180 : 30))
    if (!(minutes > 0)) usage('--minutes must be a number above 0')
    const wanted = values.only?.split(',')
    const fits = ({ row, name }: Mutant, word: string) => word === `M-${row}` || word === name
    const unknown = wanted?.find((word) => !MUTANTS.some((mutant) => fits(mutant, word)))
    if (unknown !== undefined) usage(`no mutant and no row with one is called ${unknown}`)
    const record = values.rest ? readRecord() : []
    const isDone = ({ digest, result, alsoRed }: Seen, mutant: Mutant) =>
      digest === digestOf(mutant) && result === 'red' && (!values.all || alsoRed !== null)
    const only = MUTANTS.filter(
      (mutant) =>
        (wanted?.some((word) => fits(mutant, word)) ?? true) &&
        !record.some((seen) => isDone(seen, mutant)),
    )
    return { only, isCross: values.all, limitMs: minutes * 60_000 }
  } catch (error) {
    return usage((error as Error).message)
  }
}

function usage(problem: string | null): never {
  console.log(problem === null ? USAGE : `${problem}\n\n${USAGE}`)
  process.exit(problem === null ? 0 : 2)
}
