import type { Assignment, StoreDatabase } from '../store/store-database.ts'
import type { SeededRandom, VirtualClock } from './virtual-clock.ts'

/**
 * A database that keeps what `StoreDatabase` promises and no more: of the batches under way at a
 * crash some are there, each whole and none without those before it.
 */
export class CrashDatabase {
  readonly #clock: VirtualClock
  readonly #random: SeededRandom
  readonly pairs = new Map<string, Uint8Array>()
  #underWay: (readonly Assignment[])[] = []
  /** Who opened it last; whoever opened it before is dead. */
  #life = 0
  isOpen = false
  /** A write takes less than this. */
  latencyMs = 5
  /** Batches written so far. */
  writes = 0
  /** Every write fails from now on, after having had its effect or not. */
  fails: 'before' | 'after' | null = null

  constructor(clock: VirtualClock, random: SeededRandom) {
    this.#clock = clock
    this.#random = random
  }

  readonly open = async (): Promise<StoreDatabase> => {
    if (this.isOpen) throw new Error('the database is open already')
    const life = ++this.#life
    this.isOpen = true
    return {
      readAll: async () => [...this.pairs].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      write: (batch) => this.#write(life, batch),
      close: async () => {
        if (life === this.#life) this.isOpen = false
      },
    }
  }

  keys(): string[] {
    return [...this.pairs.keys()].toSorted()
  }

  crash(): void {
    const kept = this.#random.uint32() % (this.#underWay.length + 1)
    for (const batch of this.#underWay.slice(0, kept)) this.#apply(batch)
    this.#underWay = []
    this.#life++
    this.isOpen = false
  }

  #write(life: number, batch: readonly Assignment[]): Promise<void> {
    if (life !== this.#life) return new Promise(() => {})
    this.#underWay.push(batch)
    return new Promise((resolve, reject) => {
      this.#clock.after(this.#random.uint32() % this.latencyMs, () => {
        if (life !== this.#life) return
        this.#underWay.splice(this.#underWay.indexOf(batch), 1)
        if (this.fails !== 'before') this.#apply(batch)
        this.writes++
        if (this.fails === null) resolve()
        else reject(new Error('no space left on device'))
      })
    })
  }

  #apply(batch: readonly Assignment[]): void {
    for (const [key, value] of batch) {
      if (value === null) this.pairs.delete(key)
      else this.pairs.set(key, value)
    }
  }
}
