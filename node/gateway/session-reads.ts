/**
 * Reads of one session: a few run at once, the rest wait in order, and none starts while the client
 * does not take what it already asked for. Its length is bounded by the session's in-flight limit.
 */
export class SessionReads {
  readonly #maxRunning: number
  readonly #mayStart: () => boolean
  #waiting: (() => Promise<void>)[] = []
  #next = 0
  #running = 0

  /** `mayStart` is asked before each; when it turns true again the owner calls `resume`. */
  constructor(maxRunning: number, mayStart: () => boolean) {
    this.#maxRunning = maxRunning
    this.#mayStart = mayStart
  }

  /** `read` never rejects: it answers its own failures. */
  push(read: () => Promise<void>): void {
    this.#waiting.push(read)
    this.resume()
  }

  resume(): void {
    while (
      this.#next < this.#waiting.length &&
      this.#running < this.#maxRunning &&
      this.#mayStart()
    ) {
      const read = this.#waiting[this.#next++] as () => Promise<void>
      this.#running++
      void read().finally(() => {
        this.#running--
        this.resume()
      })
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting.length = 0
      this.#next = 0
    }
  }

  /** Forgets what has not started. */
  clear(): void {
    this.#waiting = []
    this.#next = 0
  }
}
