import { asBuffer } from '../../../cluster/as-buffer.ts'
import { readFrame } from '../../../cluster/log/frame-codec.ts'
import { type Batch, decodeBatch } from '../../../cluster/log/record-codec.ts'
import { TermList } from './term-list.ts'

const MAGIC_FIRST_BYTE = 0x8b

/** A place in a log. */
export interface EntryName {
  readonly index: number
  readonly term: number
}

/** One batch that reached a disk. */
export interface SyncedBatch {
  readonly batch: Batch
  /** Entries that the disk held until now and holds no more. */
  readonly removed: readonly EntryName[]
}

/**
 * What one disk certainly holds of a log, read from the very bytes that were synced: independent of
 * what the node believes about itself.
 */
export class DurableLog {
  term = 0
  vote = ''
  raftId = ''
  /** Everything up to here was replaced by a snapshot or compacted. */
  snapshotIndex = 0
  lastIndex = 0
  /**
   * How far the log was synced before a start that copies its end into a fresh segment (rule K2): it
   * must be there again once the start is over.
   */
  promisedIndex = 0
  /** The same of term and vote. */
  promisedTerm = 0
  promisedVote = ''
  /** It forgot entries once, under the same id. */
  wentBack = false
  onBatch: (synced: SyncedBatch) => void = () => {}
  /** What a start copies into a fresh segment may be lost once more: it has no name yet. */
  #isStarting = false
  /** By index; entries below `snapshotIndex` may be missing. */
  #terms = new TermList()
  /** What replicas held whose disk was lost, by their id: what they acknowledged was counted. */
  readonly #lost = new Map<string, TermList>()
  /** Every vote that was ever synced here, as `raft id/term`. */
  readonly #votes = new Map<string, string>()

  /** The term of the durable entry, `null` if there is none or it was compacted. */
  termAt(index: number): number | null {
    return index > this.lastIndex ? null : (this.#terms.get(index) ?? null)
  }

  /** Bytes that were written to a file of the log and synced. */
  synced(bytes: Uint8Array): void {
    if (bytes[0] !== MAGIC_FIRST_BYTE) return
    const frame = readFrame(asBuffer(bytes), 0)
    if (frame === null || frame.payload.length === 0) return
    this.hold(decodeBatch(frame.payload))
  }

  /** The batch is on the disk. */
  hold(batch: Batch): void {
    this.onBatch({ batch, removed: this.#take(batch) })
  }

  /** What it holds now, to be put back when the disk itself goes back to that. */
  image(): {
    readonly raftId: string
    readonly term: number
    readonly vote: string
    restore(): void
  } {
    const { term, vote, raftId, snapshotIndex, lastIndex } = this
    const { promisedIndex, promisedTerm, promisedVote } = this
    const held = { term, vote, raftId, snapshotIndex, lastIndex }
    const terms = this.#terms.copy()
    return {
      ...{ term, vote, raftId },
      restore: () => {
        this.#lost.set(this.raftId, this.#terms)
        Object.assign(this, held, { promisedIndex, promisedTerm, promisedVote })
        this.#terms = terms.copy()
        this.wentBack = true
      },
    }
  }

  /** The disk was lost or replaced. */
  forget(): void {
    this.term = 0
    this.vote = ''
    if (this.raftId !== '') this.#lost.set(this.raftId, this.#terms)
    this.raftId = ''
    this.wentBack = false
    this.snapshotIndex = 0
    this.lastIndex = 0
    this.promisedIndex = 0
    this.promisedTerm = 0
    this.promisedVote = ''
    this.#terms = new TermList()
  }

  /** The process that writes it starts. */
  starts(): void {
    this.#isStarting = true
  }

  /** A start is over: what it found is there for good, and nothing else that was copied meanwhile. */
  started({ term, vote }: { readonly term: number; readonly vote: string }): void {
    this.#isStarting = false
    this.term = this.promisedTerm = term
    this.vote = this.promisedVote = vote
    this.promisedIndex = Math.max(this.promisedIndex, this.lastIndex)
  }

  /** Whether the replica of that id had the entry on this disk, now or before it was lost. */
  everHeld(raftId: string, index: number, term: number): boolean {
    if (this.raftId === raftId && this.#terms.get(index) === term) return true
    return this.#lost.get(raftId)?.get(index) === term
  }

  /** Whom the replica of that id voted for in the term, if that was ever synced here. */
  voteOf(raftId: string, term: number): string | undefined {
    return this.#votes.get(`${raftId}/${term}`)
  }

  #take(batch: Batch): EntryName[] {
    const { head, snapshot, entries, hardState } = batch
    const removed: EntryName[] = []
    if (head === null) {
      this.#isStarting = false
    } else {
      this.raftId = head.raftId
      // What stands behind it in an older segment is copied next, or was promised in vain.
      this.lastIndex = head.position.index
      this.#terms.set(head.position.index, head.position.term)
      this.promisedIndex = Math.max(this.promisedIndex, this.lastIndex)
    }
    if (snapshot !== null) {
      this.#cut(snapshot.index, removed)
      this.#terms.clear()
      this.#terms.set(snapshot.index, snapshot.term)
      this.lastIndex = snapshot.index
      this.promisedIndex = snapshot.index
      this.snapshotIndex = snapshot.index
    }
    const [first] = entries
    // Another entry in its place removes the old one, and a shorter log all behind it.
    if (first !== undefined && first.index <= this.lastIndex) this.#cut(first.index - 1, removed)
    for (const { index, term } of entries) {
      if ((this.#terms.get(index) ?? term) !== term) this.#cut(index - 1, removed)
      this.#terms.set(index, term)
      this.lastIndex = index
    }
    if (hardState !== null) {
      this.term = hardState.term
      this.vote = hardState.vote
      if (this.vote !== '') this.#votes.set(`${this.raftId}/${this.term}`, this.vote)
    }
    if (!this.#isStarting) this.started(this)
    if (removed.length === 0) return removed
    return removed.filter(({ index, term }) => this.#terms.get(index) !== term)
  }

  #cut(last: number, removed: EntryName[]): void {
    const end = Math.max(this.lastIndex, this.promisedIndex)
    for (let index = last + 1; index <= end; index++) {
      const term = this.#terms.get(index)
      if (term !== undefined) removed.push({ index, term })
      this.#terms.delete(index)
    }
    this.lastIndex = Math.min(this.lastIndex, last)
    this.promisedIndex = Math.min(this.promisedIndex, last)
  }
}
