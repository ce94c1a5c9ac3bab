/** How far the hand moves per sweep: eviction never takes long at once. */
const STEPS_PER_SWEEP = 2_048

/**
 * The clock algorithm (Corbató, 1968) over what memory holds: an object that was looked at since the
 * hand last passed gets another round.
 */
export class ClockHand<T extends { used: boolean }> {
  readonly #objects: ReadonlyMap<string, T>
  #hand: Iterator<T> | null = null

  constructor(objects: ReadonlyMap<string, T>) {
    this.#objects = objects
  }

  /**
   * Goes on while `isFull`, a bounded number of steps; `letGo` removes what it may, or does nothing.
   * What twice around did not let go of must stay: a third time would find the same.
   */
  sweep(isFull: () => boolean, letGo: (object: T) => void): void {
    const most = Math.min(STEPS_PER_SWEEP, 2 * (this.#objects.size + 1))
    for (let steps = 0; steps < most && isFull(); steps += 1) {
      this.#hand ??= this.#objects.values()
      const { value: object, done } = this.#hand.next()
      if (done === true) this.#hand = null
      else if (object.used) object.used = false
      else letGo(object)
    }
  }
}
