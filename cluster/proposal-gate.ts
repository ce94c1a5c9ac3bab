import type { Clock, Timer } from './ports.ts'
import type { ProposalQueue } from './proposal-queue.ts'
import type { ReplicaOptions } from './replica-options.ts'
import type { StateMachine } from './state-machine.ts'

/** How soon proposals that wait for checkpoints are looked at again. */
const POLL_MS = 2

/**
 * Stands before the leader's proposals while checkpoints catch up (rule K3): what was taken waits, so
 * that writes get slower before any is refused; what would wait too long is not taken.
 */
export class ProposalGate {
  readonly #options: ReplicaOptions
  readonly #clock: Clock
  readonly #stateMachine: StateMachine
  readonly #queue: ProposalQueue
  readonly #look: () => void
  /** When it closed, ms; `null` while it is open. */
  #sinceMs: number | null = null
  #timer: Timer | null = null

  /** `look` is to ask `closed` again. */
  constructor(parts: {
    options: ReplicaOptions
    clock: Clock
    stateMachine: StateMachine
    queue: ProposalQueue
    look: () => void
  }) {
    this.#options = parts.options
    this.#clock = parts.clock
    this.#stateMachine = parts.stateMachine
    this.#queue = parts.queue
    this.#look = parts.look
  }

  /** Nothing may be proposed now; `look` is called until it may. */
  get closed(): boolean {
    if (!this.#stateMachine.overloaded) {
      this.#sinceMs = null
      return false
    }
    this.#sinceMs ??= this.#clock.monotonicMs()
    this.#timer ??= this.#clock.after(POLL_MS, () => {
      this.#timer = null
      this.#look()
    })
    return true
  }

  /** So much waits, or has for so long, that a further write would outwait its client's patience. */
  get full(): boolean {
    if (this.#sinceMs === null || !this.#stateMachine.overloaded) return false
    const closedMs = this.#clock.monotonicMs() - this.#sinceMs
    return closedMs >= this.#options.maxHoldMs || this.#queue.bytes >= this.#options.maxHeldBytes
  }

  stop(): void {
    this.#timer?.cancel()
  }
}
