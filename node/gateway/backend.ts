import type { WireError } from '#protocol'
import type { Signal } from '../signals/signal.ts'
import type { Submission } from '../state-machine/commands.ts'
import type { StateReader, WriteResult } from '../state-machine/types.ts'

export type { Submission }

export interface NodeRef {
  /** The node's name. */
  readonly id: string
  /** `http://host:port` for clients. */
  readonly url: string
}

/** What a gateway needs from the node it stands in. */
export interface Backend {
  readonly self: NodeRef
  readonly epoch: string
  readonly state: StateReader
  leader(): NodeRef | null
  /** Every member of the committed configuration, by name. */
  nodes(): readonly NodeRef[]
  /** Of the others those that clients of this one are best sent to. */
  refuges(): readonly NodeRef[]
  /**
   * False until this process has applied up to a commit index heard from a leader after its start
   * (rule B2), and while it drains. `reasons` names each failing check for `/readyz`.
   */
  readiness(): {
    readonly ready: boolean
    readonly reasons: readonly string[]
    /**
     * Whether clients may be greeted and read from: as `ready`, but true while there is no leader,
     * since a client that is turned away during an election would come back later than its end.
     * @default ready
     */
    readonly serving?: boolean
  }
  /**
   * Takes a write to the leader and answers with the result that this node's own apply shows (rule
   * A6). `done` is called exactly once: with a verdict of the log, or with a retryable or unknown
   * failure (`NO_LEADER`, `OVERLOADED`, `OUTCOME_UNKNOWN`, …). Calls made in one order are proposed
   * in that order.
   */
  submit(submission: Submission, done: (result: WriteResult | { error: WireError }) => void): void
  /** Sends a signal on its way; at most once, and nobody says what became of it (rule B8). */
  publish(signal: Signal): void
  /** Resolves when this node has applied `index`, `false` if it did not within `timeoutMs`. */
  waitApplied(index: number, timeoutMs: number): Promise<boolean>
  /** An index that covers every write acknowledged anywhere before the call (thesis §6.4). */
  readIndex(): Promise<{ index: number } | { error: WireError }>
}
