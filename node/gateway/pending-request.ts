import { assert } from '#cluster'
import {
  answerTypeOf,
  type AnswerFrame,
  type FailureFrame,
  type FrameId,
  type RequestFrame,
  type RequestType,
  type WireError,
} from '#protocol'
import { FrameState } from './send-queue.ts'
import type { Session } from './session.ts'

/** Who waits for answers: a session, or one HTTP call. */
export interface Requester {
  readonly user: string
  readonly device: string
  /** Runs `read` when it is its turn; a failure in it is answered `INTERNAL`. */
  read(request: PendingRequest<Requester>, read: () => Promise<void>): void
  /** A write of this msgId is under way: its answer tells of its event. */
  writeStarted(msgId: string): void
  writeSettled(msgId: string): void
  /** It is answered everything of the conversation up to `seq`. */
  pulled(conv: string, seq: number): void
  /** Called by a request once, with its answer. */
  answered(
    request: PendingRequest<Requester>,
    answer: AnswerFrame | FailureFrame,
    state: FrameState,
  ): void
}

/**
 * One request that waits for its one answer. Outlives its session: the answer is then dropped. Does
 * not hold the frame, whose body would keep the whole WebSocket message in memory until then.
 */
export class PendingRequest<From extends Requester = Session> {
  readonly session: From
  readonly type: RequestType
  readonly id: FrameId
  /** Monotonic time at which the frame was read. */
  readonly startedMs: number
  #settled = false

  constructor(session: From, frame: RequestFrame, startedMs: number) {
    this.session = session
    this.type = frame.t
    this.id = frame.id
    this.startedMs = startedMs
  }

  /** An answer was given, or was about to be when something failed. */
  get isSettled(): boolean {
    return this.#settled
  }

  answer(answer: AnswerFrame, state: FrameState = FrameState.shown): void {
    this.#settle()
    this.session.answered(this, answer, state)
  }

  fail(error: WireError): void {
    this.#settle()
    const failure = { t: answerTypeOf(this.type), id: this.id, error }
    this.session.answered(this, failure, FrameState.none)
  }

  #settle(): void {
    assert(!this.#settled, `${this.type} is answered exactly once`)
    this.#settled = true
  }
}
