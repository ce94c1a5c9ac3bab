/** Above this average a sync on the main thread would hold up everything else. */
const SLOW_MS = 0.5
/** A trial faster than this ends the stay in the thread pool. */
const FAST_MS = 0.25
/** The newest measurement's share of the moving average. */
const WEIGHT = 0.1
/** One outlier says little: it counts as at most this. */
const CAP_MS = 20
/** Syncs in the pool before the main thread is tried again; doubled while that keeps failing. */
const SHORTEST_STAY = 64
const LONGEST_STAY = 4096
/** So many syncs on the main thread make the next stay a short one again. */
const SETTLED = 1000

/**
 * Decides where the next sync of a file runs: on the main thread while the disk is fast (0.36 ms
 * from socket to socket instead of 0.49 through the pool), in the thread pool while it is slow.
 * What a sync in the pool takes also holds the event loop's own delays and says little of the disk,
 * so the way back is a single trial on the main thread, ever rarer while trials are slow.
 */
export class SyncPace {
  #averageMs = 0
  #slow = false
  #pooled = 0
  #stay = SHORTEST_STAY
  #settled = 0

  /** Where the next sync is to run. */
  get inPool(): boolean {
    return this.#slow && this.#pooled < this.#stay
  }

  /** One in the thread pool is done. */
  pooled(): void {
    this.#pooled++
  }

  /** One on the main thread took so long. */
  took(milliseconds: number): void {
    const spent = Math.min(CAP_MS, milliseconds)
    if (this.#slow) {
      this.#tried(spent)
      return
    }
    this.#settled++
    if (this.#settled === SETTLED) this.#stay = SHORTEST_STAY
    this.#averageMs += (spent - this.#averageMs) * WEIGHT
    if (this.#averageMs <= SLOW_MS) return
    this.#slow = true
    this.#pooled = 0
  }

  #tried(spent: number): void {
    this.#pooled = 0
    this.#stay = Math.min(LONGEST_STAY, this.#stay * 2)
    if (spent >= FAST_MS) return
    this.#slow = false
    this.#averageMs = spent
    this.#settled = 0
  }
}
