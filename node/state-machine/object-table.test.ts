import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../store/memory-store.ts'
import type { Store } from '../store/store.ts'
import { type ObjectKind, ObjectTable, TableObject } from './object-table.ts'

class Counter extends TableObject {
  count = 0
}

const KIND: ObjectKind<Counter> = {
  name: 'counter',
  key: (id) => Buffer.from(`z${id}`),
  encode: ({ count }) => Buffer.from([count]),
  decode(id, bytes) {
    const counter = new Counter(id)
    counter.count = bytes?.[0] ?? 0
    return counter
  },
}

function add(table: ObjectTable<Counter>, id: string): void {
  const counter = table.need(id)
  table.touch(counter)
  counter.count += 1
}

async function cut(table: ObjectTable<Counter>, store: Store, index: number): Promise<void> {
  await store.checkpoint({ index, term: 1, ahead: [], objects: table.freeze() })
  table.completed()
}

describe('a table of objects', () => {
  test('[K3] a cut holds each object as it was at the freeze, also one that changed since', async () => {
    const table = new ObjectTable(KIND, new MemoryStore(), 10)
    await table.load(['a', 'b'])
    add(table, 'a')
    add(table, 'b')
    const puts = table.freeze()
    const first = puts.next().value!
    add(table, 'a')
    add(table, 'b')
    add(table, 'b')
    const rest = [...puts]
    expect([first, ...rest].map(({ value }) => [...value!])).toEqual([[1], [1]])
    table.completed()
    expect([...table.freeze()].map(({ value }) => [...value!])).toEqual([[2], [3]])
  })

  test('[K4] what is dirty stays; what is clean leaves and is read back, then or by prefetch', async () => {
    const store = new MemoryStore()
    const table = new ObjectTable(KIND, store, 0)
    await table.load(['a'])
    add(table, 'a')
    for (let i = 0; i < 3; i += 1) table.evict()
    expect(table.size).toBe(1)
    await cut(table, store, 1)
    for (let i = 0; i < 3; i += 1) table.evict()
    expect(table.size).toBe(0)
    expect((await table.read('a')).count).toBe(1)
    expect((await table.read('never')).count).toBe(0)
    expect(() => table.need('a')).toThrow('not prefetched')
    await table.load(['a'])
    add(table, 'a')
    expect((await table.read('a')).count).toBe(2)
  })

  test('[K4] a read that a change and an eviction overtook is made again', async () => {
    const store = new MemoryStore()
    const table = new ObjectTable(KIND, store, 0)
    await table.load(['a'])
    add(table, 'a')
    await cut(table, store, 1)
    for (let i = 0; i < 3; i += 1) table.evict()
    const get = store.get.bind(store)
    let isHeld = true
    store.get = async (key) => {
      const bytes = await get(key)
      if (isHeld) {
        isHeld = false
        await table.load(['a'])
        add(table, 'a')
        await cut(table, store, 2)
        for (let i = 0; i < 3; i += 1) table.evict()
      }
      return bytes
    }
    expect((await table.read('a')).count).toBe(2)
  })

  test('[K4] a read comes to its end, however much else leaves memory meanwhile', async () => {
    const store = new MemoryStore()
    const table = new ObjectTable(KIND, store, 0)
    await table.load(['a'])
    add(table, 'a')
    await cut(table, store, 1)
    for (let i = 0; i < 3; i += 1) table.evict()
    const get = store.get.bind(store)
    let gets = 0
    store.get = async (key) => {
      gets += 1
      if (gets > 9) throw new Error('it is read again and again')
      table.create(`other ${gets}`)
      for (let i = 0; i < 3; i += 1) table.evict()
      return get(key)
    }
    expect((await table.read('a')).count).toBe(1)
    expect(gets).toBe(1)
  })
})
