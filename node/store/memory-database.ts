import {
  DatabaseError,
  type DatabaseSnapshot,
  type KeyRange,
  type KeyValueDatabase,
  type KeyValueDatabaseFactory,
  type KeyValueIterator,
  type StoredPair,
  type VerifyOptions,
  type WriteBatch,
} from './key-value-database.ts'
import { OrderedBytes, takePairs } from './ordered-bytes.ts'

/** One batch as it was synced; `null` deletes. */
export type SyncedBatch = readonly (readonly [key: Uint8Array, value: Uint8Array | null])[]

/**
 * Databases in memory that outlive their `close`, as on a disk. `batches` shows every database as
 * the log of its synced batches: whoever simulates a disk cuts or alters it between two opens.
 */
export class MemoryDatabaseFactory implements KeyValueDatabaseFactory {
  readonly batches = new Map<string, SyncedBatch[]>()
  readonly #open = new Set<string>()

  open(path: string, options: { readonly create: boolean }): Promise<KeyValueDatabase> {
    const old = this.batches.get(path)
    if (this.#open.has(path)) return failure('locked', `${path} is open already`)
    if (options.create && old !== undefined) return failure('io', `${path} exists`)
    if (!options.create && old === undefined) return failure('corrupt', `${path} does not exist`)
    const batches = old ?? []
    this.batches.set(path, batches)
    this.#open.add(path)
    return Promise.resolve(new MemoryDatabase(batches, () => this.#open.delete(path)))
  }

  /** There is nothing between what was synced and what is read. */
  async verify(path: string, options: VerifyOptions = {}): Promise<number> {
    let bytes = 0
    for (const batch of this.batches.get(path) ?? []) {
      for (const [key, value] of batch) bytes += key.length + (value?.length ?? 0)
      await options.pace?.()
    }
    return bytes
  }

  remove(path: string): Promise<void> {
    this.batches.delete(path)
    return Promise.resolve()
  }

  /** What a crash of the process does to the databases: open ones lose their owner, nothing else. */
  crash(): void {
    this.#open.clear()
  }
}

class MemoryDatabase implements KeyValueDatabase {
  readonly #batches: SyncedBatch[]
  readonly #onClose: () => void
  #pairs = new OrderedBytes()
  #isClosed = false

  constructor(batches: SyncedBatch[], onClose: () => void) {
    this.#batches = batches
    this.#onClose = onClose
    for (const batch of batches) this.#apply(batch)
  }

  async get(key: Uint8Array): Promise<Uint8Array | null> {
    this.#assertOpen()
    return copied(this.#pairs.get(key))
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
    this.#assertOpen()
    return keys.map((key) => copied(this.#pairs.get(key)))
  }

  iterate(range: KeyRange): KeyValueIterator {
    this.#assertOpen()
    const pairs =
      range.snapshot instanceof MemorySnapshot ? range.snapshot.pairs : this.#pairs.share()
    const walk = pairs.walk(range.from, range.to, range.reverse ?? false)
    return {
      next: async (count): Promise<StoredPair[]> => {
        this.#assertOpen()
        return takePairs(walk, count)
      },
      close: () => Promise.resolve(),
    }
  }

  batch(): WriteBatch {
    this.#assertOpen()
    const batch: [Uint8Array, Uint8Array | null][] = []
    return {
      put: (key, value) => void batch.push([key.slice(), value.slice()]),
      delete: (key) => void batch.push([key.slice(), null]),
      write: async () => {
        this.#assertOpen()
        this.#batches.push(batch)
        this.#apply(batch)
      },
      abandon: () => Promise.resolve(),
    }
  }

  snapshot(): DatabaseSnapshot {
    this.#assertOpen()
    return new MemorySnapshot(this.#pairs.share())
  }

  async size(): Promise<number> {
    this.#assertOpen()
    return this.#pairs.bytes
  }

  async compact(): Promise<void> {
    this.#assertOpen()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#onClose()
  }

  #apply(batch: SyncedBatch): void {
    this.#pairs = this.#pairs.owned()
    for (const [key, value] of batch) {
      if (value === null) this.#pairs.delete(key)
      else this.#pairs.set(key, value)
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new DatabaseError('closed', 'the database is closed')
  }
}

class MemorySnapshot implements DatabaseSnapshot {
  readonly pairs: OrderedBytes

  constructor(pairs: OrderedBytes) {
    this.pairs = pairs
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

function copied(value: Uint8Array | undefined): Uint8Array | null {
  return value === undefined ? null : value.slice()
}

function failure(kind: 'corrupt' | 'io' | 'locked', message: string): Promise<never> {
  return Promise.reject(new DatabaseError(kind, message))
}
