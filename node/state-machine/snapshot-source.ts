import { assert, type SnapshotMeta, type SnapshotSource } from '#cluster'
import type { StoreSnapshot } from '../store/store.ts'
import { encodeSnapshot } from './snapshot-codec.ts'

/** Bytes already read that stay, so that a lost chunk is sent again without a new walk. */
const KEPT_BYTES = 2 * 1024 * 1024

/**
 * A pinned cut as a stream of bytes (rule K6). Reading forward is one walk over the store; going back
 * further than what is kept walks again from the beginning, which gives the same bytes.
 */
export class PinnedSnapshotSource implements SnapshotSource {
  readonly meta: SnapshotMeta
  readonly #snapshot: StoreSnapshot
  #stream: AsyncGenerator<Uint8Array>
  /** The bytes from `#start` on that were taken from the stream and kept. */
  #window: Uint8Array[] = []
  #start = 0
  #end = 0
  #isAtEnd = false
  #reading = false

  constructor(meta: SnapshotMeta, snapshot: StoreSnapshot) {
    assert(
      meta.index === snapshot.cut.index && meta.term === snapshot.cut.term,
      'a snapshot is of another cut than its name says',
    )
    this.meta = meta
    this.#snapshot = snapshot
    this.#stream = this.#begin()
  }

  async read(offset: number, maxBytes: number): Promise<{ bytes: Uint8Array; last: boolean }> {
    assert(!this.#reading, 'a snapshot is read twice at one time')
    assert(offset >= 0 && maxBytes > 0, 'a snapshot is read outside itself')
    this.#reading = true
    try {
      if (offset < this.#start) await this.#restart()
      while (this.#end < offset + maxBytes && !this.#isAtEnd) await this.#more(offset)
      assert(offset <= this.#end, `offset ${offset} is beyond the snapshot's ${this.#end} bytes`)
      const bytes = this.#slice(offset, Math.min(this.#end, offset + maxBytes))
      return { bytes, last: this.#isAtEnd && offset + bytes.length === this.#end }
    } finally {
      this.#reading = false
    }
  }

  async close(): Promise<void> {
    // A walk that stands at a pair ends here; one under way ends by the closing of the snapshot.
    if (!this.#reading) await this.#stream.return(undefined)
    await this.#snapshot.close()
  }

  async #more(offset: number): Promise<void> {
    const { value, done } = await this.#stream.next()
    if (done === true) {
      this.#isAtEnd = true
      return
    }
    this.#window.push(value)
    this.#end += value.length
    while (this.#window.length > 1) {
      const afterFirst = this.#start + this.#window[0]!.length
      if (afterFirst > offset || this.#end - afterFirst < KEPT_BYTES) return
      this.#window.shift()
      this.#start = afterFirst
    }
  }

  #slice(from: number, to: number): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(to - from)
    let at = this.#start
    for (const part of this.#window) {
      const first = Math.max(from, at)
      const last = Math.min(to, at + part.length)
      if (first < last) bytes.set(part.subarray(first - at, last - at), first - from)
      at += part.length
    }
    return bytes
  }

  async #restart(): Promise<void> {
    await this.#stream.return(undefined)
    this.#stream = this.#begin()
    this.#window = []
    this.#start = 0
    this.#end = 0
    this.#isAtEnd = false
  }

  #begin(): AsyncGenerator<Uint8Array> {
    return encodeSnapshot(this.#snapshot.cut, this.#snapshot.pairs())
  }
}
