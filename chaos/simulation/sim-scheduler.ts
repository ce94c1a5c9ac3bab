import { EventHeap, type EventOwner, type SimEvent } from './event-heap.ts'

/** After so many events the real event loop gets a turn. */
const BURST = 2_000

/** Runs every promise, and what those set off, to the end, before it returns. */
const settlePromises = (process as unknown as { _tickCallback: () => void })._tickCallback

/**
 * Virtual time: a queue of events, run one after the other in the order of their time and then of
 * their making. After each event every promise that it settled runs to its end, so the next event
 * finds the program at rest: nothing depends on real time.
 */
export class SimScheduler {
  readonly #heap = new EventHeap()
  /** Due now, before anything of the heap; from `#nextSoon` on. */
  #soon: SimEvent[] = []
  #nextSoon = 0
  #nowMs = 0
  #order = 0
  #events = 0
  #hash = 0x811c9dc5
  #running = false
  /** Whose event runs, with all that it sets off. */
  owner: EventOwner | null = null
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

  /** Right after the events under way, at the same time. */
  soon(owner: EventOwner | null, run: () => void): void {
    this.#soon.push({ timeMs: this.#nowMs, order: 0, owner, run })
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
      // On a stack of its own: promises settle only where none is being settled.
      const burst = () => {
        try {
          for (let budget = BURST; budget > 0; budget--) {
            if (stop() || !this.#next(untilMs)) {
              this.#running = false
              resolve()
              return
            }
          }
          setImmediate(burst)
        } catch (error) {
          this.#running = false
          reject(error as Error)
        }
      }
      setImmediate(burst)
    })
  }

  /** Performs the next event, if there is one until then. */
  #next(untilMs: number): boolean {
    const event = this.#take(untilMs)
    if (event === null) {
      this.#nowMs = Math.max(this.#nowMs, untilMs)
      return false
    }
    if (!this.#perform(event)) return true
    settlePromises()
    this.afterEvent(event.owner)
    return true
  }

  #take(untilMs: number): SimEvent | null {
    if (this.#nextSoon < this.#soon.length) {
      const event = this.#soon[this.#nextSoon++]!
      if (this.#nextSoon === this.#soon.length) {
        this.#soon.length = 0
        this.#nextSoon = 0
      }
      return event
    }
    for (;;) {
      const event = this.#heap.peek()
      if (event === undefined || event.timeMs > untilMs) return null
      this.#heap.pop()
      if (event.run !== null) return event
    }
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
    event.run = null
    this.owner = owner
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
