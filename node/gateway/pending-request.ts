import { assert } from '#cluster'
import { answerTypeOf, type AnswerFrame, type RequestFrame, type WireError } from '#protocol'
import { FrameState } from './send-queue.ts'
import type { Session } from './session.ts'

/** One request that waits for its one answer. Outlives its session: the answer is then dropped. */
export class PendingRequest<F extends RequestFrame = RequestFrame> {
  readonly session: Session
  readonly frame: F
  readonly startedMs: number
  #settled = false

  constructor(session: Session, frame: F, startedMs: number) {
    this.session = session
    this.frame = frame
    this.startedMs = startedMs
  }

  answer(answer: AnswerFrame, state: FrameState = FrameState.shown): void {
    this.#settle()
    this.session.answered(this, answer, state)
  }

  fail(error: WireError): void {
    this.#settle()
    this.session.answered(
      this,
      { t: answerTypeOf(this.frame.t), id: this.frame.id, error },
      FrameState.none,
    )
  }

  #settle(): void {
    assert(!this.#settled, `${this.frame.t} is answered exactly once`)
    this.#settled = true
  }
}
