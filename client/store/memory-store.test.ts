import { MemoryStore } from './memory-store.ts'
import { describeStore } from './store.contract.ts'

describeStore('MemoryStore', async (limits) => {
  const store = new MemoryStore(limits)
  return { next: () => store }
})
