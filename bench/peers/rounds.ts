import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadResult, LoadSpec } from '../load/load-spec.ts'
import { runLoad } from '../load/run-load.ts'
import { cpuTimeUs } from './cpu-time.ts'
import type { System, SystemKind } from './system.ts'

export interface Run {
  readonly round: number
  readonly system: string
  readonly inFlight: number
  readonly result: LoadResult
  /** What the three nodes spent together, per acknowledged message; NaN where it cannot be told. */
  readonly nodesCpuUs: number
}

export interface RoundsOptions {
  readonly kinds: readonly SystemKind[]
  readonly rounds: number
  readonly inFlight: readonly number[]
  readonly load: Pick<LoadSpec, 'bodyBytes' | 'warmupMs' | 'durationMs'>
  readonly directory: string
  /** Hears of each system when it runs for the first time, and of each run. */
  readonly started?: (name: string, system: System) => void
  readonly ended?: (run: Run) => void
}

/** No more than these connect, however many are in flight. */
const CONNECTIONS = 20
const CONVERSATIONS = 1_000

/**
 * Runs the systems one after the other, and that `rounds` times, each time starting with another
 * one: a machine that becomes slower or faster on its own then does so to all of them.
 *
 * @throws Error when a system holds fewer messages than it acknowledged
 */
export async function runRounds(options: RoundsOptions): Promise<Run[]> {
  const { kinds } = options
  const runs: Run[] = []
  for (let round = 0; round < options.rounds; round++) {
    for (let at = 0; at < kinds.length; at++) {
      const kind = kinds[(round + at) % kinds.length]!
      runs.push(...(await runSystem(kind, round, options)))
    }
  }
  return runs
}

async function runSystem(kind: SystemKind, round: number, options: RoundsOptions): Promise<Run[]> {
  const directory = join(options.directory, `${kind.name}-${round}`)
  await mkdir(directory)
  const system = await kind.start(directory)
  try {
    if (round === 0) options.started?.(kind.name, system)
    const runs: Run[] = []
    let acknowledged = 0
    for (const inFlight of options.inFlight) {
      const connections = Math.min(CONNECTIONS, inFlight)
      const before = await cpuTimeUs(system.pids)
      const result = await runLoad({
        target: kind.name,
        url: system.url,
        connections,
        inFlight: Math.ceil(inFlight / connections),
        conversations: CONVERSATIONS,
        ...options.load,
      })
      if (result.acknowledged === 0) {
        throw new Error(`${kind.name} acknowledged nothing: ${JSON.stringify(result.errors)}`)
      }
      const nodesCpuUs = ((await cpuTimeUs(system.pids)) - before) / result.stored
      acknowledged += result.stored
      const held = await system.held(acknowledged)
      if (held < acknowledged) {
        throw new Error(`${kind.name} acknowledged ${acknowledged} messages and holds ${held}`)
      }
      const run = { round, system: kind.name, inFlight, result, nodesCpuUs }
      options.ended?.(run)
      runs.push(run)
    }
    return runs
  } finally {
    await system.stop()
    await rm(directory, { recursive: true, force: true })
  }
}
