import { openLevelDatabase } from '../host/level-database.ts'
import { DurableStore, type StoreOptions } from './durable-store.ts'

/**
 * Keeps what a client must not forget in a LevelDB directory (Node.js; every change is synced to
 * disk) or in IndexedDB (browsers; as durable as the browser makes it). One client at a time.
 */
export class LevelStore extends DurableStore {
  /** @param location a directory, made if it is missing; in browsers the name of a database. */
  constructor(location: string, options: Partial<StoreOptions> = {}) {
    super(() => openLevelDatabase(location), options)
  }
}

export { DurableStore, type StoreOptions } from './durable-store.ts'
export { type StoreDamage } from './read-store.ts'
export { type StoreLimits } from './store-index.ts'
export { type Assignment, type StoreDatabase } from './store-database.ts'
