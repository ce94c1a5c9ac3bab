/**
 * Events that were pushed whole and that the client has not acknowledged (rule B4). Who pushes asks
 * for room first, so that it stays within its bounds, but for the one event that passes the bytes.
 */
export class UnackedWindow {
  readonly #maxEvents: number
  readonly #maxBytes: number
  /** From `#first` on; inbox numbers ascend. */
  #inboxes: number[] = []
  #sizes: number[] = []
  #first = 0
  #bytes = 0

  constructor(maxEvents: number, maxBytes: number) {
    this.#maxEvents = maxEvents
    this.#maxBytes = maxBytes
  }

  get hasRoom(): boolean {
    return this.#inboxes.length - this.#first < this.#maxEvents && this.#bytes < this.#maxBytes
  }

  add(inbox: number, bytes: number): void {
    this.#inboxes.push(inbox)
    this.#sizes.push(bytes)
    this.#bytes += bytes
  }

  /** The client has everything up to `inbox`. */
  acknowledge(inbox: number): void {
    while (this.#first < this.#inboxes.length && (this.#inboxes[this.#first] as number) <= inbox) {
      this.#bytes -= this.#sizes[this.#first] as number
      this.#first++
    }
    if (this.#first === this.#inboxes.length) this.clear()
    else if (this.#first >= this.#maxEvents) {
      this.#inboxes = this.#inboxes.slice(this.#first)
      this.#sizes = this.#sizes.slice(this.#first)
      this.#first = 0
    }
  }

  clear(): void {
    if (this.#inboxes.length > 64) {
      // An array never shrinks by itself: one burst would hold its memory for the session's life.
      this.#inboxes = []
      this.#sizes = []
    } else {
      this.#inboxes.length = 0
      this.#sizes.length = 0
    }
    this.#first = 0
    this.#bytes = 0
  }
}
