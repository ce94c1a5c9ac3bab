import type { Clock } from '#cluster'
import { type WireError, wireError } from '#protocol'
import { KeyedBuckets, type Rate } from '../gateway/keyed-buckets.ts'

/** Writes per second on average, and at once. */
export interface RateLimits {
  readonly user: Rate
  /** Of one device of a user. */
  readonly device: Rate
}

export const DEFAULT_RATE_LIMITS: RateLimits = {
  user: { perSecond: 200, burst: 2_000 },
  device: { perSecond: 100, burst: 1_000 },
}

/** Users and devices that are counted. */
const MAX_BUCKETS = 100_000

/** How often users and their devices may write, by this node's own clock (rule FI1). */
export class RateLimiter {
  readonly #clock: Clock
  readonly #limits: RateLimits
  readonly #buckets = new KeyedBuckets(MAX_BUCKETS)

  constructor(limits: RateLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  /** `null`: there is room, and it is used. */
  refusal(user: string, device: string): WireError | null {
    const nowMs = this.#clock.monotonicMs()
    // No space is in either name, so that no two pairs share a bucket.
    const ofDevice = this.#buckets.of(`${user} ${device}`, this.#limits.device, nowMs)
    const ofUser = this.#buckets.of(user, this.#limits.user, nowMs)
    const waitMs = Math.max(ofDevice.waitMs(nowMs), ofUser.waitMs(nowMs))
    if (waitMs === 0) {
      ofDevice.take(nowMs)
      ofUser.take(nowMs)
      return null
    }
    const message = 'You write too fast; send the same again later.'
    return wireError('RATE_LIMITED', message, { retryAfterMs: waitMs })
  }
}
