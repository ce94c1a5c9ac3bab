import type { Entry } from '../raft/types.ts'

/** What an entry costs beside its data. */
const ENTRY_BYTES = 96

/**
 * The newest entries in memory, always a run that ends with the log's last one. Bounded by bytes:
 * the oldest go first, but never one that is not on disk yet. An entry's data are kept as they were
 * given: a small view into a large buffer keeps the large one alive.
 */
export class EntryCache {
  readonly #maxBytes: number
  #entries: (Entry | undefined)[] = []
  #head = 0
  #bytes = 0
  /** The index of the slot at `#head`. */
  #firstIndex: number

  constructor(nextIndex: number, maxBytes: number) {
    this.#firstIndex = nextIndex
    this.#maxBytes = maxBytes
  }

  /** The oldest index that is here; the log's last index + 1 if none is. */
  get firstIndex(): number {
    return this.#firstIndex
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The caller checked that both lie between `firstIndex` and the last index + 1. */
  slice(low: number, high: number): Entry[] {
    const from = this.#head + low - this.#firstIndex
    return this.#entries.slice(from, from + high - low) as Entry[]
  }

  /** The first may replace: it and everything after its index go. */
  append(entries: readonly Entry[]): void {
    const first = entries[0]
    if (first === undefined) return
    if (first.index < this.#firstIndex) this.clear(first.index)
    const keep = this.#head + first.index - this.#firstIndex
    while (this.#entries.length > keep) this.#bytes -= cost(this.#entries.pop()!)
    for (const entry of entries) {
      this.#entries.push(entry)
      this.#bytes += cost(entry)
    }
  }

  /** Empties it: the log goes on with `nextIndex`. */
  clear(nextIndex: number): void {
    this.#entries = []
    this.#head = 0
    this.#bytes = 0
    this.#firstIndex = nextIndex
  }

  /** Lets go of what is over the bound; entries after `durableIndex` stay. */
  trim(durableIndex: number): void {
    while (this.#bytes > this.#maxBytes && this.#firstIndex <= durableIndex) {
      if (this.#head === this.#entries.length) return
      this.#bytes -= cost(this.#entries[this.#head]!)
      this.#entries[this.#head] = undefined
      this.#head++
      this.#firstIndex++
    }
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }
}

function cost(entry: Entry): number {
  return entry.data.length + ENTRY_BYTES
}
