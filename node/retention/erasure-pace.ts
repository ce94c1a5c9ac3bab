import type { Clock, Timer } from '#cluster'
import { CommandKind, type Submission, SYSTEM_HEAD } from '../state-machine/commands.ts'

export interface ErasurePaceOptions {
  readonly clock: Clock
  /** Log time in ms as a leader would stamp it now; 0 on a node that does not lead. */
  readonly now: () => number
  /** See `ParleyStateMachine.erasureNeedsEntry`. */
  readonly needsEntry: (logTime: number) => Promise<boolean>
  /** Whether the disk is nearly full: then it is asked at every look. */
  readonly savesSpace: () => boolean
  readonly submit: (submission: Submission) => void
  readonly onError: (error: unknown) => void
}

/** How often it is looked, and, where that helped, how often something is done about it. */
const LOOK_MS = 1_000
const PACE_MS = 5_000

/** Acknowledgements of nobody: changes nothing, and is an entry of the log with its time. */
const NOTHING: Submission = {
  kind: CommandKind.cursors,
  ...SYSTEM_HEAD,
  conversations: [],
  inboxes: [],
}

/**
 * What retention took away leaves a node's store with its cuts, and both a cut and the window of
 * results go by entries of the log. While nobody writes this node asks for one, so that erased text
 * stays on no disk for want of traffic (rule RT6).
 */
export class ErasurePace {
  readonly #options: ErasurePaceOptions
  #timer: Timer
  #askedMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(options: ErasurePaceOptions) {
    this.#options = options
    this.#timer = options.clock.after(LOOK_MS, this.#look)
  }

  close(): void {
    this.#isClosed = true
    this.#timer.cancel()
  }

  readonly #look = (): void => {
    this.#maybeAsk()
      .catch((error: unknown) => {
        if (!this.#isClosed) this.#options.onError(error)
      })
      .finally(() => {
        if (!this.#isClosed) this.#timer = this.#options.clock.after(LOOK_MS, this.#look)
      })
  }

  async #maybeAsk(): Promise<void> {
    const { clock, needsEntry, now, savesSpace, submit } = this.#options
    const paceMs = savesSpace() ? 0 : PACE_MS
    if (clock.monotonicMs() - this.#askedMs < paceMs || !(await needsEntry(now()))) return
    if (this.#isClosed) return
    this.#askedMs = clock.monotonicMs()
    submit(NOTHING)
  }
}
