import type { Load } from './load.ts'
import { type Interval, type Measured, Meter } from './meter.ts'
import type { Pace } from './pacer.ts'

export interface MeasureOptions {
  readonly pace: Pace
  readonly warmupMs: number
  readonly durationMs: number
  /** Ends it early, with what was measured so far. */
  readonly signal: AbortSignal
  /** Each second. */
  readonly onInterval?: (interval: Interval & { readonly underWay: number }) => void
}

const INTERVAL_MS = 1_000

/** One measurement with an open load. */
export async function measureLoad(load: Load, options: MeasureOptions): Promise<() => Measured> {
  const { pace, warmupMs, durationMs, signal, onInterval } = options
  const meter = new Meter()
  const fromMs = performance.now() + warmupMs
  const untilMs = fromMs + durationMs
  meter.measure(fromMs, untilMs)
  const cut = () => meter.endAt(performance.now())
  signal.addEventListener('abort', cut)
  const tell = () => onInterval?.({ ...meter.interval(), underWay: load.underWay })
  const timer = setInterval(tell, INTERVAL_MS)
  try {
    await load.run(meter, pace, { untilMs, signal })
  } finally {
    clearInterval(timer)
    signal.removeEventListener('abort', cut)
  }
  // What has no answer yet is known to be unknown when the load is closed.
  return () => meter.result()
}
