/** Above this average a sync on the main thread would hold up everything else. */
const SLOW_MS = 0.5
/** Well below it the thread pool costs more than the sync itself. */
const FAST_MS = 0.25
/** What the hop to the thread pool and back adds to a measured sync. */
const POOL_MS = 0.1
/** The newest measurement's share of the moving average. */
const WEIGHT = 0.1
/** One outlier says little: it counts as at most this. */
const CAP_MS = 20
/** In the pool, at least this many syncs in a row before the main thread tries again. */
const LEAST_POOLED = 64

/**
 * Decides where the next sync runs: on the main thread while the disk is fast (0.36 ms from socket
 * to socket instead of 0.49 through the pool), in the thread pool while it is slow. Measured per
 * file; two thresholds keep it from swinging between them.
 */
export class SyncPace {
  #averageMs = 0
  #pooled = 0
  #slow = false

  get inPool(): boolean {
    return this.#slow
  }

  get averageMs(): number {
    return this.#averageMs
  }

  /** Takes how long the last sync took, from call to completion. */
  took(milliseconds: number): void {
    const spent = Math.min(CAP_MS, Math.max(0, milliseconds - (this.#slow ? POOL_MS : 0)))
    this.#averageMs += (spent - this.#averageMs) * WEIGHT
    if (!this.#slow) {
      if (this.#averageMs <= SLOW_MS) return
      this.#slow = true
      this.#pooled = 0
      return
    }
    this.#pooled++
    if (this.#pooled >= LEAST_POOLED && this.#averageMs < FAST_MS) this.#slow = false
  }
}
