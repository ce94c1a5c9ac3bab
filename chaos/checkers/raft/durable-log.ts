import { readFrame } from '../../../cluster/log/frame-codec.ts'
import { type Batch, decodeBatch } from '../../../cluster/log/record-codec.ts'

const MAGIC_FIRST_BYTE = 0x8b

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
  /** By index; entries below `snapshotIndex` may be missing. */
  #terms = new Map<number, number>()
  /** What replicas held whose disk was lost, by their id: what they acknowledged was counted. */
  readonly #lost = new Map<string, ReadonlyMap<number, number>>()

  /** The term of the durable entry, `null` if there is none or it was compacted. */
  termAt(index: number): number | null {
    return index > this.lastIndex ? null : (this.#terms.get(index) ?? null)
  }

  /** Bytes that were written to a file of the log and synced. */
  synced(bytes: Uint8Array): void {
    if (bytes[0] !== MAGIC_FIRST_BYTE) return
    const frame = readFrame(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0)
    if (frame !== null) this.#take(decodeBatch(frame.payload))
  }

  /** The disk was lost or replaced. */
  forget(): void {
    this.term = 0
    this.vote = ''
    if (this.raftId !== '') this.#lost.set(this.raftId, this.#terms)
    this.raftId = ''
    this.snapshotIndex = 0
    this.lastIndex = 0
    this.#terms = new Map()
  }

  /** Whether the replica of that id had the entry on this disk, now or before it was lost. */
  everHeld(raftId: string, index: number, term: number): boolean {
    if (this.raftId === raftId) return this.termAt(index) === term
    return this.#lost.get(raftId)?.get(index) === term
  }

  #take(batch: Batch): void {
    const { head, snapshot, entries, hardState } = batch
    if (head !== null) {
      this.raftId = head.raftId
      this.#cut(head.position.index)
      this.lastIndex = head.position.index
      this.#terms.set(head.position.index, head.position.term)
    }
    if (snapshot !== null) {
      this.#terms.clear()
      this.#terms.set(snapshot.index, snapshot.term)
      this.lastIndex = snapshot.index
      this.snapshotIndex = snapshot.index
    }
    const first = entries[0]
    if (first !== undefined) this.#cut(first.index - 1)
    for (const { index, term } of entries) {
      this.#terms.set(index, term)
      this.lastIndex = index
    }
    if (hardState !== null) {
      this.term = hardState.term
      this.vote = hardState.vote
    }
  }

  #cut(last: number): void {
    for (let index = this.lastIndex; index > last; index--) this.#terms.delete(index)
    this.lastIndex = Math.min(this.lastIndex, last)
  }
}
