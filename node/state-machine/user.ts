/**
 * The `user` side of apply (rule A10): which conversations a user is or was a member of. It is told
 * of a join and adds it idempotently, without reading anything, so that a message in a log may one
 * day stand between the two sides.
 */
export class UserMemberships {
  #fresh = new Map<string, Set<string>>()
  #frozen: Map<string, Set<string>> | null = null

  joined(user: string, conversation: string): void {
    const joined = this.#fresh.get(user)
    if (joined === undefined) this.#fresh.set(user, new Set([conversation]))
    else joined.add(conversation)
  }

  /** Joins that the store may not show yet. */
  unwritten(user: string): string[] {
    return [...(this.#frozen?.get(user) ?? []), ...(this.#fresh.get(user) ?? [])]
  }

  freeze(): ReadonlyMap<string, ReadonlySet<string>> {
    this.#frozen = this.#fresh
    this.#fresh = new Map()
    return this.#frozen
  }

  completed(): void {
    this.#frozen = null
  }
}
