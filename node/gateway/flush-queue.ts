import type { Clock } from '#cluster'
import type { EncodedMark } from './frame-joiner.ts'
import type { Session } from './session.ts'

/**
 * Sessions with something to write, first come first served. All that is queued for one in a turn
 * leaves in one write; a turn writes to so many sessions and no more, so that a large group's
 * fan-out does not hold up heartbeats and appends.
 */
export class FlushQueue {
  readonly #clock: Clock
  readonly #slice: number
  readonly #currentMark: () => EncodedMark
  #sessions: Session[] = []
  #next = 0
  #deferred = false

  constructor(clock: Clock, slice: number, currentMark: () => EncodedMark) {
    this.#clock = clock
    this.#slice = slice
    this.#currentMark = currentMark
  }

  add(session: Session): void {
    if (session.scheduled) return
    session.scheduled = true
    this.#sessions.push(session)
    this.#defer()
  }

  #defer(): void {
    if (this.#deferred) return
    this.#deferred = true
    this.#clock.defer(this.#run)
  }

  readonly #run = (): void => {
    this.#deferred = false
    const mark = this.#currentMark()
    const end = Math.min(this.#sessions.length, this.#next + this.#slice)
    while (this.#next < end) {
      const session = this.#sessions[this.#next++] as Session
      session.scheduled = false
      session.flush(mark)
    }
    if (this.#next < this.#sessions.length) {
      this.#defer()
      // What was written is dropped from time to time, or a queue that never runs empty would grow.
      if (this.#next >= 4_096) {
        this.#sessions = this.#sessions.slice(this.#next)
        this.#next = 0
      }
    } else {
      this.#sessions.length = 0
      this.#next = 0
    }
  }
}
