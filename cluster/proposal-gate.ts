import type { ApplyQueue } from './apply-queue.ts'
import type { Clock, Timer } from './ports.ts'
import type { ProposalQueue } from './proposal-queue.ts'
import type { ReplicaOptions } from './replica-options.ts'
import type { StateMachine } from './state-machine.ts'

/** How soon proposals that wait are looked at again. */
const POLL_MS = 2

/**
 * Stands before the leader's proposals while checkpoints catch up (rule K3), or applying does: what
 * was taken waits, so that writes get slower before any is refused; what would wait too long is not
 * taken. Without it a log that grows faster than it is applied fills up with copies of writes whose
 * clients gave up waiting, and nothing new is ever answered in time.
 */
export class ProposalGate {
  readonly #options: ReplicaOptions
  readonly #clock: Clock
  readonly #stateMachine: StateMachine
  readonly #applies: Pick<ApplyQueue, 'lagMs'>
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
    applies: Pick<ApplyQueue, 'lagMs'>
    queue: ProposalQueue
    look: () => void
  }) {
    this.#options = parts.options
    this.#clock = parts.clock
    this.#stateMachine = parts.stateMachine
    this.#applies = parts.applies
    this.#queue = parts.queue
    this.#look = parts.look
  }

  /** Nothing may be proposed now; `look` is called until it may. */
  get closed(): boolean {
    if (!this.#behind) {
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
    if (this.#sinceMs === null || !this.#behind) return false
    const closedMs = this.#clock.monotonicMs() - this.#sinceMs
    return closedMs >= this.#options.maxHoldMs || this.#queue.bytes >= this.#options.maxHeldBytes
  }

  /** `overloaded`: certainly not taken. */
  take(command: Uint8Array): 'taken' | 'overloaded' {
    return this.full || !this.#queue.push(command) ? 'overloaded' : 'taken'
  }

  get #behind(): boolean {
    return this.#stateMachine.overloaded || this.#applies.lagMs > this.#options.maxApplyLagMs
  }

  stop(): void {
    this.#timer?.cancel()
  }
}
