import type { Clock, Random, Timer } from '#cluster'
import type { Prng } from '../prng.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimScheduler } from './sim-scheduler.ts'

/** The wall clock of a machine: set by hand or by a bad time server, it may say anything. */
export interface WallClock {
  /** What it says beyond simulated time, in ms. */
  offsetMs: number
}

/** What is wrong with the timers of a machine for a while. */
export interface ClockFaults {
  /** Of the clock's own rate. */
  rate: number
  /** Added to how late timers are at most, in ms. */
  latenessMs: number
}

export interface ClockOptions {
  /** Seconds of this process per simulated second. */
  readonly rate: number
  /** Timers are late by up to this, in ms. */
  readonly latenessMs: number
  /** Work takes no simulated time, but each look at the clock within it up to this, in ms. */
  readonly lookMs: number
}

const EPOCH_MS = Date.UTC(2026, 0, 1)
/** Share of turns of an event loop that keep the next one waiting, and for how long at most, in ms. */
const BUSY_SHARE = 0.1
const BUSY_MS = 0.5

/** The clock port of one process: monotonic from its start, perhaps too fast or too slow. */
export class SimClock implements Clock {
  readonly #scheduler: SimScheduler
  readonly #process: SimProcess
  readonly #prng: Prng
  readonly #wall: WallClock
  readonly #options: ClockOptions
  readonly #faults: Readonly<ClockFaults>
  #startMs: number
  #rate: number
  #baseMs: number
  #deferred: (() => void)[] = []
  #lookedIn = -1
  #spentMs = 0
  #shownMs = 0

  constructor(parts: {
    scheduler: SimScheduler
    process: SimProcess
    prng: Prng
    wall: WallClock
    faults?: Readonly<ClockFaults>
    options: ClockOptions
  }) {
    this.#scheduler = parts.scheduler
    this.#process = parts.process
    this.#prng = parts.prng
    this.#wall = parts.wall
    this.#options = parts.options
    this.#faults = parts.faults ?? { rate: 1, latenessMs: 0 }
    this.#rate = this.#options.rate * this.#faults.rate
    this.#startMs = parts.scheduler.nowMs
    this.#baseMs = parts.prng.between(1, 1e6)
  }

  wallMs(): number {
    return Math.floor(EPOCH_MS + this.#scheduler.nowMs + this.#wall.offsetMs)
  }

  monotonicMs(): number {
    const { lookMs } = this.#options
    const now = this.#baseMs + (this.#scheduler.nowMs - this.#startMs) * this.#rate
    if (lookMs === 0) return now
    if (this.#lookedIn !== this.#scheduler.events) {
      this.#lookedIn = this.#scheduler.events
      this.#spentMs = 0
    }
    this.#spentMs += this.#prng.float() * lookMs
    this.#shownMs = Math.max(this.#shownMs, now + this.#spentMs)
    return this.#shownMs
  }

  after(delayMs: number, run: () => void): Timer {
    const late = this.#prng.float() * (this.#options.latenessMs + this.#faults.latenessMs)
    const waitMs = Math.max(0, delayMs) / this.#rate + late
    const event = this.#scheduler.after(waitMs, this.#process, run)
    return { cancel: () => void (event.run = null) }
  }

  /** To be called once its rate changed: it goes on from what it says now. */
  rebase(): void {
    this.#baseMs += (this.#scheduler.nowMs - this.#startMs) * this.#rate
    this.#startMs = this.#scheduler.nowMs
    this.#rate = this.#options.rate * this.#faults.rate
  }

  /** All that was deferred since the last turn runs in the next one, in its order. */
  defer(run: () => void): void {
    this.#deferred.push(run)
    if (this.#deferred.length > 1) return
    if (this.#prng.chance(BUSY_SHARE)) {
      this.#scheduler.after(this.#prng.float() * BUSY_MS, this.#process, this.#turn)
    } else this.#scheduler.soon(this.#process, this.#turn)
  }

  readonly #turn = (): void => {
    const deferred = this.#deferred
    this.#deferred = []
    const [first, ...others] = deferred
    // Promises settle between two of them.
    for (const run of others) this.#scheduler.soon(this.#process, run)
    first!()
  }
}

/** The random port of one process. */
export function simRandom(prng: Prng): Random {
  return { uint32: () => prng.uint32(), bytes: (length) => prng.bytes(length) }
}
