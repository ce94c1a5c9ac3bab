import { assert } from '#cluster'
import { BatchKind } from './batch-record.ts'
import { BatchWriter, type OpenBatch } from './batch-writer.ts'
import type { KeyValueDatabase } from './key-value-database.ts'
import type { LevelStore } from './level-store.ts'
import { RecordHistory } from './record-history.ts'
import type { StoreFolder } from './store-folder.ts'
import type { StoreSeal } from './store-seal.ts'
import { StoreDamagedError, type CutPosition, type Pair } from './store.ts'
import { checksumOf, ValueCodec } from './value-codec.ts'

/** What was written, told apart from what is read back, in any order. */
class Tally {
  #pairs = 0
  #bytes = 0
  #sum = 0

  add(key: Uint8Array, value: Uint8Array): void {
    this.#pairs++
    this.#bytes += key.length + value.length
    this.#sum = (this.#sum + checksumOf(key, value)) % 2 ** 48
  }

  equals(other: Tally): boolean {
    return this.#pairs === other.#pairs && this.#bytes === other.#bytes && this.#sum === other.#sum
  }
}

/** Fills a new store folder with a snapshot and proves that it holds all of it (rule K6). */
export class LevelInstall {
  readonly #folder: StoreFolder
  readonly #database: KeyValueDatabase
  readonly #seal: StoreSeal
  readonly #history = RecordHistory.empty()
  readonly #writer: BatchWriter
  readonly #written = new Tally()
  #isClosed = false
  #work: Promise<void> = Promise.resolve()

  constructor(folder: StoreFolder, database: KeyValueDatabase, seal: StoreSeal) {
    this.#folder = folder
    this.#database = database
    this.#seal = seal
    this.#writer = new BatchWriter(database, new ValueCodec(), this.#history)
  }

  /** In batches as long as ahead ones, without key lists: an unfinished install is never opened. */
  async write(pairs: readonly Pair[]): Promise<void> {
    this.#work = this.#work.then(() => this.#write(pairs))
    return this.#work
  }

  async finish(cut: CutPosition): Promise<LevelStore> {
    await this.#work
    assert(!this.#isClosed, 'the install is finished once')
    const batch = this.#writer.begin()
    const record = await this.#writer.commit(batch, BatchKind.cut, cut)
    await this.#folder.syncNames()
    await this.#seal.write({ number: record.number, chain: record.chain })
    // Opened anew, so that what is read back comes from files and not from write buffers.
    await this.close()
    const store = await this.#folder.open()
    try {
      await this.#verify(store)
    } catch (error) {
      await store.close()
      throw error
    }
    return store
  }

  /** After what is being written now. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#work.catch(() => undefined) // Its caller hears of it.
    await this.#database.close()
  }

  async #write(pairs: readonly Pair[]): Promise<void> {
    let open: OpenBatch | null = null
    for (const { key, value } of pairs) {
      assert(!this.#isClosed, 'the install is open')
      if (open !== null && !this.#writer.hasRoom(open, key, value)) {
        await this.#writer.commit(open, BatchKind.ahead, { index: 0, term: 0 })
        open = null
      }
      open ??= this.#writer.begin()
      this.#writer.put(open, key, value)
      this.#written.add(key, value)
    }
    if (open !== null) await this.#writer.commit(open, BatchKind.ahead, { index: 0, term: 0 })
  }

  async #verify(store: LevelStore): Promise<void> {
    const found = new Tally()
    const snapshot = await store.snapshot()
    for await (const { key, value } of snapshot.pairs()) found.add(key, value)
    await snapshot.close()
    if (!found.equals(this.#written)) {
      throw new StoreDamagedError('the installed store does not hold what was written into it')
    }
    await store.scrub()
  }
}
