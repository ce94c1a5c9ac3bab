import { type Clock, NO_ONE, type RaftId } from '#cluster'

/** Within this time a change of the leader counts as recent, in ms. */
export const RECENT_CHANGES_MS = 15 * 60_000
/** More changes than this within the time are not told apart. */
const MAX_CHANGES = 64

/** Since when this node knows its leader, or none, and how often that changed. */
export class LeaderWatch {
  readonly #clock: Clock
  #leader: RaftId = NO_ONE
  #sinceMs: number
  /** When this node came to know a leader, in monotonic ms, the oldest first. */
  readonly #changes: number[] = []

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  changed(leader: RaftId): void {
    if (leader === this.#leader) return
    this.#leader = leader
    this.#sinceMs = this.#clock.monotonicMs()
    if (leader === NO_ONE) return
    this.#changes.push(this.#sinceMs)
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift()
  }

  /** How long it has been as it is now: the same leader, or none. */
  get forMs(): number {
    return this.#clock.monotonicMs() - this.#sinceMs
  }

  /** Leaders that this node came to know within `RECENT_CHANGES_MS`, the first included. */
  get recentChanges(): number {
    const since = this.#clock.monotonicMs() - RECENT_CHANGES_MS
    return this.#changes.filter((atMs) => atMs >= since).length
  }
}
