/**
 * What a slow session is owed: for each conversation the newest seq it was not told of. It grows by
 * the user's conversations, not by their events.
 */
export class PushState {
  slow = false
  #pending: Map<string, number> | null = null

  get pending(): number {
    return this.#pending?.size ?? 0
  }

  keepBack(conv: string, seq: number): void {
    this.#pending ??= new Map()
    this.#pending.set(conv, seq)
  }

  drain(visit: (conv: string, seq: number) => void): void {
    const pending = this.#pending
    this.#pending = null
    pending?.forEach((seq, conv) => visit(conv, seq))
  }

  clear(): void {
    this.#pending = null
  }
}
