import { KeyedQueue } from '../signals/keyed-queue.ts'
import { TokenBucket } from './token-bucket.ts'

/** Signals of one session whose check is under way. */
const MAX_WAITING = 10_000

/** What a session needs to send signals; most never do, so most never make it. */
export class SessionSignals {
  /** When the first was sent, by log time and by the wall clock, ms: `n` counts from then on. */
  readonly startedAt: { readonly logTime: number; readonly wallMs: number }
  readonly #bucket: TokenBucket
  readonly #checks: KeyedQueue

  constructor(
    startedAt: SessionSignals['startedAt'],
    perSecond: number,
    nowMs: number,
    onError: (error: unknown) => void,
  ) {
    this.startedAt = startedAt
    this.#bucket = new TokenBucket(perSecond, nowMs)
    this.#checks = new KeyedQueue(MAX_WAITING, onError)
  }

  /** 0: one may be sent, and counts. */
  waitMs(nowMs: number): number {
    const wait = this.#bucket.waitMs(nowMs)
    if (wait === 0) this.#bucket.take(nowMs)
    return wait
  }

  /** `false`: too many wait already. */
  inOrder(check: () => Promise<void>): boolean {
    return this.#checks.add('', check)
  }
}
