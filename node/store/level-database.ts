import { Level } from 'level'
import type { FileSystem } from '#cluster'
import {
  type DatabaseSnapshot,
  type KeyRange,
  type KeyValueDatabase,
  type KeyValueDatabaseFactory,
  type KeyValueIterator,
  type StoredPair,
  type VerifyOptions,
  type WriteBatch,
} from './key-value-database.ts'
import { databaseError } from './level-error.ts'
import { verifyTables } from './table-verifier.ts'

/** The figures are in `bench/README.md`: memory during compactions decided. */
export interface LevelTuning {
  readonly writeBufferSize: number
  readonly blockSize: number
  readonly cacheSize: number
  readonly maxFileSize: number
  /**
   * LevelDB maps a table into memory for as long as it is open, so this times `maxFileSize` bounds
   * what a full scan, a snapshot's or its check's, makes of the process. Its least is 74, of which
   * ten are not tables. A read of a table that is not open costs some 15 µs more, on another thread.
   */
  readonly maxOpenFiles: number
}

export const defaultLevelTuning: LevelTuning = {
  writeBufferSize: 8 * 1024 * 1024,
  blockSize: 4 * 1024,
  cacheSize: 8 * 1024 * 1024,
  maxFileSize: 4 * 1024 * 1024,
  maxOpenFiles: 74,
}

/** Bytes, not strings, both ways. */
const encodings = { keyEncoding: 'view', valueEncoding: 'view' } as const
const defaultFetchBytes = 32 * 1024
const lowestKey = new Uint8Array(0)
const highestKey = new Uint8Array(1100).fill(255)

/** `level` types only what it has in a browser too. */
interface NodeOnly {
  approximateSize(from: Uint8Array, to: Uint8Array): Promise<number>
  compactRange(from: Uint8Array, to: Uint8Array): Promise<void>
  getProperty(name: string): string
}
type Database = Level<Uint8Array, Uint8Array> & NodeOnly
type LevelSnapshot = ReturnType<Database['snapshot']>

export class LevelDatabaseFactory implements KeyValueDatabaseFactory {
  readonly #fileSystem: FileSystem
  readonly #tuning: LevelTuning

  constructor(fileSystem: FileSystem, tuning: LevelTuning = defaultLevelTuning) {
    this.#fileSystem = fileSystem
    this.#tuning = tuning
  }

  /**
   * Compression stays off: it saves little on opaque bodies, and a flipped bit in a compressed block
   * makes LevelDB allocate whatever length the damaged header names.
   */
  async open(path: string, options: { readonly create: boolean }): Promise<KeyValueDatabase> {
    const level = new Level<Uint8Array, Uint8Array>(path, encodings) as Database
    try {
      await level.open({
        ...this.#tuning,
        compression: false,
        createIfMissing: options.create,
        errorIfExists: options.create,
      })
    } catch (error) {
      throw databaseError(error, 'open')
    }
    return new LevelDatabase(level)
  }

  verify(path: string, options: VerifyOptions = {}): Promise<number> {
    return verifyTables(this.#fileSystem, path, options)
  }

  async remove(path: string): Promise<void> {
    const names = await this.#fileSystem.list(path)
    for (const name of names) await this.#fileSystem.remove(`${path}/${name}`)
    if (await this.#fileSystem.exists(path)) await this.#fileSystem.removeDirectory(path)
  }
}

/** LevelDB behind the port: what it can and cannot be trusted with is said there. */
class LevelDatabase implements KeyValueDatabase {
  readonly #level: Database

  constructor(level: Database) {
    this.#level = level
  }

  async get(key: Uint8Array): Promise<Uint8Array | null> {
    return (await translated(this.#level.get(key))) ?? null
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
    const found = await translated(this.#level.getMany([...keys]))
    return found.map((value) => value ?? null)
  }

  iterate(range: KeyRange): KeyValueIterator {
    const { from, to, reverse = false, snapshot, fetchBytes = defaultFetchBytes } = range
    const iterator = translatedSync(() =>
      this.#level.iterator({
        gte: from,
        lt: to,
        reverse,
        highWaterMarkBytes: fetchBytes,
        ...(snapshot === undefined ? {} : { snapshot: (snapshot as PinnedSnapshot).level }),
      }),
    )
    return {
      next: async (count): Promise<StoredPair[]> => {
        const pairs = await translated(iterator.nextv(count))
        return pairs.map(([key, value]) => ({ key, value }))
      },
      close: () => iterator.close(),
    }
  }

  /** Filled pair by pair: an array handed over whole would be copied in one long stall. */
  batch(): WriteBatch {
    const batch = translatedSync(() => this.#level.batch())
    return {
      put: (key, value) => void batch.put(key, value),
      delete: (key) => void batch.del(key),
      write: () => translated(batch.write({ sync: true })),
      abandon: () => batch.close(),
    }
  }

  snapshot(): DatabaseSnapshot {
    return new PinnedSnapshot(translatedSync(() => this.#level.snapshot()))
  }

  async size(): Promise<number> {
    const tables = await translated(this.#level.approximateSize(lowestKey, highestKey))
    const memory = Number(this.#level.getProperty('leveldb.approximate-memory-usage'))
    return tables + (Number.isFinite(memory) ? memory : 0)
  }

  compact(): Promise<void> {
    return translated(this.#level.compactRange(lowestKey, highestKey))
  }

  close(): Promise<void> {
    return this.#level.close()
  }
}

class PinnedSnapshot implements DatabaseSnapshot {
  readonly level: LevelSnapshot

  constructor(level: LevelSnapshot) {
    this.level = level
  }

  close(): Promise<void> {
    return this.level.close()
  }
}

async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw databaseError(error, 'use')
  }
}

function translatedSync<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw databaseError(error, 'use')
  }
}
