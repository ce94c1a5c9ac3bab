import type { Clock, Random, Timer } from '#cluster'
import type { PushCall, PushOutcome, PushProvider } from './push-provider.ts'

/** Calls under way and waiting for their turn; one more is not taken. */
export const MAX_CALLS = 10_000
const AT_ONE_TIME = 32
const TIMEOUT_MS = 10_000
/** Before the second call, the third, …: with the jitter, five and a half minutes in all. */
export const RETRY_MS = [1_000, 4_000, 16_000, 64_000, 240_000] as const
const JITTER = 0.2
const MOST_WAIT_MS = 600_000

export interface CallQueueHost {
  readonly clock: Clock
  readonly random: Random
  /** Asked before each try: `false`, and the call is forgotten. */
  mayCall(call: PushCall): boolean
  /** Exactly once for each call that was tried to its end. */
  ended(call: PushCall, outcome: PushOutcome): void
}

interface Waiting {
  readonly call: PushCall
  readonly provider: PushProvider
  tries: number
  dueMs: number
  isRunning: boolean
}

/** Carries calls out: a few at a time, failed ones again after a while, each key once. */
export class CallQueue {
  readonly #host: CallQueueHost
  readonly #byKey = new Map<string, Waiting>()
  #running = 0
  #timer: Timer | null = null

  constructor(host: CallQueueHost) {
    this.#host = host
  }

  get size(): number {
    return this.#byKey.size
  }

  /** `false`: there is no room. A call that is here already is not doubled. */
  add(call: PushCall, provider: PushProvider): boolean {
    if (this.#byKey.has(call.key)) return true
    if (this.#byKey.size >= MAX_CALLS) return false
    this.#byKey.set(call.key, { call, provider, tries: 0, dueMs: 0, isRunning: false })
    this.#look()
    return true
  }

  has(key: string): boolean {
    return this.#byKey.has(key)
  }

  /** The call need not be made any more; one under way still ends and is told. */
  drop(key: string): void {
    if (this.#byKey.get(key)?.isRunning === false) this.#byKey.delete(key)
  }

  /** What is under way still ends and is told. */
  clear(): void {
    for (const [key, { isRunning }] of this.#byKey) if (!isRunning) this.#byKey.delete(key)
    this.#timer?.cancel()
    this.#timer = null
  }

  #look(): void {
    this.#timer?.cancel()
    this.#timer = null
    const now = this.#host.clock.monotonicMs()
    let nextMs = Number.POSITIVE_INFINITY
    for (const waiting of this.#byKey.values()) {
      if (waiting.isRunning) continue
      if (this.#running >= AT_ONE_TIME) return
      if (waiting.dueMs <= now) this.#start(waiting)
      else nextMs = Math.min(nextMs, waiting.dueMs)
    }
    if (nextMs === Number.POSITIVE_INFINITY) return
    this.#timer = this.#host.clock.after(nextMs - now, () => this.#look())
  }

  #start(waiting: Waiting): void {
    const { call, provider } = waiting
    if (!this.#host.mayCall(call)) {
      this.#byKey.delete(call.key)
      return
    }
    waiting.isRunning = true
    waiting.tries += 1
    this.#running += 1
    provider
      .call(call, TIMEOUT_MS)
      .catch((error: Error): PushOutcome => ({ is: 'failed', why: error.message, retryAfterMs: 0 }))
      .then((outcome) => {
        this.#running -= 1
        waiting.isRunning = false
        this.#took(waiting, outcome)
        this.#look()
      })
      .catch(() => {})
  }

  #took(waiting: Waiting, outcome: PushOutcome): void {
    const { call, tries } = waiting
    const backoffMs = RETRY_MS[tries - 1]
    if (outcome.is === 'failed' && backoffMs !== undefined) {
      const jitter = 1 + JITTER * (this.#host.random.uint32() / 0x8000_0000 - 1)
      const waitMs = Math.min(MOST_WAIT_MS, Math.max(backoffMs * jitter, outcome.retryAfterMs))
      waiting.dueMs = this.#host.clock.monotonicMs() + waitMs
      return
    }
    this.#byKey.delete(call.key)
    this.#host.ended(call, outcome)
  }
}
