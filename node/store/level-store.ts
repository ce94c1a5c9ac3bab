import { assert, type Clock, type Failpoints } from '#cluster'
import { BatchKind, decodeBatchRecord, type BatchRecord } from './batch-record.ts'
import { BatchWriter } from './batch-writer.ts'
import { CheckpointRun } from './checkpoint-run.ts'
import { asDamage, detectDamage } from './damage.ts'
import { decodeKeyList } from './key-list.ts'
import { DatabaseError, type KeyValueDatabase, type VerifyOptions } from './key-value-database.ts'
import { PinnedCut } from './pinned-cut.ts'
import { readPairs } from './read-pairs.ts'
import { RecordHistory } from './record-history.ts'
import { SlicePacer, type PacerOptions } from './slice-pacer.ts'
import { aheadListKey, assertOutsideKey, batchRecordKey, batchRecordRange } from './store-keys.ts'
import type { StoreSeal } from './store-seal.ts'
import {
  StoreDamagedError,
  type Cut,
  type CutPosition,
  type Pair,
  type Store,
  type StoreSnapshot,
} from './store.ts'
import { ValueCodec } from './value-codec.ts'

export interface LevelStoreOptions {
  readonly database: KeyValueDatabase
  readonly seal: StoreSeal
  /**
   * Makes the names of the database's files durable. LevelDB syncs a new log file's bytes but not
   * its name, so without this a power cut could take a synced cut along with the file.
   */
  readonly syncNames: () => Promise<void>
  /** Checks the database's own files, see `KeyValueDatabaseFactory.verify`. */
  readonly verifyFiles: (options: VerifyOptions) => Promise<number>
  /** Called after an orderly close. */
  readonly onClosed: () => Promise<void>
  readonly clock: Clock
  readonly failpoints: Failpoints
  readonly pacing?: PacerOptions
}

/** The store on an ordered key-value database, `level` in a real node (rules K3, K5, K6). */
export class LevelStore implements Store {
  readonly #options: LevelStoreOptions
  readonly #database: KeyValueDatabase
  readonly #codec = new ValueCodec()
  readonly #history: RecordHistory
  readonly #writer: BatchWriter
  #pinned: PinnedCut | null = null
  #previousCut: CutPosition | null = null
  #checkpoint: Promise<void> | null = null
  #failure: Error | null = null
  #isClosed = false

  private constructor(options: LevelStoreOptions, history: RecordHistory) {
    this.#options = options
    this.#database = options.database
    this.#history = history
    this.#writer = new BatchWriter(options.database, this.#codec, history)
  }

  /**
   * Verifies the batch records, takes back ahead values that a crash left past the newest cut and
   * makes that cut a promised one. Throws `StoreDamagedError`. Owns `database` from the call on.
   */
  static async open(options: LevelStoreOptions): Promise<LevelStore> {
    try {
      const codec = new ValueCodec()
      const records = await readRecords(options.database, codec)
      const history = RecordHistory.verify(records, options.seal.promised)
      const store = new LevelStore(options, history)
      await store.#undoAhead()
      await store.#publish()
      return store
    } catch (error) {
      await options.database.close()
      throw asDamage(error)
    }
  }

  get cut(): CutPosition | null {
    return this.#pinned?.cut ?? null
  }

  get previousCut(): CutPosition | null {
    return this.#previousCut
  }

