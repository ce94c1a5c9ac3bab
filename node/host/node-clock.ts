import type { Clock, Timer } from '#cluster'

/** The longest that a Node timer takes; longer waits are cut into several. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

/** Time by the operating system. */
export class NodeClock implements Clock {
  wallMs(): number {
    return Date.now()
  }

  monotonicMs(): number {
    return performance.now()
  }

  after(delayMs: number, run: () => void): Timer {
    const dueMs = performance.now() + delayMs
    let handle: NodeJS.Timeout
    const arm = (): void => {
      // A Node timer may fire up to a millisecond early; the port promises "not before".
      const leftMs = dueMs - performance.now()
      if (leftMs <= 0) run()
      else handle = setTimeout(arm, Math.min(Math.ceil(leftMs), LONGEST_DELAY_MS))
    }
    handle = setTimeout(arm, Math.min(Math.max(0, delayMs), LONGEST_DELAY_MS))
    return { cancel: () => clearTimeout(handle) }
  }

  defer(run: () => void): void {
    setImmediate(run)
  }
}
