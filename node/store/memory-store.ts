import { assert } from '#cluster'
import { maxAheadPairBytes } from './batch-writer.ts'
import { asDamage } from './damage.ts'
import { DatabaseError } from './key-value-database.ts'
import { OrderedBytes } from './ordered-bytes.ts'
import { assertOutsideKey, outsideRange } from './store-keys.ts'
import type { Cut, CutPosition, Pair, Put, Store, StoreInstall, StoreSnapshot } from './store.ts'

/** The content of a store as of its newest cut. */
interface CutContent {
  readonly cut: CutPosition | null
  readonly previousCut: CutPosition | null
  readonly pairs: OrderedBytes
}

const nothing: CutContent = { cut: null, previousCut: null, pairs: new OrderedBytes() }

/**
 * The store's contract in memory, for tests and as the reference. It also holds its caller to what
 * the real one relies on without checking: ahead keys are new ones.
 */
export class MemoryStore implements Store {
  #content: CutContent
  /** The content and the ahead values of a running checkpoint. */
  #live: OrderedBytes
  #isBusy = false
  #failure: Error | null = null
  #isClosed = false

  constructor(content: CutContent = nothing) {
    this.#content = content
    this.#live = content.pairs.share()
  }

  /** What a start finds after this store's process crashed now: the newest cut, nothing past it. */
  reopened(): MemoryStore {
    return new MemoryStore({ ...this.#content, pairs: this.#content.pairs.share() })
  }

  get cut(): CutPosition | null {
    return this.#content.cut
  }

  get previousCut(): CutPosition | null {
    return this.#content.previousCut
  }

  async get(key: Uint8Array): Promise<Uint8Array | null> {
    assertOutsideKey(key)
    this.#assertOpen()
    return this.#live.get(key)?.slice() ?? null
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
    return Promise.all(keys.map((key) => this.get(key)))
  }

  range(
    from: Uint8Array,
    to: Uint8Array,
    options: { readonly reverse?: boolean; readonly limit?: number } = {},
  ): AsyncIterable<Pair> {
    assertOutsideKey(from)
    const { reverse = false, limit = Infinity } = options
    return this.#walk(() => this.#live, from, to, reverse, limit)
  }

  async checkpoint(cut: Cut): Promise<void> {
    assert(!this.#isBusy, 'one checkpoint at a time')
    this.#assertOpen()
    if (this.#failure !== null) throw this.#failure
    this.#isBusy = true
    try {
      const newest = this.#content.cut
      assert(newest === null || cut.index > newest.index, 'a cut must be past the newest one')
      await this.#apply(cut.ahead, true)
      await this.#apply(cut.objects, false)
      this.#content = {
        cut: { index: cut.index, term: cut.term },
        previousCut: newest,
        pairs: this.#live.share(),
      }
    } catch (error) {
      this.#failure = asDamage(error)
      throw error
    } finally {
      this.#isBusy = false
    }
  }

  async snapshot(): Promise<StoreSnapshot> {
    const { cut, pairs } = this.#content
    assert(cut !== null, 'an empty store has no snapshot')
    this.#assertOpen()
    let isOpen = true
    return {
      cut,
      pairs: (): AsyncIterable<Pair> => {
        assert(isOpen, 'the snapshot is open')
        return this.#walk(() => pairs, outsideRange.from, outsideRange.to, false, Infinity)
      },
      close: async (): Promise<void> => {
        isOpen = false
      },
    }
  }

  async size(): Promise<{ bytes: number }> {
    return { bytes: this.#live.bytes }
  }

  async scrub(): Promise<{ bytes: number }> {
    return this.size()
  }

  async compact(): Promise<void> {}

  async close(): Promise<void> {
    this.#isClosed = true
  }

  async #apply(puts: Iterable<Put>, isAhead: boolean): Promise<void> {
    const live = this.#live.owned()
    const touched = new OrderedBytes()
    for (const { key, value } of puts) {
      assertOutsideKey(key)
      assert(touched.get(key) === undefined, 'a checkpoint uses each key once')
      touched.set(key.slice(), new Uint8Array(0))
      if (isAhead) {
        assert(value !== null, 'ahead values are never deletions')
        assert(key.length + value.length < maxAheadPairBytes, 'an ahead value is too long')
        assert(live.get(key) === undefined, 'an ahead key is a new one')
      }
      if (value === null) live.delete(key)
      else live.set(key.slice(), value.slice())
    }
    await Promise.resolve() // A turn, as the real one takes many.
    this.#assertOpen()
    this.#live = live
  }

  async *#walk(
    pairs: () => OrderedBytes,
    from: Uint8Array,
    to: Uint8Array,
    reverse: boolean,
    limit: number,
  ): AsyncGenerator<Pair> {
    let remaining = limit
    if (remaining <= 0) return
    for (const { key, value } of pairs().share().walk(from, to, reverse)) {
      this.#assertOpen()
      yield { key: key.slice(), value: value.slice() }
      if (--remaining === 0) return
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new DatabaseError('closed', 'the store is closed')
  }
}

/** An install in memory: what is activated is a new `MemoryStore`. */
export class MemoryInstall implements StoreInstall {
  readonly #onActivate: (store: MemoryStore) => () => Promise<void>
  readonly #pairs = new OrderedBytes()
  #cut: CutPosition | null = null
  #isOver = false

  /** `onActivate` puts the new store in force and returns how to retire the old one. */
  constructor(onActivate: (store: MemoryStore) => () => Promise<void>) {
    this.#onActivate = onActivate
  }

  async write(pairs: readonly Pair[]): Promise<void> {
    assert(this.#cut === null && !this.#isOver, 'the install is not finished')
    for (const { key, value } of pairs) {
      assertOutsideKey(key)
      assert(this.#pairs.get(key) === undefined, 'an install writes each key once')
      this.#pairs.set(key.slice(), value.slice())
    }
  }

  async finish(cut: CutPosition): Promise<void> {
    assert(this.#cut === null && !this.#isOver, 'the install is finished once')
    this.#cut = { index: cut.index, term: cut.term }
  }

  async activate(): Promise<{ store: Store; retire: () => Promise<void> }> {
    assert(this.#cut !== null && !this.#isOver, 'a finished install is activated once')
    this.#isOver = true
    const store = new MemoryStore({ cut: this.#cut, previousCut: null, pairs: this.#pairs })
    return { store, retire: this.#onActivate(store) }
  }

  async abort(): Promise<void> {
    this.#isOver = true
  }
}
