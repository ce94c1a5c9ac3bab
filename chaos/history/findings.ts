import type { Violation } from './history.ts'

/** One broken promise tends to break many times: enough to see the pattern, not to drown in it. */
const SHOWN = 10

/** What one checker found, in the order it found it. */
export class Findings {
  readonly #property: string
  readonly #messages: string[] = []
  #count = 0

  constructor(property: string) {
    this.#property = property
  }

  add(message: string): void {
    this.#count += 1
    if (this.#messages.length < SHOWN) this.#messages.push(message)
  }

  /** Adds unless the promise was kept. */
  demand(kept: boolean, message: () => string): void {
    if (!kept) this.add(message())
  }

  get violations(): Violation[] {
    const more = this.#count - this.#messages.length
    const messages = more > 0 ? [...this.#messages, `and ${more} more`] : this.#messages
    return messages.map((message) => ({ property: this.#property, message }))
  }
}
