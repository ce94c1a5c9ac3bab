import type { StoredPlace } from './store/client-store.ts'

/**
 * The places that the cluster gave own messages, the newest 1,000: after a restore from a backup
 * (rule K8) they tell which of what was reported `sent` is not in the history any more.
 */
export class Acknowledged {
  /** By number modulo the bound, which is where the store has them. */
  readonly #places = new Map<number, StoredPlace>()
  #next = 1

  load(places: readonly StoredPlace[]): void {
    for (const place of places) {
      this.#places.set(place.number % MAX_PLACES, place)
      this.#next = Math.max(this.#next, place.number + 1)
    }
  }

  /** `null` if it is known: an answer and an echo may both tell. */
  add(place: Omit<StoredPlace, 'number' | 'slot'>): StoredPlace | null {
    const number = this.#next
    const last = this.#places.get((number - 1) % MAX_PLACES)
    if (last?.conv === place.conv && last.seq >= place.seq) return null
    this.#next++
    const slot = number % MAX_PLACES
    const stored = { ...place, number, slot }
    this.#places.set(slot, stored)
    return stored
  }

  /** What was acknowledged in another history than this one. */
  before(epoch: string): readonly StoredPlace[] {
    return [...this.#places.values()].filter((place) => place.epoch !== epoch)
  }

  drop(places: readonly StoredPlace[]): void {
    for (const { slot } of places) this.#places.delete(slot)
  }
}

const MAX_PLACES = 1000
