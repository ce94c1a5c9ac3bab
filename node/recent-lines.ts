export interface RecentLinesLimits {
  /** @default 2,000 */
  readonly lines?: number
  /** @default 1 MiB */
  readonly bytes?: number
}

/** The last lines of a node's log, in memory: of use when nobody kept the others. */
export class RecentLines {
  readonly #maxLines: number
  readonly #maxBytes: number
  readonly #lines: string[] = []
  #first = 0
  #bytes = 0

  constructor({ lines = 2_000, bytes = 1 << 20 }: RecentLinesLimits = {}) {
    this.#maxLines = lines
    this.#maxBytes = bytes
  }

  push(line: string): void {
    const kept = line.length > this.#maxBytes ? `${line.slice(0, this.#maxBytes)}` : line
    this.#lines.push(kept)
    this.#bytes += kept.length
    while (this.#lines.length - this.#first > this.#maxLines || this.#bytes > this.#maxBytes) {
      this.#bytes -= this.#lines[this.#first]!.length
      this.#lines[this.#first] = ''
      this.#first += 1
    }
    // Cut off rarely, so that a line costs the same however many there are.
    if (this.#first > this.#maxLines) {
      this.#lines.splice(0, this.#first)
      this.#first = 0
    }
  }

  /** The newest ones, oldest first. */
  last(count: number): readonly string[] {
    return this.#lines.slice(Math.max(this.#first, this.#lines.length - count))
  }
}
