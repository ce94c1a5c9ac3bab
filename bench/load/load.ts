import type { Verified } from './ledger.ts'
import type { Meter } from './meter.ts'
import type { Pace } from './pacer.ts'

/** What else a kind of load found out, beside what is stored. */
export interface Verdict {
  readonly stored: Verified
  /** Operations that showed something else than was acknowledged; a sentence for the first of them. */
  readonly wrong: number
  readonly firstWrong: string | null
}

/** A kind of load on a cluster. */
export interface Load {
  /** Whatever must be there before the first operation. @throws ConnectError */
  open(signal: AbortSignal): Promise<void>
  /** Operates at the pace until then or the signal, and waits for what is under way. */
  run(meter: Meter, pace: Pace, until: { untilMs: number; signal: AbortSignal }): Promise<void>
  readonly underWay: number
  /** Ends all sessions; what has no answer by then is unknown. */
  close(): Promise<void>
  /** After `close`. @throws Error if nothing can be proven */
  verify(onProgress?: (done: number, all: number) => void): Promise<Verdict>
}
