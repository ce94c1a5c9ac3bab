/** One first join; ascending in time. */
export interface Join {
  readonly user: string
  readonly conversation: string
}

/**
 * The `user` side of apply (rule A10): which conversations a user is or was a member of. It is told
 * of each first join and adds it idempotently, without reading anything, so that a message in a log
 * may one day stand between the two sides. Only what no cut holds yet is kept in memory.
 */
export class UserMemberships {
  #fresh: Join[] = []
  #frozen: readonly Join[] = []

  joined(user: string, conversation: string): void {
    this.#fresh.push({ user, conversation })
  }

  /** Joins that the store may not show yet: a walk, as they are few and listing is rare. */
  unwritten(user: string): string[] {
    const found: string[] = []
    for (const joins of [this.#frozen, this.#fresh]) {
      for (const join of joins) if (join.user === user) found.push(join.conversation)
    }
    return found
  }

  freeze(): readonly Join[] {
    this.#frozen = this.#fresh
    this.#fresh = []
    return this.#frozen
  }

  completed(): void {
    this.#frozen = []
  }
}
