import { assert } from '../assert.ts'
import type { Configuration } from '../raft/configuration.ts'
import type { Entry, HardState, RaftId, SnapshotMeta } from '../raft/types.ts'
import { LogState } from './log-state.ts'
import type { AppendRequest, Formation, LogStorage } from './log-storage.ts'

/**
 * A log that lives as long as the object: the same rules and answers as the one on disk. Every
 * append is "durable" before the call returns, unless `schedule` says when.
 */
export class MemoryLog implements LogStorage {
  readonly #state: LogState
  readonly #schedule: (complete: () => void) => void
  #entries: Entry[] = []
  #appending = false

  constructor(options: {
    raftId: RaftId
    /** Runs what completes an append, now or later, in order. @default at once */
    schedule?: (complete: () => void) => void
  }) {
    this.#state = LogState.empty(options.raftId)
    this.#schedule = options.schedule ?? ((complete) => complete())
  }

  get raftId(): RaftId {
    return this.#state.raftId
  }

  get formation(): Formation | null {
    return this.#state.formation
  }

  get hardState(): HardState {
    return this.#state.hardState
  }

  get snapshot(): SnapshotMeta {
    return this.#state.start
  }

  firstIndex(): number {
    return this.#state.start.index + 1
  }

  lastIndex(): number {
    return this.#state.lastIndex
  }

  term(index: number): number | null {
    return this.#state.term(index)
  }

  configurationAt(index: number): Configuration {
    return this.#state.configurationAt(index)
  }

  entries(low: number, high: number, maxBytes: number): readonly Entry[] | null {
    const first = this.firstIndex()
    if (low < first) return null
    const end = Math.min(high, this.lastIndex() + 1)
    const taken: Entry[] = []
    let bytes = 0
    for (let index = low; index < end; index++) {
      const entry = this.#entries[index - first]!
      bytes += entry.data.length
      if (taken.length > 0 && bytes > maxBytes) break
      taken.push(entry)
    }
    return taken
  }

  async form(formation: Formation): Promise<void> {
    if (this.formation !== null) throw new Error('this log has its formation already')
    this.#state.form(formation)
  }

  append(request: AppendRequest, done: (error: Error | null) => void): void {
    assert(!this.#appending, 'an append while another one is under way')
    const { snapshot, entries } = request
    this.#state.append(request)
    if (snapshot !== null) this.#entries = []
    const first = entries[0]
    if (first !== undefined) this.#entries.length = first.index - this.firstIndex()
    for (const entry of entries) this.#entries.push(entry)
    this.#appending = true
    this.#schedule(() => {
      this.#appending = false
      done(null)
    })
  }

  async compact(snapshot: SnapshotMeta): Promise<void> {
    assert(snapshot.index <= this.lastIndex(), `compaction to ${snapshot.index} past the end`)
    if (snapshot.index <= this.#state.start.index) return
    this.#entries = this.#entries.slice(snapshot.index - this.#state.start.index)
    const configuration = this.configurationAt(snapshot.index)
    this.#state.startAt({ index: snapshot.index, term: this.term(snapshot.index)!, configuration })
  }

  size(): { bytes: number; segments: number } {
    let bytes = 0
    for (const entry of this.#entries) bytes += entry.data.length
    return { bytes, segments: 1 }
  }

  async close(): Promise<void> {}
}
