import type { RaftId } from '#cluster'
import type { AdminProblem } from './admin-problem.ts'

/** What a node does for an operator who may have asked another one. */
export interface Operation {
  /** `subject.verb`; never given another meaning: nodes of two versions may call each other. */
  readonly name: string
  /** Whom it is for: whoever leads, or the node that the call names. */
  readonly at: 'leader' | 'node'
  /**
   * Doing it twice does no more than doing it once. It is sent again where it may have been lost, and
   * to a new leader; any other call is then of unknown outcome.
   */
  readonly isRepeatable: boolean
  /**
   * `parameters` is whatever JSON the caller gave, or a peer of another version: it checks them. The
   * result becomes JSON too. May reject: that is a problem `INTERNAL` and a line in the log.
   */
  run(parameters: unknown, call: RunningCall): Promise<OperationResult> | OperationResult
}

export interface RunningCall {
  /** In monotonic ms of this node: nobody waits for an answer any longer. */
  readonly deadlineMs: number
  /** The node that asks. */
  readonly from: RaftId
}

/** `notLeader`: certainly not done here, and to be asked of whoever leads by now. */
export type OperationResult =
  { readonly result: object } | { readonly problem: AdminProblem } | 'notLeader'

export type CallAnswer = Exclude<OperationResult, 'notLeader'>
