import { assert } from '#cluster'
import type { Verdict } from './verdict.ts'

/** Verdicts in memory: all that no cut has yet, and the newest of the others. */
export class Verdicts {
  readonly #maxClean: number
  /** In ascending order of their numbers. */
  readonly #hot = new Map<number, Verdict>()
  #fresh: Verdict[] = []
  /** Verdicts up to here are in a completed cut. */
  #written = 0

  constructor(maxClean: number) {
    this.#maxClean = maxClean
  }

  get(number: number): Verdict | undefined {
    return this.#hot.get(number)
  }

  add(verdict: Verdict): void {
    assert(verdict.number > this.#written, 'a verdict number is given twice')
    this.#hot.set(verdict.number, verdict)
    this.#fresh.push(verdict)
  }

  takeFresh(): readonly Verdict[] {
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }

  written(number: number): void {
    this.#written = number
  }

  /** Call between entries only. */
  evict(): void {
    for (const number of this.#hot.keys()) {
      if (this.#hot.size <= this.#maxClean || number > this.#written) return
      this.#hot.delete(number)
    }
  }
}
