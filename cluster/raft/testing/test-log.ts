import { assert } from '../../assert.ts'
import { decodeConfiguration, type Configuration } from '../configuration.ts'
import type { StorageAppend } from '../ready.ts'
import {
  EntryType,
  NO_ONE,
  type Entry,
  type HardState,
  type LogReader,
  type SnapshotMeta,
} from '../types.ts'

/**
 * A log as a disk holds it: what is in it survives a crash. Appends enter it when their write is
 * complete, so that a crash before loses them whole.
 */
export class TestLog implements LogReader {
  hardState: HardState = { term: 0, vote: NO_ONE, commit: 0 }
  snapshot: SnapshotMeta
  #entries: Entry[] = []

  constructor(configuration: Configuration) {
    this.snapshot = { index: 0, term: 0, configuration }
  }

  firstIndex(): number {
    return this.snapshot.index + 1
  }

  lastIndex(): number {
    return this.snapshot.index + this.#entries.length
  }

  term(index: number): number | null {
    if (index === this.snapshot.index) return this.snapshot.term
    return this.#entries[index - this.firstIndex()]?.term ?? null
  }

  entries(low: number, high: number, maxBytes: number): readonly Entry[] | null {
    if (low < this.firstIndex()) return null
    const taken: Entry[] = []
    let bytes = 0
    for (const entry of this.#entries.slice(low - this.firstIndex(), high - this.firstIndex())) {
      bytes += entry.data.length
      if (taken.length > 0 && bytes > maxBytes) break
      taken.push(entry)
    }
    return taken
  }

  all(): readonly Entry[] {
    return this.#entries
  }

  configurationAt(index: number): Configuration {
    for (let at = Math.min(index, this.lastIndex()); at >= this.firstIndex(); at--) {
      const entry = this.#entries[at - this.firstIndex()]!
      if (entry.type === EntryType.configuration) return decodeConfiguration(entry.data)
    }
    return this.snapshot.configuration
  }

  write(append: Pick<StorageAppend, 'hardState' | 'entries' | 'snapshot'>): void {
    if (append.hardState !== null) this.hardState = append.hardState
    if (append.snapshot !== null) {
      this.snapshot = append.snapshot
      this.#entries = []
    }
    const first = append.entries[0]
    if (first === undefined) return
    assert(first.index >= this.firstIndex(), 'a write below the start of the log')
    assert(first.index <= this.lastIndex() + 1, 'a write that leaves a hole')
    this.#entries.length = first.index - this.firstIndex()
    this.#entries.push(...append.entries)
  }

  compact(index: number): void {
    assert(index <= this.lastIndex(), 'compaction past the end')
    if (index <= this.snapshot.index) return
    const term = this.term(index)
    assert(term !== null, 'compaction of what is gone')
    const configuration = this.configurationAt(index)
    this.#entries = this.#entries.slice(index - this.snapshot.index)
    this.snapshot = { index, term, configuration }
  }

  /** As a disk that lies: entries from `index` on, and the memory of them, are gone. */
  forgetFrom(index: number): void {
    this.#entries.length = Math.max(0, index - this.firstIndex())
    const commit = Math.min(this.hardState.commit, this.lastIndex())
    this.hardState = { ...this.hardState, commit }
  }
}
