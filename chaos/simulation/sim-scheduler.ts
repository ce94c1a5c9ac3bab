import { EventHeap, type EventOwner, type SimEvent } from './event-heap.ts'

/** After so many events the real event loop gets a turn. */
const BURST = 2_000

/**
 * Virtual time: a queue of events, run one after the other in the order of their time and then of
 * their making. After each event every promise that it settled runs to its end, so the next event
 * finds the program at rest: nothing depends on real time.
 */
export class SimScheduler {
  readonly #heap = new EventHeap()
  #nowMs = 0
  #order = 0
  #events = 0
  #hash = 0x811c9dc5
  #running = false
  /** The process whose event runs now. */
  current: EventOwner | null = null
  /** Called after each event and all that it set off. A throw ends the run. */
  afterEvent: (owner: EventOwner | null) => void = () => {}

  get nowMs(): number {
    return this.#nowMs
  }

  /** Events run so far. */
  get events(): number {
    return this.#events
  }

  /** Over the time and owner of every event run and over all that `mark` was given. */
  get traceHash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** Puts a number into the trace hash. */
  mark(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193)
    this.#hash ^= this.#hash >>> 15
  }

  after(delayMs: number, owner: EventOwner | null, run: () => void): SimEvent {
    const event = { timeMs: this.#nowMs + delayMs, order: ++this.#order, owner, run }
    this.#heap.push(event)
    return event
  }

  /** Runs again, now, an event that was held. */
  release(event: SimEvent): void {
    event.timeMs = this.#nowMs
    event.order = ++this.#order
    this.#heap.push(event)
  }

  /**
   * Runs events until `untilMs`, or until `stop` says so. Rejects with what `afterEvent` threw or
   * an event without an owner.
   */
  run(untilMs: number, stop: () => boolean = () => false): Promise<void> {
    if (this.#running) throw new Error('the simulation runs already')
    this.#running = true
    return new Promise<void>((resolve, reject) => {
      let budget = BURST
      let pending: EventOwner | null | undefined
      const step = () => {
        try {
          if (pending !== undefined) this.afterEvent(pending)
          pending = undefined
          this.current = null
          const next = this.#heap.peek()
          if (stop() || next === undefined || next.timeMs > untilMs) {
            if (next === undefined || next.timeMs > untilMs) {
              this.#nowMs = Math.max(this.#nowMs, untilMs)
            }
            this.#running = false
            resolve()
            return
          }
          this.#heap.pop()
          if (this.#perform(next)) pending = next.owner
        } catch (error) {
          this.#running = false
          reject(error as Error)
          return
        }
        budget -= 1
        if (budget > 0) queueMicrotask(again)
        else {
          budget = BURST
          setImmediate(step)
        }
      }
      // A tick runs only when no promise has anything left to do.
      const again = () => process.nextTick(step)
      step()
    })
  }

  #perform(event: SimEvent): boolean {
    const { owner, run } = event
    if (run === null || (owner !== null && !owner.isAlive)) return false
    if (owner?.isPaused === true) {
      owner.hold(event)
      return false
    }
    this.#nowMs = Math.max(this.#nowMs, event.timeMs)
    this.#events += 1
    this.mark((this.#nowMs * 1_000) | 0)
    this.mark(owner?.number ?? 0)
    this.current = owner
    event.run = null
    if (owner === null) run()
    else {
      try {
        run()
      } catch (error) {
        owner.fault(error as Error)
      }
    }
    return true
  }
}
