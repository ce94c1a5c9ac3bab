// The contract of a store over IndexedDB: only in a page.
import { LevelStore } from '#client/store'
import { describeStore } from '../../client/store/store.contract.ts'

let places = 0

describeStore('LevelStore', async (limits) => {
  const name = `store-${places++}`
  return { next: () => new LevelStore(name, limits) }
})
