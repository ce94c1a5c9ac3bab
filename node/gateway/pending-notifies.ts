/**
 * Notifies that wait: for each conversation the newest seq and inbox number that the session was not
 * told of. It grows by the user's conversations, not by their events.
 */
export class PendingNotifies {
  #pending: Map<string, { readonly seq: number; readonly inbox: number }> | null = null

  get size(): number {
    return this.#pending?.size ?? 0
  }

  /** `inbox` 0: the event has no number. */
  add(conv: string, newSeq: number, newInbox: number): void {
    this.#pending ??= new Map()
    const known = this.#pending.get(conv)
    const seq = Math.max(newSeq, known?.seq ?? 0)
    const inbox = Math.max(newInbox, known?.inbox ?? 0)
    // Those that are left leave in apply order.
    this.#pending.delete(conv)
    this.#pending.set(conv, { seq, inbox })
  }

  drain(visit: (conv: string, seq: number, inbox: number) => void): void {
    const pending = this.#pending
    this.#pending = null
    pending?.forEach(({ seq, inbox }, conv) => visit(conv, seq, inbox))
  }

  clear(): void {
    this.#pending = null
  }
}
