import type { WireError } from '#protocol'
import type { WriteResult } from '../../state-machine/types.ts'
import type { Signal } from '../../signals/signal.ts'
import type { Backend, NodeRef, Submission } from '../backend.ts'
import { FakeState } from './fake-state.ts'

export type Outcome = WriteResult | { error: WireError }

/** A node that says what it is told. */
export class FakeBackend implements Backend {
  readonly self: NodeRef = { id: 'n1', url: 'http://127.0.0.1:7401' }
  epoch = 'e1'
  readonly state = new FakeState()
  leaderNode: NodeRef | null = { id: 'n2', url: 'http://127.0.0.1:7402' }
  ready = true
  serving: boolean | undefined = undefined
  reasons: string[] = []
  /** Every submission, in order, with what settles it. */
  readonly submissions: { submission: Submission; done: (outcome: Outcome) => void }[] = []
  /** Answers at once when set. */
  answer: ((submission: Submission) => Outcome) | null = null
  readIndexAnswer: { index: number } | { error: WireError } = { index: 10 }
  readonly #waiting: { index: number; resolve: (reached: boolean) => void }[] = []

  leader(): NodeRef | null {
    return this.leaderNode
  }

  nodes(): readonly NodeRef[] {
    const others = ['n2', 'n3'].map((id, at) => ({ id, url: `http://127.0.0.1:${7402 + at}` }))
    return [this.self, ...others]
  }

  refuges(): readonly NodeRef[] {
    return this.nodes().filter(({ id }) => id !== this.self.id)
  }

  readiness() {
    const { ready, reasons, serving = ready } = this
    return { ready, reasons, serving }
  }

  submit(submission: Submission, done: (outcome: Outcome) => void): void {
    this.submissions.push({ submission, done })
    if (this.answer !== null) done(this.answer(submission))
  }

  readonly published: Signal[] = []

  publish(signal: Signal): void {
    this.published.push(signal)
  }

  waitApplied(index: number): Promise<boolean> {
    if (this.state.appliedIndex >= index) return Promise.resolve(true)
    return new Promise((resolve) => this.#waiting.push({ index, resolve }))
  }

  async readIndex() {
    return this.readIndexAnswer
  }

  /** Applies up to `index` and answers who waited for it. */
  apply(index: number): void {
    this.state.appliedIndex = index
    for (const one of this.#waiting.splice(0)) {
      if (one.index <= index) one.resolve(true)
      else this.#waiting.push(one)
    }
  }

  /** What the time limit of every wait does. */
  giveUp(): void {
    for (const one of this.#waiting.splice(0)) one.resolve(false)
  }
}

export function accepted(submission: Submission, seq = 1): WriteResult {
  const conv = 'conv' in submission && submission.conv ? submission.conv : 'd1'
  const { msgId } = submission
  return { ok: true, conv, msgId, seq, ord: seq, at: 7, inbox: null, duplicate: false, now: 8 }
}
