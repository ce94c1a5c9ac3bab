import { parseArgs } from 'node:util'
import { runSeed } from './simulation/run-seed.ts'

/** `node chaos/sim.ts --seed 1 --runs 20`: runs seeds one after the other, stops at a violation. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    ms: { type: 'string', default: '30000' },
    notes: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
})
let failures = 0
let simulatedMs = 0
let cpuMs = 0
for (let at = 0; at < Number(values.runs); at++) {
  const seed = Number(values.seed) + at
  const { violation, traceHash, stats, notes } = await runSeed({
    seed,
    safetyMs: Number(values.ms),
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
  console.log(`replay: node chaos/sim.ts --seed ${seed} --ms ${values.ms} --notes`)
  if (!values['keep-going']) break
}
console.log(
  `${Math.round(simulatedMs / 1000)} s simulated in ${(cpuMs / 1000).toFixed(1)} s of processor time: ${Math.round(simulatedMs / cpuMs)} x real time`,
)
process.exitCode = failures === 0 ? 0 : 1
