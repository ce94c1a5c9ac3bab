import { assert } from '../assert.ts'
import type { Entry, SnapshotMeta } from './types.ts'

/**
 * The end of the log that is not known durable: perhaps a snapshot that replaces everything, then
 * entries from `offset` on. Entries stay here until a completed write confirms them.
 *
 * At most one write is under way. What its completion may confirm shrinks the moment something is
 * truncated: entries that come back later under the same index are other entries, and a completion
 * that was meant for the old ones must not confirm the new ones.
 */
export class UnstableLog {
  #snapshot: SnapshotMeta | null = null
  #offset: number
  #entries: Entry[] = []
  /** Everything up to here was handed out for writing. Invariant: `offset - 1 <= handedOut`. */
  #handedOut: number
  #writing = false
  /** The last index that the write under way makes durable, itself or by those before it. */
  #writingTo = 0
  #writingSnapshot: SnapshotMeta | null = null

  /** `offset` is the index after the last durable one. */
  constructor(offset: number) {
    this.#offset = offset
    this.#handedOut = offset - 1
  }

  get snapshot(): SnapshotMeta | null {
    return this.#snapshot
  }

  /** Index of the first entry held, or of the next one appended. Everything below it is durable. */
  get offset(): number {
    return this.#offset
  }

  get lastIndex(): number {
    return this.#offset + this.#entries.length - 1
  }

  get handedOut(): number {
    return this.#handedOut
  }

  get writing(): boolean {
    return this.#writing
  }

  get hasUnwritten(): boolean {
    return this.#unwrittenSnapshot || this.lastIndex > this.#handedOut
  }

  /** The entry at `index`, which must be at or above `offset`. */
  entry(index: number): Entry {
    const entry = this.#entries[index - this.#offset]
    assert(entry !== undefined, `no entry ${index} in the unstable log from ${this.#offset}`)
    return entry
  }

  slice(low: number, high: number): Entry[] {
    return this.#entries.slice(low - this.#offset, high - this.#offset)
  }

  /** Entries must be consecutive; the first may overwrite: it and all after it are replaced. */
  append(entries: readonly Entry[]): void {
    const first = entries[0]
    if (first === undefined) return
    assert(first.index <= this.lastIndex + 1, `entry ${first.index} leaves a hole in the log`)
    if (first.index <= this.lastIndex || first.index < this.#offset) this.#truncateFrom(first.index)
    for (const entry of entries) this.#entries.push(entry)
  }

  /** The log is replaced by the snapshot: nothing that is being written says anything about it. */
  restore(snapshot: SnapshotMeta): void {
    this.#snapshot = snapshot
    this.#offset = snapshot.index + 1
    this.#entries = []
    this.#handedOut = snapshot.index
    this.#writingTo = 0
  }

  /** A snapshot goes alone, before any entry behind it. */
  beginWrite(): { entries: readonly Entry[]; snapshot: SnapshotMeta | null } {
    assert(!this.#writing, 'two writes of the log at once')
    this.#writing = true
    if (this.#unwrittenSnapshot) {
      this.#writingSnapshot = this.#snapshot
      this.#writingTo = this.#snapshot!.index
      return { entries: [], snapshot: this.#snapshot }
    }
    const entries = this.slice(this.#handedOut + 1, this.lastIndex + 1)
    this.#handedOut = this.lastIndex
    this.#writingTo = this.lastIndex
    return { entries, snapshot: null }
  }

  /**
   * The write is durable. With `confirm` false (it belongs to an older term) its entries count as
   * unknown until a later write, which always follows a change of term, confirms them too. The
   * returned snapshot has taken the state machine's place, whatever the term.
   */
  endWrite(confirm: boolean): SnapshotMeta | null {
    assert(this.#writing, 'a write ended that never began')
    this.#writing = false
    const installed = this.#writingSnapshot
    this.#writingSnapshot = null
    if (installed !== null && installed === this.#snapshot) this.#snapshot = null
    if (confirm && this.#writingTo >= this.#offset) {
      this.#entries = this.#entries.slice(this.#writingTo + 1 - this.#offset)
      this.#offset = this.#writingTo + 1
    }
    return installed
  }

  get #unwrittenSnapshot(): boolean {
    return this.#snapshot !== null && this.#snapshot !== this.#writingSnapshot
  }

  #truncateFrom(index: number): void {
    assert(
      this.#snapshot === null || index > this.#snapshot.index,
      `entry ${index} would overwrite the snapshot`,
    )
    // What was durable from `index` on is void at once, not when the new entries are written.
    if (index < this.#offset) {
      this.#entries = []
      this.#offset = index
    } else {
      this.#entries.length = index - this.#offset
    }
    this.#handedOut = Math.min(this.#handedOut, index - 1)
    this.#writingTo = Math.min(this.#writingTo, index - 1)
  }
}
