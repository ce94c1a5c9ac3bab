import type { Failpoints } from './failpoints.ts'
import { type Entry, EntryType } from './raft/types.ts'
import type { StateMachine } from './state-machine.ts'

/**
 * Feeds committed entries to the state machine in order. Applying never waits; only the loading of
 * cold objects before it may, and then everything behind it waits too (rule K4).
 */
export class ApplyQueue {
  readonly #stateMachine: StateMachine
  readonly #failpoints: Failpoints
  readonly #onApplied: (entry: Entry) => void
  readonly #onError: (error: Error) => void
  #entries: Entry[] = []
  #next = 0
  #loading = false
  #paused = false
  #onQuiet: () => void = () => {}

  constructor(parts: {
    stateMachine: StateMachine
    failpoints: Failpoints
    onApplied: (entry: Entry) => void
    onError: (error: Error) => void
  }) {
    this.#stateMachine = parts.stateMachine
    this.#failpoints = parts.failpoints
    this.#onApplied = parts.onApplied
    this.#onError = parts.onError
  }

  push(entries: readonly Entry[]): void {
    for (const entry of entries) this.#entries.push(entry)
  }

  /** While a snapshot takes over, nothing may be applied or loaded. Resolves once that is so. */
  pause(): Promise<void> {
    this.#paused = true
    if (!this.#loading) return Promise.resolve()
    return new Promise((resolve) => (this.#onQuiet = resolve))
  }

  /** Drops what the snapshot covers and goes on. */
  resume(appliedIndex: number): void {
    this.#entries = this.#entries.slice(this.#next).filter((entry) => entry.index > appliedIndex)
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
      this.#next = 0
    }
  }

  #apply(entry: Entry): void {
    this.#next += 1
    const isConfiguration = entry.type === EntryType.configuration
    if (isConfiguration) this.#failpoints.hit('membership.configurationCommitted')
    this.#stateMachine.apply(entry)
    this.#onApplied(entry)
    if (isConfiguration) this.#failpoints.hit('membership.configurationApplied')
    if (this.#next < this.#entries.length) this.#failpoints.hit('replica.batchHalfApplied')
  }
}
