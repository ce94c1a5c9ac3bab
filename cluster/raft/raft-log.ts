import { assert } from '../assert.ts'
import { UnstableLog } from './unstable-log.ts'
import type { Entry, LogReader, SnapshotMeta } from './types.ts'

export interface LogPosition {
  readonly index: number
  readonly term: number
}

/**
 * The log as this replica sees it now: the durable part behind a reader and the unstable end, with
 * the indexes that matter. Invariants: `applied <= applying <= commit <= lastIndex`, and `applying`
 * never passes what is durable here.
 */
export class RaftLog {
  readonly #reader: LogReader
  readonly #unstable: UnstableLog
  readonly #maxCommittedBytes: number
  #commit: number
  #applied: number
  #applying: number
  #applyingBytes = 0

  constructor(reader: LogReader, commit: number, applied: number, maxCommittedBytes: number) {
    const last = reader.lastIndex()
    assert(reader.firstIndex() <= last + 1, 'the log begins after its end')
    assert(commit <= last, `commit index ${commit} is past the log's end ${last}`)
    assert(applied <= commit, `applied index ${applied} is past the commit index ${commit}`)
    this.#reader = reader
    this.#unstable = new UnstableLog(last + 1)
    this.#maxCommittedBytes = maxCommittedBytes
    this.#commit = commit
    this.#applied = applied
    this.#applying = applied
  }

  get firstIndex(): number {
    const { snapshot } = this.#unstable
    return snapshot === null ? this.#reader.firstIndex() : snapshot.index + 1
  }

  get lastIndex(): number {
    return this.#unstable.lastIndex
  }

  get lastTerm(): number {
    const term = this.term(this.lastIndex)
    assert(term !== null, `the log has no term for its last index ${this.lastIndex}`)
    return term
  }

  get commit(): number {
    return this.#commit
  }

  get applied(): number {
    return this.#applied
  }

  /** The last index known durable here; 0 while a snapshot is being installed. */
  get persisted(): number {
    return this.#unstable.snapshot === null ? this.#unstable.offset - 1 : 0
  }

  get pendingSnapshot(): SnapshotMeta | null {
    return this.#unstable.snapshot
  }

  /** The snapshot to name to a peer that is behind `firstIndex`. */
  get snapshot(): SnapshotMeta {
    return this.#unstable.snapshot ?? this.#reader.snapshot
  }

  /** Everything up to here was handed out for writing. */
  get handedOut(): number {
    return this.#unstable.handedOut
  }

  get writing(): boolean {
    return this.#unstable.writing
  }

  get hasUnwritten(): boolean {
    return this.#unstable.hasUnwritten
  }

  /** `null` if the entry was compacted away or does not exist yet. */
  term(index: number): number | null {
    if (index > this.lastIndex) return null
    if (index >= this.#unstable.offset) return this.#unstable.entry(index).term
    const { snapshot } = this.#unstable
    if (snapshot === null) return this.#reader.term(index)
    return index === snapshot.index ? snapshot.term : null
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term
  }

  /** Raft §5.4.1: the later last term wins, of equal ones the longer log. */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    const own = this.lastTerm
    return lastTerm > own || (lastTerm === own && lastIndex >= this.lastIndex)
  }

