import { describe, expect, it } from 'vitest'
import { MemoryStoreDirectory } from './memory-store-directory.ts'
import { MemoryStore } from './memory-store.ts'
import { describeStore, type StoreFixture } from './store.contract.ts'

describeStore('MemoryStore', async () => {
  const fixtureOf = (directory: MemoryStoreDirectory): StoreFixture => ({
    directory,
    crash: async () => fixtureOf(directory.reopened()),
    dispose: () => directory.close(),
  })
  return fixtureOf(new MemoryStoreDirectory())
})

describe('MemoryStore', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

  it('[K3] holds its caller to new ahead keys', async () => {
    const store = new MemoryStore()
    const ahead = [{ key: bytes('v'), value: bytes('1') }]
    await store.checkpoint({ index: 1, term: 1, ahead, objects: [] })
    await expect(store.checkpoint({ index: 2, term: 1, ahead, objects: [] })).rejects.toThrow(
      'an ahead key is a new one',
    )
  })
})
