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
    // In the history that a backup brought back numbers below those of the one before come anew.
    const isSameHistory = last?.epoch === place.epoch && last.conv === place.conv
    if (isSameHistory && last.seq >= place.seq) return null
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

  /** Those that were still there: a later one may have taken a slot since. */
  drop(places: readonly StoredPlace[]): readonly StoredPlace[] {
    const kept = places.filter(({ slot, number }) => this.#places.get(slot)?.number === number)
    for (const { slot } of kept) this.#places.delete(slot)
    return kept
  }
}

const MAX_PLACES = 1000
