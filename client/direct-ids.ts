/** Which conversation is the direct one with whom, as far as it came up. */
export class DirectIds {
  readonly #ids = new Map<string, string>()
  readonly #users = new Map<string, string>()

  learn(user: string, conversation: string): void {
    if (this.#ids.get(user) === conversation) return
    if (this.#ids.size >= MAX_KNOWN) {
      // Forgetting costs one question to the cluster, no more.
      this.#ids.clear()
      this.#users.clear()
    }
    this.#ids.set(user, conversation)
    this.#users.set(conversation, user)
  }

  idOf(user: string): string | null {
    return this.#ids.get(user) ?? null
  }

  userOf(conversation: string): string | null {
    return this.#users.get(conversation) ?? null
  }
}

const MAX_KNOWN = 10_000
