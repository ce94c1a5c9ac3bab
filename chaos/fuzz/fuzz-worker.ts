import { parentPort, workerData } from 'node:worker_threads'
import { capture } from './capture.ts'
import { type FuzzFailure, type FuzzTally, fuzzTarget } from './fuzz-target.ts'
import { TARGETS } from './targets/index.ts'

/** One target and the numbers of its inputs. */
export interface FuzzJob {
  readonly name: string
  readonly from: number
  readonly to: number
}

export interface FuzzWork {
  readonly seed: number
  readonly jobs: readonly FuzzJob[]
  /** Which job and which input is being judged: whoever watches sees one that never ends. */
  readonly beat: Int32Array
}

export interface FuzzDone {
  readonly name: string
  readonly tally: FuzzTally
  readonly failure: FuzzFailure | null
}

const { seed, jobs, beat } = workerData as FuzzWork
const captured = await capture()
for (const [at, { name, from, to }] of jobs.entries()) {
  const target = await TARGETS.find((entry) => entry.name === name)!.open(captured)
  const before = (number: number): void => {
    Atomics.store(beat, 0, at)
    Atomics.store(beat, 1, number)
  }
  const result = await fuzzTarget({ target, name, seed, from, to, before })
  const done: FuzzDone = { name, ...result }
  parentPort!.postMessage(done)
}
