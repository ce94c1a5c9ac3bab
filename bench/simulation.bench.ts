/**
 * How fast simulated time passes, with every checker on: the two loads that long searches stand for,
 * or one of them. Judge by the second figure of each line; the first includes compiling.
 */
import { runSeed } from '../chaos/simulation/run-seed.ts'
import { FAULTS, type Swarm } from '../chaos/simulation/swarm.ts'
import { atLeast, readArguments } from './load/arguments.ts'

const USAGE = `Simulated time per processor time.

  node bench/simulation.bench.ts [--only busy|sparse] [--seconds 60] [--rounds 3] [--seed 1]

  --seconds  simulated, of the load, each round`

const KIB = 1024

/** A machine in good health: what is measured is the program, not its waiting for repairs. */
const HEALTHY: Pick<Swarm, 'link' | 'profile'> = {
  link: { delayMs: 0.5, jitterMs: 2, lossShare: 0, corruptShare: 0, splitShare: 0 },
  profile: {
    replica: { tickMs: 50, electionTicks: 10, maxBatchBytes: 256 * KIB },
    gateway: {},
    log: { segmentBytes: 512 * KIB },
    state: { checkpointBytes: 1024 * KIB, checkpointIdleMs: 2_000 },
    disk: { operationMs: 0.05, syncMs: [0.2, 5], inlineShare: 0.5, capacityBytes: Infinity },
    database: { readMs: 0.05, writeMs: 1 },
    clockDrift: 0.002,
    timerLatenessMs: 1,
    lookMs: 0,
  },
}

/** Devices take `thinkMs` from one operation to the next: writes, copies of writes and reads. */
const LOADS: Readonly<Record<string, Swarm>> = {
  busy: {
    ...HEALTHY,
    nodes: 5,
    faults: [],
    faultEveryMs: 1,
    leastCheckpointIdleMs: 0,
    devices: 4,
    conversations: 2,
    window: 16,
    thinkMs: 40,
    repeatShare: 0.05,
    moveShare: 0,
    pullShare: 0.2,
    sdkShare: 0,
    crashShare: 0,
    olderShare: 0,
    restoreShare: 0,
    featureShare: 0,
    featureKinds: [],
  },
  sparse: {
    ...HEALTHY,
    nodes: 3,
    faults: FAULTS,
    faultEveryMs: 20_000,
    leastCheckpointIdleMs: 0,
    devices: 2,
    conversations: 1,
    window: 4,
    thinkMs: 400,
    repeatShare: 0.05,
    moveShare: 0.002,
    pullShare: 0.2,
    sdkShare: 0,
    crashShare: 0,
    olderShare: 0,
    restoreShare: 0,
    featureShare: 0,
    featureKinds: [],
  },
}

const values = readArguments(
  'simulation.bench',
  USAGE,
  {
    only: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
  },
  (given) => {
    if (given.only !== undefined && LOADS[given.only] === undefined) {
      throw new Error(`--only must be busy or sparse, not "${given.only}"`)
    }
    return {
      only: given.only,
      seconds: atLeast(1, '--seconds', given.seconds),
      rounds: atLeast(1, '--rounds', given.rounds),
      seed: atLeast(1, '--seed', given.seed),
    }
  },
)
for (const [name, swarm] of Object.entries(LOADS)) {
  if (values.only !== undefined && values.only !== name) continue
  const totals = { simulatedMs: 0, cpuMs: 0, events: 0, operations: 0 }
  for (let round = 0; round <= values.rounds; round++) {
    const seed = values.seed + round
    const { violation, traceHash, stats } = await runSeed({
      seed,
      safetyMs: values.seconds * 1_000,
      swarm,
    })
    if (violation !== null) throw new Error(`seed ${seed} of ${name}: ${violation.message}`)
    const { simulatedMs, cpuMs, events } = stats
    const operations = stats.writes + stats.reads
    console.log(
      `${name} seed=${seed} hash=${traceHash} ${describe(simulatedMs, cpuMs, events, operations)}`,
    )
    if (round === 0) continue
    totals.simulatedMs += simulatedMs
    totals.cpuMs += cpuMs
    totals.events += events
    totals.operations += operations
  }
  const { simulatedMs, cpuMs, events, operations } = totals
  if (simulatedMs > 0)
    console.log(`${name}, compiled: ${describe(simulatedMs, cpuMs, events, operations)}`)
}

function describe(simulatedMs: number, cpuMs: number, events: number, operations: number): string {
  const each = (count: number) => ((cpuMs * 1_000) / count).toFixed(1)
  const perSecond = (count: number) => Math.round((count * 1_000) / simulatedMs)
  return `${Math.round(simulatedMs / cpuMs)} x real time; ${perSecond(events)} events/s of ${each(events)} µs, ${perSecond(operations)} operations/s of ${each(operations)} µs, all included`
}
