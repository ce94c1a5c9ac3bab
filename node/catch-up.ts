import { type Clock, ReadUnavailableError, type Replica, type Timer } from '#cluster'
import type { AppliedWaiters } from './applied-waiters.ts'

const RETRY_MS = 100
const APPLY_PATIENCE_MS = 1_000

/**
 * A started node knows only what its disk held: others may have moved on, and a client that was
 * served elsewhere must not travel back (rule B2). It serves nobody until it has applied up to an
 * index that a leader confirmed after the start.
 */
export class CatchUp {
  readonly #clock: Clock
  readonly #waiters: AppliedWaiters
  readonly #onDone: () => void
  readonly #onFatal: (error: Error) => void
  #timer: Timer | null = null
  #done = false
  #closed = false

  /** `onFatal`: something else than a missing leader stands in the way, and the process must end. */
  constructor(
    clock: Clock,
    waiters: AppliedWaiters,
    events: { onDone: () => void; onFatal: (error: Error) => void },
  ) {
    this.#clock = clock
    this.#waiters = waiters
    this.#onDone = events.onDone
    this.#onFatal = events.onFatal
  }

  get done(): boolean {
    return this.#done
  }

  begin(replica: Replica): void {
    this.#ask(replica).then(
      (caughtUp) => {
        if (this.#closed) return
        if (caughtUp) {
          this.#done = true
          this.#onDone()
        } else this.#again(replica)
      },
      (error: Error) => {
        if (error instanceof ReadUnavailableError) this.#again(replica)
        else this.#onFatal(error)
      },
    )
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  async #ask(replica: Replica): Promise<boolean> {
    const index = await replica.readIndex()
    return this.#waiters.wait(index, APPLY_PATIENCE_MS)
  }

  #again(replica: Replica): void {
    if (this.#closed) return
    this.#timer = this.#clock.after(RETRY_MS, () => this.begin(replica))
  }
}
