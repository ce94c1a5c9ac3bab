import { assert, type Clock, type Logger, type Timer } from '#cluster'

export type ModerationVerdict = 'accept' | 'refuse'

/** The port to whoever judges what is written. */
export interface ModerationHook {
  /**
   * Asks about one write, as JSON text. Rejects if there is no verdict; one that comes after
   * `timeoutMs` is not heard.
   */
  judge(write: string, timeoutMs: number): Promise<ModerationVerdict>
}

export interface ModerationOptions {
  /** From when the write came to when it goes on. @default 1,000 */
  readonly timeoutMs?: number
  /** Without a verdict: `open` lets the write through, `closed` does not. @default 'closed' */
  readonly onFailure?: 'open' | 'closed'
  /** Questions under way at one time; the others wait for their turn. @default 64 */
  readonly maxConcurrent?: number
}

interface Question {
  readonly write: string
  /** Called once. */
  readonly done: (verdict: ModerationVerdict | 'fail') => void
  timer: Timer | null
}

/** One complaint about a hook that fails is enough for a while. */
const COMPLAIN_AGAIN_MS = 60_000

/** Asks the hook about writes, a bounded number at once, each within its time (rules FI2, FI3). */
export class Moderation {
  readonly onFailure: 'open' | 'closed'
  readonly #hook: ModerationHook
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timeoutMs: number
  readonly #maxConcurrent: number
  /** Not asked yet, in the order in which they came. */
  readonly #waiting = new Set<Question>()
  #asked = 0
  #complainedMs = -Infinity

  constructor(hook: ModerationHook, options: ModerationOptions, clock: Clock, logger: Logger) {
    this.onFailure = options.onFailure ?? 'closed'
    this.#hook = hook
    this.#clock = clock
    this.#logger = logger
    this.#timeoutMs = options.timeoutMs ?? 1_000
    this.#maxConcurrent = options.maxConcurrent ?? 64
  }

  ask(write: string, done: Question['done']): void {
    const question: Question = { write, done, timer: null }
    question.timer = this.#clock.after(this.#timeoutMs, () => {
      question.timer = null
      this.#waiting.delete(question)
      this.#settle(question, 'fail', new Error(`no verdict within ${this.#timeoutMs} ms`))
    })
    this.#waiting.add(question)
    this.#next()
  }

  #next(): void {
    for (const question of this.#waiting) {
      if (this.#asked >= this.#maxConcurrent) return
      this.#waiting.delete(question)
      this.#asked += 1
      this.#hook
        .judge(question.write, this.#timeoutMs)
        .then(
          (verdict) => this.#answered(question, verdict),
          (error: unknown) => this.#answered(question, 'fail', error),
        )
        .catch((error: unknown) => this.#logger.error('moderation.failed', { error }))
    }
  }

  #answered(question: Question, verdict: ModerationVerdict | 'fail', error?: unknown): void {
    this.#asked -= 1
    assert(this.#asked >= 0, 'more verdicts than questions')
    // It was given up: its write has gone on already.
    if (question.timer !== null) {
      question.timer.cancel()
      question.timer = null
      this.#settle(question, verdict, error)
    }
    this.#next()
  }

  #settle(question: Question, verdict: ModerationVerdict | 'fail', error?: unknown): void {
    if (verdict === 'fail') this.#complain(error)
    question.done(verdict)
  }

  #complain(error: unknown): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#complainedMs < COMPLAIN_AGAIN_MS) return
    this.#complainedMs = nowMs
    this.#logger.warn('moderation.unavailable', { error, writes: this.onFailure })
  }
}