  /** From `low` up to but without `high`, at least one; `null` if `low` was compacted away. */
  entries(low: number, high: number, maxBytes: number): readonly Entry[] | null {
    assert(high <= this.lastIndex + 1, `entries up to ${high} asked of a log to ${this.lastIndex}`)
    if (low >= high) return []
    const { offset } = this.#unstable
    if (low < this.firstIndex) return null
    if (low >= offset) return cut(this.#unstable.slice(low, high), maxBytes, 0)
    const stable = this.#reader.entries(low, Math.min(high, offset), maxBytes)
    if (stable === null || high <= offset || low + stable.length < offset) return stable
    let bytes = 0
    for (const entry of stable) bytes += entry.data.length
    return [...stable, ...cut(this.#unstable.slice(offset, high), maxBytes, bytes)]
  }

  append(entries: readonly Entry[]): void {
    const first = entries[0]
    if (first === undefined) return
    assert(first.index > this.#commit, `entry ${first.index} would overwrite a committed one`)
    this.#unstable.append(entries)
  }

  /**
   * Raft §5.3, consistency check passed: the entries that are not there yet. From the first one
   * that conflicts all are new; those that agree are left alone, so that an old message never cuts
   * off what a newer one brought.
   */
  missing(entries: readonly Entry[]): readonly Entry[] {
    let known = 0
    while (known < entries.length && this.matches(entries[known]!.index, entries[known]!.term)) {
      known++
    }
    return known === 0 ? entries : entries.slice(known)
  }

  /**
   * The last position at or below `index` whose term is at most `term`: where a log that ends its
   * share with `term` can agree at best. Terms never fall along a log, so halving finds it.
   */
  lastAtMostTerm(index: number, term: number): LogPosition {
    let low = this.firstIndex - 1
    let high = Math.min(index, this.lastIndex)
    const lowest = this.term(low)
    // Below the start nothing is known: the answer lies there, without a term.
    if (high < low || lowest === null || lowest > term) {
      return { index: Math.max(0, Math.min(high, low - 1)), term: 0 }
    }
    while (low < high) {
      const middle = low + Math.ceil((high - low) / 2)
      if (this.term(middle)! <= term) low = middle
      else high = middle - 1
    }
    return { index: low, term: this.term(low)! }
  }

  /** True if the commit index moved. */
  commitTo(index: number): boolean {
    if (index <= this.#commit) return false
    assert(index <= this.lastIndex, `commit index ${index} is past the log's end ${this.lastIndex}`)
    this.#commit = index
    return true
  }

  /** Something committed, durable here and not yet handed out, while the applier keeps up. */
  get hasCommitted(): boolean {
    return (
      this.#applyingBytes < this.#maxCommittedBytes &&
      this.#applying < Math.min(this.#commit, this.persisted) &&
      this.#applying >= this.firstIndex - 1
    )
  }

  takeCommitted(): readonly Entry[] {
    if (!this.hasCommitted) return []
    const entries = this.entries(
      this.#applying + 1,
      Math.min(this.#commit, this.persisted) + 1,
      this.#maxCommittedBytes - this.#applyingBytes,
    )
    assert(entries !== null && entries.length > 0, `entry ${this.#applying + 1} was compacted away`)
    for (const entry of entries) this.#applyingBytes += entry.data.length
    this.#applying += entries.length
    return entries
  }

  appliedTo(index: number): void {
    assert(
      index >= this.#applied && index <= this.#applying,
      `applied ${index} is outside ${this.#applied} to ${this.#applying}`,
    )
    this.#applied = index
    if (index === this.#applying) this.#applyingBytes = 0
  }

  /** The state machine holds everything up to `index` now, by a snapshot. */
  stateAt(index: number): void {
    this.commitTo(index)
    if (index <= this.#applied) return
    this.#applied = index
    if (this.#applying <= index) {
      this.#applying = index
      this.#applyingBytes = 0
    }
  }

  restore(snapshot: SnapshotMeta): void {
    assert(snapshot.index > this.#commit, 'a snapshot may only replace a shorter committed log')
    this.#commit = snapshot.index
    this.#unstable.restore(snapshot)
  }

  beginWrite(): { entries: readonly Entry[]; snapshot: SnapshotMeta | null } {
    return this.#unstable.beginWrite()
  }

  endWrite(confirm: boolean): void {
    const installed = this.#unstable.endWrite(confirm)
    if (installed !== null) this.stateAt(installed.index)
  }
}

/** Cut after `maxBytes`, with `used` of them gone; never empty if nothing was used. */
function cut(entries: readonly Entry[], maxBytes: number, used: number): readonly Entry[] {
  let bytes = used
  for (let i = 0; i < entries.length; i++) {
    bytes += entries[i]!.data.length
    if (bytes > maxBytes && (i > 0 || used > 0)) return entries.slice(0, i)
  }
  return entries
}
