import type { SimProcess } from './sim-process.ts'
import type { SimScheduler } from './sim-scheduler.ts'

/** How long a slow device is slow before it is asked again how slow it is, ms. */
const LOOK_MS = 100

/**
 * Runs `run` once a device has spent `workMs` on it, each of which takes `slowness()` ms: what is
 * under way when a device gets well is done as soon as it would be then.
 */
export function afterWork(
  parts: { scheduler: SimScheduler; process: SimProcess; slowness: () => number },
  workMs: number,
  run: () => void,
): void {
  const { scheduler, process, slowness } = parts
  const factor = slowness()
  if (workMs * factor <= LOOK_MS) scheduler.after(workMs * factor, process, run)
  else scheduler.after(LOOK_MS, process, () => afterWork(parts, workMs - LOOK_MS / factor, run))
}
