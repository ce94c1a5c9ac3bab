import { Worker } from 'node:worker_threads'
import type { FuzzDone, FuzzJob, FuzzWork } from './fuzz-worker.ts'
import { TARGETS } from './targets/index.ts'

export interface FuzzOptions {
  readonly seed: number
  /** Of all targets together; each gets its share. */
  readonly inputs: number
  /** All if absent. */
  readonly target?: string
  /** The number of the first input, for replaying one. @default 0 */
  readonly from?: number
  /** Told now and then how far it is: inputs done, of how many. */
  readonly onProgress?: (done: number, inputs: number, target: string) => void
  readonly onDone?: (done: FuzzDone) => void
}

const LOOK_EVERY_MS = 1_000
/** An input that takes as long, minimising a failure included, never ends. */
const HANGS_AFTER_MS = 60_000
const MEGABYTES = 1_024

/** Attacks the targets one after the other in a thread of its own, so that a hang is seen. */
export async function runFuzz(options: FuzzOptions): Promise<readonly FuzzDone[]> {
  const { seed, onProgress, onDone } = options
  const jobs = jobsOf(options)
  const inputs = jobs.reduce((sum, job) => sum + job.to - job.from, 0)
  const beat = new Int32Array(new SharedArrayBuffer(8)).fill(-1)
  const work: FuzzWork = { seed, jobs, beat }
  const worker = new Worker(new URL('./fuzz-worker.ts', import.meta.url), {
    workerData: work,
    resourceLimits: { maxOldGenerationSizeMb: MEGABYTES },
  })
  const finished: FuzzDone[] = []
  let last = ''
  let lastMs = performance.now()
  const look = (): void => {
    const [at, number] = [Atomics.load(beat, 0), Atomics.load(beat, 1)]
    const job = jobs[at]
    if (job === undefined) return
    const before = jobs.slice(0, at).reduce((sum, each) => sum + each.to - each.from, 0)
    onProgress?.(before + number - job.from, inputs, job.name)
    if (last !== `${at}/${number}`) {
      last = `${at}/${number}`
      lastMs = performance.now()
    } else if (performance.now() - lastMs > HANGS_AFTER_MS) {
      const failure = { target: job.name, number, message: 'it never ends', hex: '', bytes: 0 }
      finish({ name: job.name, tally: emptyTally(number - job.from + 1), failure })
      void worker.terminate()
    }
  }
  const finish = (done: FuzzDone): void => {
    finished.push(done)
    onDone?.(done)
  }
  const timer = setInterval(look, LOOK_EVERY_MS)
  try {
    await new Promise<void>((resolve, reject) => {
      worker.on('message', finish)
      worker.on('error', reject)
      worker.on('exit', () => resolve())
    })
  } finally {
    clearInterval(timer)
    await worker.terminate()
  }
  return finished
}

function jobsOf({ inputs, target, from = 0 }: FuzzOptions): FuzzJob[] {
  const chosen = TARGETS.filter(({ name }) => target === undefined || name === target)
  const shares = chosen.reduce((sum, { share }) => sum + share, 0)
  return chosen.map(({ name, share }) => {
    return { name, from, to: from + Math.max(1, Math.round((inputs * share) / shares)) }
  })
}

function emptyTally(inputs: number): FuzzDone['tally'] {
  return { inputs, accepted: 0, rejected: 0, refusals: new Set(), cpuMs: 0 }
}
