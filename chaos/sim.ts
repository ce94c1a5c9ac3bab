import { parseArgs } from 'node:util'
import { runSeed } from './simulation/run-seed.ts'

const USAGE = `Runs seeds one after the other, stops at the first violation.

  npm run sim -- [--seed 1] [--runs 1] [--ms 30000] [--notes] [--keep-going]

  --ms          simulated time of a run in which things break
  --notes       what happened, after each run
  --keep-going  do not stop at a violation`

const values = readArguments()
let failures = 0
let simulatedMs = 0
let cpuMs = 0
for (let at = 0; at < values.runs; at++) {
  const seed = values.seed + at
  const { violation, traceHash, stats, notes } = await runSeed({
    seed,
    safetyMs: values.ms,
  })
  simulatedMs += stats.simulatedMs
  cpuMs += stats.cpuMs
  const speed = Math.round(stats.simulatedMs / stats.cpuMs)
  const verdict = violation === null ? 'ok' : violation.message
  console.log(
    `seed=${seed} hash=${traceHash} nodes=${stats.nodes} acked=${stats.acknowledged}/${stats.writes} elections=${stats.elections} restarts=${stats.restarts} retired=${stats.retired} events=${stats.events} speed=${speed}x ${verdict}`,
  )
  if (values.notes) console.log(notes.join('\n'), stats)
  if (violation === null) continue
  failures += 1
  console.log(`replay: npm run sim -- --seed ${seed} --ms ${values.ms} --notes`)
  if (!values.keepGoing) break
}
console.log(
  `${Math.round(simulatedMs / 1000)} s simulated in ${(cpuMs / 1000).toFixed(1)} s of processor time: ${Math.round(simulatedMs / cpuMs)} x real time`,
)
process.exitCode = failures === 0 ? 0 : 1

function readArguments() {
  try {
    const { values: given } = parseArgs({
      options: {
        seed: { type: 'string', default: '1' },
        runs: { type: 'string', default: '1' },
        ms: { type: 'string', default: '30000' },
        notes: { type: 'boolean', default: false },
        'keep-going': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (given.help) {
      console.log(USAGE)
      process.exit(0)
    }
    return {
      seed: count('--seed', given.seed),
      runs: count('--runs', given.runs),
      ms: count('--ms', given.ms),
      notes: given.notes,
      keepGoing: given['keep-going'],
    }
  } catch (error) {
    console.error(`sim: ${(error as Error).message}\n\n${USAGE}`)
    process.exit(64)
  }
}

/** A run of nothing must not look like one without a violation. */
function count(flag: string, text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw new Error(`${flag} must be a whole number, not "${text}"`)
}
