import { assert } from '#cluster'
import { MemoryInstall, MemoryStore } from './memory-store.ts'
import type { Store, StoreDirectory, StoreInstall } from './store.ts'

/** `StoreDirectory` in memory: never damaged. */
export class MemoryStoreDirectory implements StoreDirectory {
  readonly damaged = null
  #store: MemoryStore
  #install: MemoryInstall | null = null

  constructor(store = new MemoryStore()) {
    this.#store = store
  }

  get store(): MemoryStore {
    return this.#store
  }

  /** What a start finds after this process crashed now. */
  reopened(): MemoryStoreDirectory {
    return new MemoryStoreDirectory(this.#store.reopened())
  }

  async install(): Promise<StoreInstall> {
    assert(this.#install === null, 'one install at a time')
    const install = new MemoryInstall((store) => {
      const old = this.#store
      this.#store = store
      return () => old.close()
    })
    this.#install = install
    return {
      write: (pairs) => install.write(pairs),
      finish: (cut) => install.finish(cut),
      activate: async () => {
        const activated = await install.activate()
        this.#install = null
        return activated
      },
      abort: async () => {
        if (this.#install === install) this.#install = null
        await install.abort()
      },
    }
  }

  async discard(): Promise<Store> {
    await this.#store.close()
    this.#store = new MemoryStore()
    return this.#store
  }

  async close(): Promise<void> {
    await this.#install?.abort()
    await this.#store.close()
  }
}
