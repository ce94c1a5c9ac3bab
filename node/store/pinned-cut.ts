import type { CutPosition, Pair, StoreSnapshot } from './store.ts'
import type { DatabaseSnapshot, KeyValueDatabase } from './key-value-database.ts'
import { assert } from '#cluster'
import { outsideRange } from './store-keys.ts'
import { readPairs } from './read-pairs.ts'
import type { ValueCodec } from './value-codec.ts'

const fetchBytes = 128 * 1024

/**
 * The database as it was right after a cut's batch, before any later write. The store holds one for
 * its newest cut at all times and lends it to every snapshot taken of that cut, so that a snapshot
 * costs nothing and a running checkpoint never shows in it (rule K6). The price: versions that the
 * next cut overwrites stay on disk until that cut is in.
 */
export class PinnedCut {
  readonly cut: CutPosition
  readonly #database: KeyValueDatabase
  readonly #codec: ValueCodec
  readonly #snapshot: DatabaseSnapshot
  #users = 1

  /** Call when the cut's batch is in and the next is not yet begun. */
  constructor(database: KeyValueDatabase, codec: ValueCodec, cut: CutPosition) {
    this.cut = cut
    this.#database = database
    this.#codec = codec
    this.#snapshot = database.snapshot()
  }

  /** One more user; each closes once. */
  lend(): StoreSnapshot {
    assert(this.#users > 0, 'the cut is still pinned')
    this.#users++
    let isOpen = true
    return {
      cut: this.cut,
      pairs: (): AsyncIterable<Pair> => {
        assert(isOpen, 'the snapshot is open')
        const range = { ...outsideRange, snapshot: this.#snapshot, fetchBytes }
        return readPairs(this.#database, this.#codec, range, Infinity)
      },
      close: async (): Promise<void> => {
        if (!isOpen) return
        isOpen = false
        await this.release()
      },
    }
  }

  async release(): Promise<void> {
    assert(this.#users > 0, 'a pinned cut is released once by each user')
    this.#users--
    if (this.#users === 0) await this.#snapshot.close()
  }
}