  async get(key: Uint8Array): Promise<Uint8Array | null> {
    assertOutsideKey(key)
    const stored = await detectDamage(this.#database.get(key))
    return stored === null ? null : this.#codec.open(key, stored)
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
    for (const key of keys) assertOutsideKey(key)
    const found = await detectDamage(this.#database.getMany(keys))
    assert(found.length === keys.length, 'the database answers each key')
    return found.map((stored, i) => (stored === null ? null : this.#codec.open(keys[i]!, stored)))
  }

  range(
    from: Uint8Array,
    to: Uint8Array,
    options: { readonly reverse?: boolean; readonly limit?: number } = {},
  ): AsyncIterable<Pair> {
    assertOutsideKey(from)
    const { reverse = false, limit = Infinity } = options
    return readPairs(this.#database, this.#codec, { from, to, reverse }, limit)
  }

  async checkpoint(cut: Cut): Promise<void> {
    assert(this.#checkpoint === null, 'one checkpoint at a time')
    this.#assertGoing()
    const running = this.#run(cut)
    this.#checkpoint = running
    try {
      await running
    } catch (error) {
      this.#failure = asDamage(error)
      throw this.#failure
    } finally {
      this.#checkpoint = null
    }
  }

  async snapshot(): Promise<StoreSnapshot> {
    assert(this.#pinned !== null, 'an empty store has no snapshot')
    this.#assertOpen()
    return this.#pinned.lend()
  }

  async size(): Promise<{ bytes: number }> {
    return { bytes: await this.#database.size() }
  }

  async scrub(): Promise<{ bytes: number }> {
    const pacer = new SlicePacer(this.#options.clock, this.#options.pacing)
    const pace = async (): Promise<void> => {
      this.#assertOpen()
      if (pacer.due()) await pacer.pause()
    }
    return { bytes: await detectDamage(this.#options.verifyFiles({ pace })) }
  }

  compact(): Promise<void> {
    this.#assertOpen()
    return this.#database.compact()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#checkpoint?.catch(() => undefined) // Its caller hears of it.
    await this.#database.close()
    await this.#options.onClosed()
  }

  async #run(cut: Cut): Promise<void> {
    const { clock, pacing, failpoints } = this.#options
    const newest = this.#history.cut
    assert(newest === null || cut.index > newest.index, 'a cut must be past the newest one')
    const pacer = new SlicePacer(clock, pacing)
    const assertGoing = () => this.#assertGoing()
    const run = new CheckpointRun({ writer: this.#writer, pacer, failpoints, assertGoing })
    await run.write(cut)
    await this.#publish()
  }

  /** The newest cut is synced: promises it, then shows it. */
  async #publish(): Promise<void> {
    const { cut, previousCut } = this.#history
    if (cut === null) return
    const { seal, syncNames, failpoints } = this.#options
    if (seal.promised?.number !== cut.number) {
      failpoints.hit('checkpoint.cutWritten')
      await syncNames()
      failpoints.hit('checkpoint.unsealed')
      await seal.write({ number: cut.number, chain: cut.chain })
      failpoints.hit('checkpoint.sealed')
    }
    const old = this.#pinned
    this.#pinned = new PinnedCut(this.#database, this.#codec, positionOf(cut))
    this.#previousCut = previousCut === null ? null : positionOf(previousCut)
    await old?.release()
  }

  /** Ahead keys are new ones, so deleting them restores the newest cut exactly. */
  async #undoAhead(): Promise<void> {
    const orphans = this.#history.openAhead
    if (orphans.length === 0) return
    const open = this.#writer.begin()
    for (const number of orphans) {
      const listKey = aheadListKey(number)
      const stored = await this.#database.get(listKey)
      const keys = stored === null ? null : decodeKeyList(this.#codec.open(listKey, stored))
      if (keys === null) {
        throw new StoreDamagedError(`the key list of batch ${number} is gone: discard the store`)
      }
      for (const key of keys) this.#writer.delete(open, key)
    }
    const { index, term } = this.#history.cut ?? { index: 0, term: 0 }
    await this.#writer.commit(open, BatchKind.undo, { index, term })
    this.#options.failpoints.hit('checkpoint.aheadUndone')
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new DatabaseError('closed', 'the store is closed')
  }

  #assertGoing(): void {
    this.#assertOpen()
    if (this.#failure !== null) throw this.#failure
  }
}

function positionOf(record: BatchRecord): CutPosition {
  return { index: record.index, term: record.term }
}

async function readRecords(database: KeyValueDatabase, codec: ValueCodec): Promise<BatchRecord[]> {
  const records: BatchRecord[] = []
  for await (const { key, value } of readPairs(database, codec, batchRecordRange, Infinity)) {
    const record = decodeBatchRecord(value)
    if (record === null || Buffer.compare(batchRecordKey(record.number), key) !== 0) {
      throw new StoreDamagedError('a batch record cannot be read: the store must be discarded')
    }
    records.push(record)
  }
  return records
}
