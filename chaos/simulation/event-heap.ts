/** Whose event it is: what happens to it when its process is dead, or stopped for a while. */
export interface EventOwner {
  /** Stands in the trace hash. */
  readonly number: number
  readonly isAlive: boolean
  readonly isPaused: boolean
  /** Takes an event that came due while paused, to be run after. */
  hold(event: SimEvent): void
  /** An event of it threw: as an uncaught error ends a process. */
  fault(error: Error): void
}

export interface SimEvent {
  timeMs: number
  /** Breaks ties: earlier made, earlier run. */
  order: number
  readonly owner: EventOwner | null
  /** `null` once it ran or was cancelled. */
  run: (() => void) | null
}

/** The earliest event first. */
export class EventHeap {
  readonly #events: SimEvent[] = []

  peek(): SimEvent | undefined {
    return this.#events[0]
  }

  push(event: SimEvent): void {
    const events = this.#events
    let at = events.length
    events.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const other = events[parent]!
      if (!isBefore(event, other)) break
      events[at] = other
      at = parent
    }
    events[at] = event
  }

  pop(): SimEvent | undefined {
    const events = this.#events
    const top = events[0]
    const last = events.pop()
    if (last === undefined || last === top) return top
    const count = events.length
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= count) break
      if (child + 1 < count && isBefore(events[child + 1]!, events[child]!)) child += 1
      const other = events[child]!
      if (!isBefore(other, last)) break
      events[at] = other
      at = child
    }
    events[at] = last
    return top
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order)
}
