/** Runs tasks of one key one after the other, of different keys side by side; bounded per key. */
export class KeyedQueue {
  readonly #maxWaiting: number
  readonly #onError: (error: unknown) => void
  readonly #waiting = new Map<string, (() => Promise<void>)[]>()

  constructor(maxWaiting: number, onError: (error: unknown) => void) {
    this.#maxWaiting = maxWaiting
    this.#onError = onError
  }

  /** `false`: too many wait before it, it will not run. */
  add(key: string, task: () => Promise<void>): boolean {
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) {
      this.#waiting.set(key, [])
      void this.#work(key, task)
      return true
    }
    if (waiting.length >= this.#maxWaiting) return false
    waiting.push(task)
    return true
  }

  async #work(key: string, first: () => Promise<void>): Promise<void> {
    let task: (() => Promise<void>) | undefined = first
    while (task !== undefined) {
      try {
        await task()
      } catch (error) {
        this.#onError(error)
      }
      task = this.#waiting.get(key)!.shift()
    }
    this.#waiting.delete(key)
  }
}
