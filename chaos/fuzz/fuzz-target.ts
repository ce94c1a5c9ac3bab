import { Prng } from '../prng.ts'
import { judgeInput } from './judge-input.ts'
import { minimise } from './minimise.ts'
import type { Target } from './target.ts'

export interface FuzzTally {
  inputs: number
  accepted: number
  rejected: number
  /** Different refusals, numbers left out: how many ways out of the decoder were taken. */
  readonly refusals: Set<string>
  cpuMs: number
}

export interface FuzzFailure {
  readonly target: string
  /** Of the input: with the seed it makes it again. */
  readonly number: number
  readonly message: string
  /** Hexadecimal digits of the shortest input found that fails, and of how many bytes. */
  readonly hex: string
  readonly bytes: number
}

/** So many refusals are told apart; texts of the input itself may stand in them. */
const MAX_REFUSALS = 300
const SHOWN_HEX = 4_096

/** Input `number` of a run: depends on nothing but its arguments. */
export function inputOf(target: Target, name: string, seed: number, number: number): Uint8Array {
  return target.make(new Prng(`${seed}/${name}/${number}`))
}

/** Runs inputs `from` … `to - 1`; stops at the first failure. `before` is told of each. */
export async function fuzzTarget(options: {
  readonly target: Target
  readonly name: string
  readonly seed: number
  readonly from: number
  readonly to: number
  readonly before: (number: number) => void
}): Promise<{ tally: FuzzTally; failure: FuzzFailure | null }> {
  const { target, name, seed, from, to, before } = options
  const tally = { inputs: 0, accepted: 0, rejected: 0, refusals: new Set<string>(), cpuMs: 0 }
  const startCpu = process.cpuUsage()
  let failure: FuzzFailure | null = null
  for (let number = from; number < to && failure === null; number++) {
    before(number)
    const bytes = inputOf(target, name, seed, number)
    tally.inputs += 1
    try {
      const refusal = await judgeInput(target, bytes)
      if (refusal === null) tally.accepted += 1
      else {
        tally.rejected += 1
        if (tally.refusals.size < MAX_REFUSALS) tally.refusals.add(shapeOf(refusal))
      }
    } catch (error) {
      failure = await describe(target, name, number, bytes, error)
    }
  }
  const { user, system } = process.cpuUsage(startCpu)
  tally.cpuMs = (user + system) / 1_000
  return { tally, failure }
}

async function describe(
  target: Target,
  name: string,
  number: number,
  bytes: Uint8Array,
  error: unknown,
): Promise<FuzzFailure> {
  const kind = shapeOf(textOf(error))
  const least = await minimise(bytes, async (candidate) => {
    try {
      await judgeInput(target, candidate)
      return false
    } catch (other) {
      return shapeOf(textOf(other)) === kind
    }
  })
  const hex = Buffer.from(least.subarray(0, SHOWN_HEX)).toString('hex')
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { target: name, number, message, hex, bytes: least.length }
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name} ${error.message}` : String(error)
}

/** Without what only names this input. */
function shapeOf(text: string): string {
  return text
    .slice(0, 200)
    .replace(/[0-9a-f]{8,}/g, '#')
    .replace(/\d+/g, '#')
}
