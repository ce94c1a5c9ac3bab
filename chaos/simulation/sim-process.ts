import type { SimEvent } from './event-heap.ts'
import type { EventOwner } from './event-heap.ts'
import type { SimScheduler } from './sim-scheduler.ts'

/** Thrown into code whose process was just killed under it: it never gets further. */
export class ProcessDeath extends Error {
  override readonly name = 'ProcessDeath'
}

/**
 * One life of a node: from its start until it is killed, loses power or dies of an error. Everything
 * that its ports promised to do later dies with it.
 */
export class SimProcess implements EventOwner {
  readonly number: number
  readonly host: string
  readonly #scheduler: SimScheduler
  readonly #onFault: (error: Error) => void
  #isAlive = true
  #isPaused = false
  #held: SimEvent[] = []
  #stepsLeft = 0
  #onLastStep: () => void = () => {}

  constructor(
    scheduler: SimScheduler,
    options: { number: number; host: string; onFault: (error: Error) => void },
  ) {
    this.#scheduler = scheduler
    this.number = options.number
    this.host = options.host
    this.#onFault = options.onFault
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  hold(event: SimEvent): void {
    this.#held.push(event)
  }

  fault(error: Error): void {
    if (error instanceof ProcessDeath) return
    this.#onFault(error)
  }

  die(): void {
    this.#isAlive = false
    this.#held = []
  }

  pause(): void {
    this.#isPaused = true
  }

  /** Dies `steps` steps from now: events, and what it gives to a disk or a connection. */
  dieAfter(steps: number, die: () => void): void {
    this.#stepsLeft = steps
    this.#onLastStep = die
  }

  /** Says whether it lives on to take it. */
  takesStep(): boolean {
    if (this.#stepsLeft > 0 && --this.#stepsLeft === 0 && this.#isAlive) this.#onLastStep()
    return this.#isAlive
  }

  /** What came due meanwhile runs now, in its order; says how much that is. */
  resume(): number {
    if (!this.#isPaused) return 0
    this.#isPaused = false
    const held = this.#held
    this.#held = []
    for (const event of held) this.#scheduler.release(event)
    return held.length
  }
}
