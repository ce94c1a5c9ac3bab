import { TokenBucket } from './token-bucket.ts'

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/**
 * A token bucket for each name, for a bounded number of names: who has not asked for longest is
 * forgotten, and has a full one again.
 */
export class KeyedBuckets {
  readonly #maxKeys: number
  /** In the order of their last use. */
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  of(key: string, { perSecond, burst }: Rate, nowMs: number): TokenBucket {
    let bucket = this.#buckets.get(key)
    // The rate may be another one since.
    if (bucket?.isOf(perSecond, burst) !== true) bucket = new TokenBucket(perSecond, nowMs, burst)
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > this.#maxKeys) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest)
        break
      }
    }
    return bucket
  }
}
