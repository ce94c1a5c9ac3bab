import { assert } from '../assert.ts'
import type { Entry, RaftId, SnapshotMeta } from '../raft/types.ts'
import { LogOfState } from './log-of-state.ts'
import { LogState } from './log-state.ts'
import type { AppendRequest, Formation, LogStorage } from './log-storage.ts'

/**
 * A log that lives as long as the object: the same rules and answers as the one on disk. Every
 * append is "durable" before the call returns, unless `schedule` says when.
 */
export class MemoryLog extends LogOfState implements LogStorage {
  readonly #schedule: (complete: () => void) => void
  #entries: Entry[] = []
  #appending = false

  constructor(options: {
    raftId: RaftId
    /** Runs what completes an append, now or later, in order. @default at once */
    schedule?: (complete: () => void) => void
  }) {
    super(LogState.empty(options.raftId))
    this.#schedule = options.schedule ?? ((complete) => complete())
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
    this.state.form(formation)
  }

  append(request: AppendRequest, done: (error: Error | null) => void): void {
    assert(!this.#appending, 'an append while another one is under way')
    const { snapshot, entries } = request
    this.state.append(request)
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
    if (snapshot.index <= this.state.start.index) return
    this.#entries = this.#entries.slice(snapshot.index - this.state.start.index)
    const configuration = this.configurationAt(snapshot.index)
    this.state.startAt({ index: snapshot.index, term: this.term(snapshot.index)!, configuration })
  }

  async scrub(): Promise<{ bytes: number }> {
    return { bytes: 0 }
  }

  size(): { bytes: number; segments: number } {
    let bytes = 0
    for (const entry of this.#entries) bytes += entry.data.length
    return { bytes, segments: 1 }
  }

  get room(): number {
    return Number.MAX_SAFE_INTEGER
  }

  get reserved(): number {
    return 2
  }

  saveSpace(): void {}

  async keepReserve(): Promise<void> {}

  async close(): Promise<void> {}
}
