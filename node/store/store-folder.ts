import { type Clock, type Failpoints, type FileSystem, NO_FAILPOINTS } from '#cluster'
import { detectDamage } from './damage.ts'
import type { KeyValueDatabase, KeyValueDatabaseFactory } from './key-value-database.ts'
import { LevelStore } from './level-store.ts'
import type { PacerOptions } from './slice-pacer.ts'
import { StartCounter } from './start-counter.ts'
import { StoreSeal } from './store-seal.ts'

export interface StoreFolderOptions {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly databases: KeyValueDatabaseFactory
  readonly pacing?: PacerOptions
  /** @default none */
  readonly failpoints?: Failpoints
}

/**
 * LevelDB, as it is built, ends the process when it walks into some kinds of rot. From the third
 * start on that follows such short lives, the files are verified without LevelDB before it sees them.
 */
const trustedStarts = 2

/**
 * A database of up to this size is verified at every open: about half a second. LevelDB itself looks
 * at no table's checksums, and a compaction writes what it read under fresh ones, so rot in a key that
 * is not found before LevelDB opens may never be (rule K5). Larger ones rely on `Store.scrub`.
 */
const quicklyVerifiedBytes = 512 * 1024 * 1024

/** One store on disk: a database in `db`, beside it its seal and a count of short lives. */
export class StoreFolder {
  readonly path: string
  readonly #options: StoreFolderOptions

  constructor(options: StoreFolderOptions, path: string) {
    this.#options = options
    this.path = path
  }

  /** A new, empty and synced one. The caller syncs the directory that it is in. */
  async create(): Promise<{ database: KeyValueDatabase; seal: StoreSeal }> {
    const { fileSystem, databases } = this.#options
    await fileSystem.makeDirectory(this.#databasePath)
    const seal = await StoreSeal.create(fileSystem, this.#sealPath)
    const database = await databases.open(this.#databasePath, { create: true })
    await this.syncNames()
    await fileSystem.syncDirectory(this.path)
    return { database, seal }
  }

  /** Throws `StoreDamagedError` unless it holds everything it acknowledged, as far as can be told. */
  async open(): Promise<LevelStore> {
    const { clock, fileSystem } = this.#options
    const starts = new StartCounter(fileSystem, clock, this.#startsPath)
    const count = await starts.begin()
    try {
      await this.#verifyFiles(count > trustedStarts ? Infinity : quicklyVerifiedBytes)
      return await this.#open(starts)
    } catch (error) {
      starts.abandon()
      throw error
    }
  }

  syncNames(): Promise<void> {
    return this.#options.fileSystem.syncDirectory(this.#databasePath)
  }

  /** Whether it has ever acknowledged a cut. */
  async hasPromised(): Promise<boolean> {
    const { promised } = await StoreSeal.open(this.#options.fileSystem, this.#sealPath)
    return promised !== null && promised.number > 0
  }

  /** Removes it with all it holds; nothing there is fine. */
  async remove(): Promise<void> {
    const { fileSystem, databases } = this.#options
    await databases.remove(this.#databasePath)
    // A database that keeps no files leaves its directory to us.
    if (await fileSystem.exists(this.#databasePath)) {
      await fileSystem.removeDirectory(this.#databasePath)
    }
    for (const path of [this.#sealPath, this.#startsPath]) {
      if (await fileSystem.exists(path)) await fileSystem.remove(path)
    }
    if (await fileSystem.exists(this.path)) await fileSystem.removeDirectory(this.path)
  }

  get #databasePath(): string {
    return `${this.path}/db`
  }

  get #sealPath(): string {
    return `${this.path}/seal`
  }

  get #startsPath(): string {
    return `${this.path}/starts`
  }

  async #open(starts: StartCounter): Promise<LevelStore> {
    const { clock, pacing, databases, fileSystem, failpoints = NO_FAILPOINTS } = this.#options
    const seal = await StoreSeal.open(fileSystem, this.#sealPath)
    const database = await detectDamage(databases.open(this.#databasePath, { create: false }))
    return LevelStore.open({
      database,
      seal,
      clock,
      failpoints,
      syncNames: () => this.syncNames(),
      verifyFiles: (options) => databases.verify(this.#databasePath, options),
      onClosed: () => starts.settle(),
      ...(pacing === undefined ? {} : { pacing }),
    })
  }

  /** Unpaced: until the store is open, nothing else is waiting for this thread. */
  async #verifyFiles(limitBytes: number): Promise<void> {
    await detectDamage(this.#options.databases.verify(this.#databasePath, { limitBytes }))
  }
}
