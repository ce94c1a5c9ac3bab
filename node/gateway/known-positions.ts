/** Conversations of one session that are remembered; beyond that all are forgotten. */
const MAX_CONVERSATIONS = 10_000

/**
 * How far a client said, or was answered, that it has come in its conversations. What was pushed to
 * it does not count: it may never have come. Knowing less only makes an answer name more.
 */
export class KnownPositions {
  #seqs: Map<string, number> | null = null

  /** 0 where nothing is known. */
  of(conv: string): number {
    return this.#seqs?.get(conv) ?? 0
  }

  reached(conv: string, seq: number): void {
    if (seq <= this.of(conv)) return
    this.#seqs ??= new Map()
    if (this.#seqs.size >= MAX_CONVERSATIONS) this.#seqs.clear()
    this.#seqs.set(conv, seq)
  }

  clear(): void {
    this.#seqs = null
  }
}
