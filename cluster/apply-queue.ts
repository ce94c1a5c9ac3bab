import type { HistogramCell } from './cells.ts'
import type { Failpoints } from './failpoints.ts'
import type { Clock } from './ports.ts'
import { type Entry, EntryType } from './raft/types.ts'
import type { StateMachine } from './state-machine.ts'

/**
 * Feeds committed entries to the state machine in order. Applying never waits; only the loading of
 * cold objects before it may, and then everything behind it waits too (rule K4).
 */
export class ApplyQueue {
  readonly #clock: Clock
  readonly #stateMachine: StateMachine
  readonly #failpoints: Failpoints
  readonly #delay: HistogramCell
  readonly #onApplied: (entry: Entry) => void
  readonly #onError: (error: Error) => void
  #entries: Entry[] = []
  /** When each of them came, ms. */
  #cameMs: number[] = []
  #next = 0
  #loading = false
  #paused = false
  #onQuiet: () => void = () => {}

  constructor(parts: {
    clock: Clock
    stateMachine: StateMachine
    failpoints: Failpoints
    /** Gets for how long each entry was committed and not applied. */
    delay: HistogramCell
    onApplied: (entry: Entry) => void
    onError: (error: Error) => void
  }) {
    this.#clock = parts.clock
    this.#stateMachine = parts.stateMachine
    this.#failpoints = parts.failpoints
    this.#delay = parts.delay
    this.#onApplied = parts.onApplied
    this.#onError = parts.onError
  }

  push(entries: readonly Entry[]): void {
    const nowMs = this.#clock.monotonicMs()
    for (const entry of entries) {
      this.#entries.push(entry)
      this.#cameMs.push(nowMs)
    }
  }

  /** For how long the entry that is next has been committed and not applied; 0 if none waits. */
  get lagMs(): number {
    const cameMs = this.#cameMs[this.#next]
    return cameMs === undefined ? 0 : this.#clock.monotonicMs() - cameMs
  }

  /** While a snapshot takes over, nothing may be applied or loaded. Resolves once that is so. */
  pause(): Promise<void> {
    this.#paused = true
    if (!this.#loading) return Promise.resolve()
    return new Promise((resolve) => (this.#onQuiet = resolve))
  }

  /** Drops what the snapshot covers and goes on. */
  resume(appliedIndex: number): void {
    const covered = this.#entries.findIndex(({ index }) => index > appliedIndex)
    const from = Math.max(this.#next, covered < 0 ? this.#entries.length : covered)
    this.#entries = this.#entries.slice(from)
    this.#cameMs = this.#cameMs.slice(from)
    this.#next = 0
    this.#paused = false
    this.run()
  }

  run(): void {
    while (!this.#loading && !this.#paused && this.#next < this.#entries.length) {
      const entry = this.#entries[this.#next]!
      const loading = this.#stateMachine.prefetch(entry)
      if (loading === null) {
        this.#apply(entry)
        continue
      }
      this.#loading = true
      loading
        .then(() => {
          this.#loading = false
          if (this.#paused) {
            this.#onQuiet()
            return
          }
          this.#apply(entry)
          this.run()
        })
        .catch((error: Error) => this.#onError(error))
    }
    if (this.#next === this.#entries.length && this.#next > 0) {
      this.#entries = []
      this.#cameMs = []
      this.#next = 0
    }
  }

  #apply(entry: Entry): void {
    const cameMs = this.#cameMs[this.#next]!
    this.#next += 1
    const isConfiguration = entry.type === EntryType.configuration
    if (isConfiguration) this.#failpoints.hit('membership.configurationCommitted')
    this.#stateMachine.apply(entry)
    this.#delay.observe((this.#clock.monotonicMs() - cameMs) / 1_000)
    this.#onApplied(entry)
    if (isConfiguration) this.#failpoints.hit('membership.configurationApplied')
    if (this.#next < this.#entries.length) this.#failpoints.hit('replica.batchHalfApplied')
  }
}
