import type { Clock, FileSystem } from '#cluster'
import { asDamage } from './damage.ts'
import type { KeyValueDatabase, KeyValueDatabaseFactory } from './key-value-database.ts'
import { LevelStore } from './level-store.ts'
import type { PacerOptions } from './slice-pacer.ts'
import { StoreSeal } from './store-seal.ts'

export interface StoreFolderOptions {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly databases: KeyValueDatabaseFactory
  readonly pacing?: PacerOptions
}

/** One store on disk: a database in `db` and its seal beside it. */
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
    const { clock, pacing, databases, fileSystem } = this.#options
    const seal = await StoreSeal.open(fileSystem, this.#sealPath)
    const database = await this.#openDatabase(databases)
    return LevelStore.open({
      database,
      seal,
      clock,
      syncNames: () => this.syncNames(),
      ...(pacing === undefined ? {} : { pacing }),
    })
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
    if (await fileSystem.exists(this.#sealPath)) await fileSystem.remove(this.#sealPath)
    if (await fileSystem.exists(this.path)) await fileSystem.removeDirectory(this.path)
  }

  get #databasePath(): string {
    return `${this.path}/db`
  }

  get #sealPath(): string {
    return `${this.path}/seal`
  }

  async #openDatabase(databases: KeyValueDatabaseFactory): Promise<KeyValueDatabase> {
    try {
      return await databases.open(this.#databasePath, { create: false })
    } catch (error) {
      throw asDamage(error)
    }
  }
}
