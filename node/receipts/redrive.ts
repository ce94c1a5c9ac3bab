import type { Clock } from '#cluster'
import type { StateReader } from '../state-machine/types.ts'

/** Conversations in which something was sent again; what is beyond comes again by itself. */
const MAX_WAITING = 10_000

interface SentAgain {
  seq: number
  /** Whose it is; `null`: there are several. */
  from: string | null
}

/**
 * A message that is sent again though the log holds it may never have reached its recipients: a node
 * may have died between the two (rule NR6). Whoever is here and has not acknowledged it is told that
 * there is something to pull. A conversation at a time, its newest message for all before it.
 */
export class Redrive {
  readonly #clock: Clock
  readonly #state: StateReader
  readonly #notify: (user: string, conv: string, seq: number) => void
  readonly #onError: (error: unknown) => void
  readonly #waiting = new Map<string, SentAgain>()
  #isRunning = false

  constructor(
    clock: Clock,
    state: StateReader,
    notify: (user: string, conv: string, seq: number) => void,
    onError: (error: unknown) => void,
  ) {
    this.#clock = clock
    this.#state = state
    this.#notify = notify
    this.#onError = onError
  }

  /** Called during apply. */
  sentAgain(conv: string, seq: number, from: string): void {
    const known = this.#waiting.get(conv)
    if (known !== undefined) {
      known.seq = Math.max(known.seq, seq)
      if (known.from !== from) known.from = null
    } else if (this.#waiting.size < MAX_WAITING) this.#waiting.set(conv, { seq, from })
    if (this.#isRunning) return
    this.#isRunning = true
    this.#clock.defer(() => void this.#run())
  }

  close(): void {
    this.#waiting.clear()
  }

  async #run(): Promise<void> {
    for (const [conv, { seq, from }] of this.#waiting) {
      this.#waiting.delete(conv)
      await this.#tell(conv, seq, from).catch(this.#onError)
    }
    this.#isRunning = false
  }

  async #tell(conv: string, seq: number, from: string | null): Promise<void> {
    for (const { user, delivered } of (await this.#state.receiptsOf(conv)) ?? []) {
      if (user !== from && delivered < seq) this.#notify(user, conv, seq)
    }
  }
}
