import { assert, type Logger, NO_FAILPOINTS } from '#cluster'
import { LevelInstall } from './level-install.ts'
import type { LevelStore } from './level-store.ts'
import { StoreFolder, type StoreFolderOptions } from './store-folder.ts'
import { StorePointer } from './store-pointer.ts'
import {
  StoreDamagedError,
  type CutPosition,
  type Pair,
  type Store,
  type StoreDirectory,
  type StoreInstall,
} from './store.ts'

export interface StoreDirectoryOptions extends StoreFolderOptions {
  /** Made if it is missing. Nothing else may be kept in it. */
  readonly directory: string
  readonly log?: Logger
}

/**
 * Opens the store that `current` names, or makes an empty one in a new directory, and removes what a
 * crash left of installs and discards. Damage is told by `damaged`; this rejects only for what says
 * nothing about the store: a lock held by another process, missing rights, a full disk.
 */
export async function openStoreDirectory(options: StoreDirectoryOptions): Promise<StoreDirectory> {
  const opened = new OpenedDirectory(options)
  await opened.open()
  return opened
}

class OpenedDirectory implements StoreDirectory {
  readonly #options: StoreDirectoryOptions
  readonly #pointer: StorePointer
  #folder: StoreFolder | null = null
  #store: LevelStore | null = null
  #damaged: StoreDamagedError | null = null
  #install: DirectoryInstall | null = null

  constructor(options: StoreDirectoryOptions) {
    this.#options = options
    this.#pointer = new StorePointer(options.fileSystem, options.directory)
  }

  get store(): Store | null {
    return this.#store
  }

  get damaged(): StoreDamagedError | null {
    return this.#damaged
  }

  async open(): Promise<void> {
    const { fileSystem, directory } = this.#options
    await fileSystem.makeDirectory(directory)
    // Without its name in the parent a power cut takes all of it, however well it was synced inside.
    await fileSystem.syncDirectory(parentOf(directory))
    try {
      const name = await this.#pointer.read()
      if (name === null) {
        await this.#begin()
      } else {
        await this.#removeAllBut(name)
        this.#folder = this.#folderOf(name)
        this.#store = await this.#folder.open()
      }
    } catch (error) {
      if (!(error instanceof StoreDamagedError)) throw error
      this.#damaged = error
      this.#options.log?.error('store.damaged', { error: error.message })
    }
  }

  async install(): Promise<StoreInstall> {
    assert(this.#install === null, 'one install at a time')
    const name = await this.#nextName()
    const folder = this.#folderOf(name)
    const { database, seal } = await folder.create()
    await this.#options.fileSystem.syncDirectory(this.#options.directory)
    const filling = new LevelInstall(folder, database, seal)
    const install: DirectoryInstall = new DirectoryInstall(filling, folder, {
      activate: (store) => this.#activate(name, folder, store),
      over: () => {
        if (this.#install === install) this.#install = null
      },
    })
    this.#install = install
    return install
  }

  async discard(): Promise<Store> {
    await this.#install?.abort()
    await this.#store?.close()
    const name = await this.#nextName()
    const store = await this.#createEmpty(name)
    this.#store = store
    this.#damaged = null
    await this.#removeAllBut(name)
    this.#options.log?.warn('store.discarded', { replacedBy: name })
    return store
  }

  async close(): Promise<void> {
    await this.#install?.abort()
    await this.#store?.close()
  }

  /** No pointer: a first start, or one that crashed before it wrote the pointer. */
  async #begin(): Promise<void> {
    for (const name of await this.#storeNames()) {
      if (await this.#folderOf(name).hasPromised()) {
        throw new StoreDamagedError(
          `${this.#options.directory}/current is gone, but ${name} holds a store: discard it`,
        )
      }
    }
    await this.#removeAllBut(null)
    this.#store = await this.#createEmpty(await this.#nextName())
  }

  async #createEmpty(name: string): Promise<LevelStore> {
    const folder = this.#folderOf(name)
    const { database } = await folder.create()
    await database.close()
    await this.#pointer.write(name)
    this.#folder = folder
    return folder.open()
  }

  async #activate(
    name: string,
    folder: StoreFolder,
    store: LevelStore,
  ): Promise<() => Promise<void>> {
    const oldStore = this.#store
    const oldFolder = this.#folder
    await this.#pointer.write(name)
    const { failpoints = NO_FAILPOINTS } = this.#options
    failpoints.hit('snapshot.pointerWritten')
    this.#folder = folder
    this.#store = store
    this.#damaged = null
    return async () => {
      await oldStore?.close()
      await oldFolder?.remove()
      await this.#options.fileSystem.syncDirectory(this.#options.directory)
    }
  }

  async #removeAllBut(kept: string | null): Promise<void> {
    for (const name of await this.#storeNames()) {
      if (name !== kept) await this.#folderOf(name).remove()
    }
    await this.#options.fileSystem.syncDirectory(this.#options.directory)
  }

  async #storeNames(): Promise<string[]> {
    const names = await this.#options.fileSystem.list(this.#options.directory)
    return names.filter((name) => /^store-\d+$/.test(name))
  }

  /** Above every name there is, so that a leftover is never taken for a new one. */
  async #nextName(): Promise<string> {
    const numbers = (await this.#storeNames()).map((name) => Number(name.slice('store-'.length)))
    return `store-${String(Math.max(0, ...numbers) + 1).padStart(6, '0')}`
  }

  #folderOf(name: string): StoreFolder {
    return new StoreFolder(this.#options, `${this.#options.directory}/${name}`)
  }
}

interface InstallEvents {
  readonly activate: (store: LevelStore) => Promise<() => Promise<void>>
  readonly over: () => void
}

class DirectoryInstall implements StoreInstall {
  readonly #filling: LevelInstall
  readonly #folder: StoreFolder
  readonly #events: InstallEvents
  #finished: LevelStore | null = null
  #isOver = false

  constructor(filling: LevelInstall, folder: StoreFolder, events: InstallEvents) {
    this.#filling = filling
    this.#folder = folder
    this.#events = events
  }

  write(pairs: readonly Pair[]): Promise<void> {
    assert(this.#finished === null && !this.#isOver, 'the install is not finished')
    return this.#filling.write(pairs)
  }

  async finish(cut: CutPosition): Promise<void> {
    assert(this.#finished === null && !this.#isOver, 'the install is finished once')
    this.#finished = await this.#filling.finish(cut)
  }

  async activate(): Promise<{ store: Store; retire: () => Promise<void> }> {
    const store = this.#finished
    assert(store !== null && !this.#isOver, 'a finished install is activated once')
    this.#isOver = true
    const retire = await this.#events.activate(store)
    this.#events.over()
    return { store, retire }
  }

  async abort(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.#filling.close()
    await this.#finished?.close()
    await this.#folder.remove()
    this.#events.over()
  }
}

function parentOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at < 0 ? '.' : path.slice(0, Math.max(at, 1))
}
