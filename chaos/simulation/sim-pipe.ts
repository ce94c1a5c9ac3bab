import type { SimEvent } from './event-heap.ts'
import type { SimLink, Waiting } from './sim-link.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimScheduler } from './sim-scheduler.ts'

/** What the kernels on both sides hold before a sender notices, in bytes. */
const WINDOW_BYTES = 256 * 1024

interface Parcel<T> {
  readonly item: T
  readonly bytes: number
  readonly dueMs: number
}

export interface PipeEnd<T> {
  /** The process that reads; `null` once it is gone. */
  reader(): SimProcess | null
  deliver(item: T): void
  /** No more will come: the other side closed, after everything it sent, or reset the connection. */
  ended(wasReset: boolean): void
}

/** One direction of a connection: everything in order and after a delay, or an end. */
export class SimPipe<T> implements Waiting {
  readonly #scheduler: SimScheduler
  readonly #link: SimLink
  readonly #end: PipeEnd<T>
  /** Cuts an item in two, `null` if it cannot be. */
  readonly #split: ((item: T) => readonly [T, T] | null) | null
  readonly #corrupt: ((item: T) => T) | null
  #parcels: Parcel<T>[] = []
  #next = 0
  #inFlightBytes = 0
  #lastDueMs = 0
  #scheduled = false
  #arrival: SimEvent | null = null
  #waits = false
  #lastSentMs = -1
  #closing: { wasReset: boolean } | null = null
  #closed = false

  constructor(parts: {
    scheduler: SimScheduler
    link: SimLink
    end: PipeEnd<T>
    split?: (item: T) => readonly [T, T] | null
    corrupt?: (item: T) => T
  }) {
    this.#scheduler = parts.scheduler
    this.#link = parts.link
    this.#end = parts.end
    this.#split = parts.split ?? null
    this.#corrupt = parts.corrupt ?? null
  }

  /** Bytes that the sender's process still holds. */
  get bufferedBytes(): number {
    return Math.max(0, this.#inFlightBytes - WINDOW_BYTES)
  }

  send(item: T, bytes: number): void {
    if (this.#closed || this.#closing !== null) return
    const { nowMs } = this.#scheduler
    const last = this.#parcels.at(-1)
    // Written in one turn, travelling together.
    const together = last !== undefined && this.#lastSentMs === nowMs && this.#scheduled
    const dueMs = together ? last.dueMs : Math.max(this.#lastDueMs, nowMs + this.#link.transitMs())
    this.#lastSentMs = nowMs
    this.#lastDueMs = dueMs
    this.#parcels.push({ item, bytes, dueMs })
    this.#inFlightBytes += bytes
    this.#schedule()
  }

  /**
   * The sender is gone. A reset loses what is under way from a random byte on; otherwise all of it
   * arrives first. `lost`: the sender's host is down, so nobody will ever say that it is over.
   */
  finish(how: 'closed' | 'reset' | 'lost'): void {
    if (this.#closed || this.#closing !== null) return
    if (how !== 'closed') this.#loseTail()
    if (how === 'lost') {
      this.#closed = true
      return
    }
    this.#closing = { wasReset: how === 'reset' }
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#scheduler.nowMs + this.#link.options.delayMs)
    this.#schedule()
  }

  /** The reader is gone: nothing more is delivered. */
  abandon(): void {
    this.#closed = true
    this.#parcels = []
    this.#next = 0
    this.#link.forget(this)
  }

  resumeAfter(delayMs: number): void {
    this.#waits = false
    this.#scheduled = false
    this.#schedule(delayMs)
  }

  /** The path is good again: nothing is lost any more, and what was lost comes with the next attempt. */
  hurry(): void {
    if (!this.#scheduled || this.#waits) return
    const soonMs = this.#scheduler.nowMs + this.#link.options.delayMs
    for (let at = this.#next; at < this.#parcels.length; at++) {
      const parcel = this.#parcels[at]!
      if (parcel.dueMs > soonMs) this.#parcels[at] = { ...parcel, dueMs: soonMs }
    }
    this.#lastDueMs = Math.min(this.#lastDueMs, soonMs)
    if (this.#arrival !== null) this.#arrival.run = null
    this.#scheduled = false
    this.#schedule()
  }

  /** The reading process died: what arrives from now on finds nobody. */
  readerGone(): void {
    if (this.#waits) return
    this.#scheduled = false
    this.#schedule()
  }

  #loseTail(): void {
    const waiting = this.#parcels.length - this.#next
    if (waiting === 0) return
    const kept = this.#link.below(waiting + 1)
    const cutAt = this.#next + kept
    const torn = this.#parcels[cutAt]
    this.#parcels.length = cutAt
    const halves = torn === undefined ? null : (this.#split?.(torn.item) ?? null)
    if (torn !== undefined && halves !== null) {
      this.#parcels.push({ item: halves[0], bytes: torn.bytes, dueMs: torn.dueMs })
    }
  }

  #schedule(extraMs = 0): void {
    if (this.#scheduled || this.#closed) return
    const next = this.#parcels[this.#next]
    if (next === undefined && this.#closing === null) return
    this.#scheduled = true
    const dueMs = next?.dueMs ?? this.#lastDueMs
    const delayMs = Math.max(0, dueMs - this.#scheduler.nowMs) + extraMs
    this.#arrival = this.#scheduler.after(delayMs, this.#end.reader(), this.#arrive)
  }

  readonly #arrive = (): void => {
    if (this.#closed) return
    if (this.#link.isCut) {
      this.#waits = true
      this.#link.wait(this)
      return
    }
    this.#scheduled = false
    const { nowMs } = this.#scheduler
    if (this.#link.cloggedUntilMs > nowMs) {
      this.#link.heldUp += 1
      this.#schedule(this.#link.cloggedUntilMs - nowMs)
      return
    }
    while (!this.#closed) {
      const parcel = this.#parcels[this.#next]
      if (parcel === undefined || parcel.dueMs > nowMs) break
      if (this.#split !== null && this.#link.chance(this.#link.options.splitShare)) {
        if (this.#deliverHalf(parcel)) break
        continue
      }
      this.#take(parcel)
    }
    if (this.#next > 64 && this.#next * 2 > this.#parcels.length) {
      this.#parcels = this.#parcels.slice(this.#next)
      this.#next = 0
    }
    if (this.#closing !== null && this.#next >= this.#parcels.length && !this.#closed) {
      if (nowMs >= this.#lastDueMs) {
        this.#closed = true
        this.#end.ended(this.#closing.wasReset)
        return
      }
    }
    this.#schedule()
  }

  #take(parcel: Parcel<T>): void {
    this.#next += 1
    this.#inFlightBytes -= parcel.bytes
    this.#scheduler.mark(parcel.bytes)
    const damaged = this.#corrupt !== null && this.#link.corrupts()
    this.#end.deliver(damaged ? this.#corrupt!(parcel.item) : parcel.item)
  }

  /** The first half now, the rest with a later segment. */
  #deliverHalf(parcel: Parcel<T>): boolean {
    const halves = this.#split!(parcel.item)
    if (halves === null) {
      this.#take(parcel)
      return false
    }
    const [first, second] = halves
    const late = { item: second, bytes: parcel.bytes, dueMs: this.#scheduler.nowMs + 0.01 }
    this.#parcels[this.#next] = late
    this.#lastDueMs = Math.max(this.#lastDueMs, late.dueMs)
    this.#end.deliver(first)
    return true
  }
}
