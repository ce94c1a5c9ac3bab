import type { Clock, Timer } from '#cluster'
import type { Session } from './session.ts'

const BUCKET_MS = 1_000

/**
 * Ends sessions whose tokens are out of date, within a second. One timer for all of them: they stand
 * in buckets of a second, and the wall clock is read each time, as it may have been set meanwhile.
 */
export class SessionExpiries {
  readonly #clock: Clock
  readonly #expired: (session: Session) => void
  readonly #buckets = new Map<number, Set<Session>>()
  #timer: Timer | null = null

  constructor(clock: Clock, expired: (session: Session) => void) {
    this.#clock = clock
    this.#expired = expired
  }

  add(session: Session): void {
    const bucket = bucketOf(session)
    if (bucket === null) return
    const sessions = this.#buckets.get(bucket) ?? new Set()
    sessions.add(session)
    this.#buckets.set(bucket, sessions)
    this.#arm()
  }

  remove(session: Session): void {
    const bucket = bucketOf(session)
    const sessions = bucket === null ? undefined : this.#buckets.get(bucket)
    if (sessions === undefined) return
    sessions.delete(session)
    if (sessions.size === 0) this.#buckets.delete(bucket!)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#buckets.clear()
  }

  #arm(): void {
    if (this.#timer !== null || this.#buckets.size === 0) return
    this.#timer = this.#clock.after(BUCKET_MS, () => {
      this.#timer = null
      const now = Math.floor(this.#clock.wallMs() / BUCKET_MS)
      for (const [bucket, sessions] of [...this.#buckets]) {
        if (bucket >= now) continue
        for (const session of [...sessions]) this.#expired(session)
      }
      this.#arm()
    })
  }
}

function bucketOf({ identity }: Session): number | null {
  const expiresAt = identity?.expiresAt ?? null
  return expiresAt === null ? null : Math.floor(expiresAt / BUCKET_MS)
}
