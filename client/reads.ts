import { backoffMs } from './backoff.ts'
import { ChatError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import type { Timer } from './ports.ts'
import { isFailure, type AnswerFrame } from './protocol/frames.ts'
import type { Requests, WithoutId } from './requests.ts'

/** What reads need from the client around them. */
export interface ReadsOwner extends Requests {
  onActivity(): void
}

interface Read {
  readonly frame: () => WithoutId
  readonly resolve: (answer: AnswerFrame) => void
  readonly reject: (error: ChatError) => void
  deadline: Timer | null
  /** Runs while it waits: for an answer, or to be sent again. */
  timer: Timer | null
  /** Counts sends, so that the answer to an earlier one is recognised. */
  sends: number
  failures: number
}

/**
 * Requests that change nothing and may therefore be asked again as often as it takes: on the next
 * session if this one ends, later if the node cannot answer now.
 */
export class Reads {
  readonly #options: ResolvedOptions
  readonly #owner: ReadsOwner
  readonly #pending = new Set<Read>()
  /** Of those, how many the application asked for. */
  #asked = 0

  constructor(options: ResolvedOptions, owner: ReadsOwner) {
    this.#options = options
    this.#owner = owner
  }

  get size(): number {
    return this.#pending.size
  }

  /**
   * @param frame made anew each time it is sent, if it is a function.
   * @param timeoutMs for what the application asks; `null` waits for as long as the client lives, for
   *   the client's own reads: there are a few for each stream, and none may fail for others' sake.
   * @throws ChatError with the node's final refusal, `TIMEOUT`, `CLOSED`, or `OVERLOADED` while
   *   1,000 others that the application asked for wait.
   */
  read(frame: WithoutId | (() => WithoutId), timeoutMs: number | null): Promise<AnswerFrame> {
    if (timeoutMs !== null && this.#asked >= MAX_ASKED) {
      return Promise.reject(new ChatError('OVERLOADED', `${MAX_ASKED} reads wait already`))
    }
    return new Promise((resolve, reject) => {
      const read: Read = {
        frame: typeof frame === 'function' ? frame : () => frame,
        resolve,
        reject,
        deadline: null,
        timer: null,
        sends: 0,
        failures: 0,
      }
      if (timeoutMs !== null) {
        this.#asked += 1
        read.deadline = this.#options.ports.clock.after(timeoutMs, () => {
          this.#finish(read)
          reject(new ChatError('TIMEOUT', `no answer within ${timeoutMs} ms`))
        })
      }
      this.#pending.add(read)
      if (this.#pending.size === 1) this.#owner.onActivity()
      this.#send(read)
    })
  }

  online(): void {
    for (const read of this.#pending) this.#send(read)
  }

  offline(): void {
    for (const read of this.#pending) {
      read.timer?.cancel()
      read.timer = null
    }
  }

  close(error: ChatError): void {
    for (const read of [...this.#pending]) {
      this.#finish(read)
      read.reject(error)
    }
  }

  #send(read: Read): void {
    if (!this.#owner.isOnline()) return
    const send = ++read.sends
    this.#wait(read, UNANSWERED_MS)
    this.#owner.request(read.frame(), (answer) => {
      if (send !== read.sends || !this.#pending.has(read)) return
      if (!isFailure(answer)) {
        this.#finish(read)
        read.resolve(answer as AnswerFrame)
      } else if (answer.error.retryable) {
        const { retryAfterMs } = answer.error
        this.#wait(
          read,
          retryAfterMs ?? backoffMs(read.failures++, RETRY, this.#options.ports.random),
        )
      } else {
        this.#finish(read)
        read.reject(ChatError.fromWire(answer.error))
      }
    })
  }

  #wait(read: Read, delayMs: number): void {
    read.timer?.cancel()
    read.timer = this.#options.ports.clock.after(delayMs, () => {
      read.timer = null
      this.#send(read)
    })
  }

  #finish(read: Read): void {
    read.deadline?.cancel()
    read.timer?.cancel()
    read.timer = null
    if (!this.#pending.delete(read)) return
    if (read.deadline !== null) this.#asked -= 1
    if (this.#pending.size === 0) this.#owner.onActivity()
  }
}

const MAX_ASKED = 1000
/** A node that is alive answers a read well within this time. */
const UNANSWERED_MS = 10_000
const RETRY = {
  initialDelayMs: 100,
  multiplier: 2,
  maxDelayMs: 5000,
  maxRetries: Infinity,
  jitter: 0.3,
}
