import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Cut, Pair, Put, Store, StoreDirectory } from './store.ts'

export interface StoreFixture {
  readonly directory: StoreDirectory
  /** Ends the process of `directory` without a `close` and starts the next one. */
  crash(): Promise<StoreFixture>
  dispose(): Promise<void>
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const untext = (value: Uint8Array | null): string | null =>
  value === null ? null : new TextDecoder().decode(value)
const put = (key: string, value: string | null): Put => ({
  key: text(key),
  value: value === null ? null : text(value),
})
const pairs = (...list: [string, string][]): Pair[] =>
  list.map(([key, value]) => ({ key: text(key), value: text(value) }))

function cutOf(index: number, ahead: Put[], objects: Put[]): Cut {
  return { index, term: 7, ahead, objects }
}

async function collect(source: AsyncIterable<Pair>): Promise<[string, string][]> {
  const found: [string, string][] = []
  for await (const { key, value } of source) found.push([untext(key)!, untext(value)!])
  return found
}

const everything = (store: Store): Promise<[string, string][]> =>
  collect(store.range(Uint8Array.of(1), Uint8Array.of(255)))

/** Rules K3, K5 and K6 as the state machine meets them. */
export function describeStore(name: string, make: () => Promise<StoreFixture>): void {
  describe(`the store contract: ${name}`, () => {
    let fixture: StoreFixture
    let store: Store

    beforeEach(async () => {
      fixture = await make()
      store = fixture.directory.store!
    })
    afterEach(() => fixture.dispose())

    const crash = async (): Promise<void> => {
      fixture = await fixture.crash()
      expect(fixture.directory.damaged).toBeNull()
      store = fixture.directory.store!
    }

    it('starts empty and undamaged', async () => {
      expect(fixture.directory.damaged).toBeNull()
      expect(store.cut).toBeNull()
      expect(store.previousCut).toBeNull()
      expect(await everything(store)).toEqual([])
      expect(await store.get(text('x'))).toBeNull()
    })

    it('[K3] a checkpoint writes ahead values and objects and moves both cuts', async () => {
      await store.checkpoint(cutOf(10, [put('v1', 'body')], [put('o1', 'a'), put('o2', 'b')]))
      expect(store.cut).toEqual({ index: 10, term: 7 })
      expect(store.previousCut).toBeNull()
      await store.checkpoint(cutOf(20, [], [put('o1', 'A'), put('o2', null)]))
      expect(store.cut).toEqual({ index: 20, term: 7 })
      expect(store.previousCut).toEqual({ index: 10, term: 7 })
      expect(await everything(store)).toEqual([
        ['o1', 'A'],
        ['v1', 'body'],
      ])
    })

    it('[K3] everything of an acknowledged cut survives a crash', async () => {
      await store.checkpoint(cutOf(10, [put('v1', 'body')], [put('o1', 'a')]))
      await store.checkpoint(cutOf(20, [put('v2', 'more')], [put('o1', 'b')]))
      await crash()
      expect(store.cut).toEqual({ index: 20, term: 7 })
      expect(store.previousCut).toEqual({ index: 10, term: 7 })
      expect(await everything(store)).toEqual([
        ['o1', 'b'],
        ['v1', 'body'],
        ['v2', 'more'],
      ])
      await store.checkpoint(cutOf(30, [], [put('o1', 'c')]))
      await crash()
      expect(untext(await store.get(text('o1')))).toBe('c')
      expect(store.previousCut).toEqual({ index: 20, term: 7 })
    })

    it('[K3] a crash in the middle of a checkpoint leaves exactly the cut before it', async () => {
      await store.checkpoint(cutOf(10, [put('v1', 'body')], [put('o1', 'a')]))
      const failing = function* (): Generator<Put> {
        yield put('o1', 'half')
        throw new Error('the end')
      }
      const late = { index: 20, term: 7, ahead: [put('v2', 'late')], objects: failing() }
      await expect(store.checkpoint(late)).rejects.toThrow('the end')
      await crash()
      expect(store.cut).toEqual({ index: 10, term: 7 })
      expect(await everything(store)).toEqual([
        ['o1', 'a'],
        ['v1', 'body'],
      ])
      await store.checkpoint(cutOf(21, [put('v2', 'other')], [put('o1', 'b')]))
      await crash()
      expect(await everything(store)).toEqual([
        ['o1', 'b'],
        ['v1', 'body'],
        ['v2', 'other'],
      ])
    })

    it('[K3] after a failed checkpoint nothing is written any more', async () => {
      const failing = {
        [Symbol.iterator]: (): Iterator<Put> => {
          throw new Error('broken')
        },
      }
      const broken = { index: 10, term: 7, ahead: failing, objects: [] }
      await expect(store.checkpoint(broken)).rejects.toThrow('broken')
      await expect(store.checkpoint(cutOf(11, [], []))).rejects.toThrow('broken')
      await crash()
      expect(store.cut).toBeNull()
    })

    it('[K3] refuses a cut that is not past the newest', async () => {
      await store.checkpoint(cutOf(10, [], []))
      await expect(store.checkpoint(cutOf(10, [], []))).rejects.toThrow('past the newest')
    })

    it('[K3] refuses a second checkpoint while one runs', async () => {
      const first = store.checkpoint(cutOf(10, [], [put('o', '1')]))
      await expect(store.checkpoint(cutOf(11, [], []))).rejects.toThrow('one checkpoint at a time')
      await first
      expect(store.cut).toEqual({ index: 10, term: 7 })
    })

    it('refuses keys of its own range and deletions ahead', async () => {
      await expect(store.get(Uint8Array.of(0, 1))).rejects.toThrow('store key')
      await expect(store.get(new Uint8Array(0))).rejects.toThrow('store key')
      await expect(store.checkpoint(cutOf(10, [put('v', null)], []))).rejects.toThrow('deletions')
    })

    it('getMany answers in the order of the keys', async () => {
      await store.checkpoint(cutOf(10, [], [put('a', '1'), put('c', '3'), put('d', '')]))
      const found = await store.getMany(['c', 'b', 'a', 'd', 'c'].map(text))
      expect(found.map(untext)).toEqual(['3', null, '1', '', '3'])
      expect(await store.getMany([])).toEqual([])
    })

    it('range is ordered, half open, limited and can run backwards', async () => {
      const objects = Array.from({ length: 2500 }, (_, i) =>
        put(`k${String(i).padStart(5, '0')}`, `v${i}`),
      )
      await store.checkpoint(cutOf(10, [], objects.toReversed()))
      const all = await collect(store.range(text('k00001'), text('k02400')))
      expect(all.length).toBe(2399)
      expect(all[0]).toEqual(['k00001', 'v1'])
      expect(all.at(-1)).toEqual(['k02399', 'v2399'])
      const back = await collect(store.range(text('k'), text('l'), { reverse: true }))
      expect(back.length).toBe(2500)
      expect(back[0]).toEqual(['k02499', 'v2499'])
      const few = await collect(
        store.range(text('k00010'), text('k00020'), { reverse: true, limit: 3 }),
      )
      expect(few.map(([key]) => key)).toEqual(['k00019', 'k00018', 'k00017'])
      expect(await collect(store.range(text('k'), text('l'), { limit: 0 }))).toEqual([])
      expect(await collect(store.range(text('m'), text('n')))).toEqual([])
    })

    it('keys are ordered as bytes and values are kept bit by bit', async () => {
      const keys = [[1], [1, 0], [1, 0, 0], [127], [128], [200, 255], [254, 255, 255]]
      const objects = keys.map((bytes) => ({
        key: Uint8Array.from(bytes),
        value: Uint8Array.from([...bytes, 0, 255, 128]),
      }))
      await store.checkpoint({ index: 1, term: 1, ahead: [], objects: objects.toReversed() })
      const found: number[][] = []
      for await (const { key, value } of store.range(Uint8Array.of(1), Uint8Array.of(255))) {
        found.push([...key])
        expect([...value]).toEqual([...key, 0, 255, 128])
      }
      expect(found).toEqual(keys)
    })

    it('long values and many ahead batches come back whole', async () => {
      const values = Array.from({ length: 40 }, (_, i) => ({
        key: text(`v${String(i).padStart(3, '0')}`),
        value: new Uint8Array(i === 7 ? 900_000 : 70_000 + i).fill(i),
      }))
      await store.checkpoint({ index: 5, term: 1, ahead: values, objects: [] })
      await crash()
      for (const { key, value } of values) {
        expect(Buffer.compare((await store.get(key))!, value)).toBe(0)
      }
    })

    it('an early end of a range leaves the store usable', async () => {
      await store.checkpoint(cutOf(10, [], [put('a', '1'), put('b', '2'), put('c', '3')]))
      for await (const { key } of store.range(text('a'), text('z'))) {
        if (untext(key) === 'a') break
      }
      await store.checkpoint(cutOf(11, [], [put('a', '9')]))
      expect(untext(await store.get(text('a')))).toBe('9')
    })

    it('[K6] a snapshot is its cut, whatever is written later', async () => {
      await store.checkpoint(cutOf(10, [put('v1', 'x')], [put('o1', 'a'), put('o2', 'b')]))
      const snapshot = await store.snapshot()
      await store.checkpoint(cutOf(20, [put('v2', 'y')], [put('o1', 'A'), put('o2', null)]))
      await store.checkpoint(cutOf(30, [put('v3', 'z')], [put('o3', 'c')]))
      const expected = [
        ['o1', 'a'],
        ['o2', 'b'],
        ['v1', 'x'],
      ]
      expect(snapshot.cut).toEqual({ index: 10, term: 7 })
      expect(await collect(snapshot.pairs())).toEqual(expected)
      expect(await collect(snapshot.pairs())).toEqual(expected)
      await snapshot.close()
      await snapshot.close()
      const newest = await store.snapshot()
      expect(newest.cut).toEqual({ index: 30, term: 7 })
      expect((await collect(newest.pairs())).map(([key]) => key)).toEqual([
        'o1',
        'o3',
        'v1',
        'v2',
        'v3',
      ])
      await newest.close()
    })

    it('[K6] a snapshot taken while a checkpoint runs shows nothing of it', async () => {
      await store.checkpoint(cutOf(10, [put('v1', 'x')], [put('o1', 'a')]))
      const taken: Promise<[string, string][]>[] = []
      const take = async (): Promise<[string, string][]> => {
        const snapshot = await store.snapshot()
        expect(snapshot.cut).toEqual({ index: 10, term: 7 })
        const found = await collect(snapshot.pairs())
        await snapshot.close()
        return found
      }
      const ahead = function* (): Generator<Put> {
        for (let i = 2; i < 40; i++) {
          yield { key: text(`v${i}`), value: new Uint8Array(100_000) }
          if (i % 10 === 0) taken.push(take())
        }
      }
      const objects = function* (): Generator<Put> {
        yield put('o1', 'b')
        taken.push(take())
      }
      await store.checkpoint({ index: 20, term: 7, ahead: ahead(), objects: objects() })
      expect(taken.length).toBe(4)
      for (const found of await Promise.all(taken)) {
        expect(found).toEqual([
          ['o1', 'a'],
          ['v1', 'x'],
        ])
      }
    })

    it('[K6] an empty store has no snapshot', async () => {
      await expect(store.snapshot()).rejects.toThrow('no snapshot')
    })

    it('[K6] an install replaces the store only when it is activated', async () => {
      await store.checkpoint(cutOf(10, [], [put('old', '1')]))
      const install = await fixture.directory.install()
      await install.write(pairs(['b', '2'], ['c', '3']))
      await install.write(pairs(['a', '1']))
      await install.finish({ index: 500, term: 9 })
      expect(fixture.directory.store).toBe(store)
      expect(await everything(store)).toEqual([['old', '1']])
      const { store: next, retire } = await install.activate()
      expect(fixture.directory.store).toBe(next)
      expect(untext(await store.get(text('old')))).toBe('1')
      await retire()
      await install.abort()
      expect(next.cut).toEqual({ index: 500, term: 9 })
      expect(next.previousCut).toBeNull()
      expect(await everything(next)).toEqual([
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ])
      await next.checkpoint(cutOf(501, [put('d', '4')], [put('a', null)]))
      await crash()
      expect(store.cut).toEqual({ index: 501, term: 7 })
      expect(store.previousCut).toEqual({ index: 500, term: 9 })
      expect((await everything(store)).map(([key]) => key)).toEqual(['b', 'c', 'd'])
    })

    it('[K6] an aborted install leaves no trace, another can follow', async () => {
      await store.checkpoint(cutOf(10, [], [put('old', '1')]))
      const install = await fixture.directory.install()
      await expect(fixture.directory.install()).rejects.toThrow('one install at a time')
      await install.write(pairs(['b', '2']))
      await install.abort()
      const second = await fixture.directory.install()
      await second.finish({ index: 11, term: 1 })
      await second.abort()
      await crash()
      expect(store.cut).toEqual({ index: 10, term: 7 })
      expect(await everything(store)).toEqual([['old', '1']])
    })

    it('[K6] a store moves to another node by snapshot and install', async () => {
      const ahead = Array.from({ length: 300 }, (_, i) => put(`v${i}`, 'x'.repeat(10_000) + i))
      await store.checkpoint(cutOf(10, ahead, [put('o1', 'a')]))
      const before = await everything(store)
      const snapshot = await store.snapshot()
      const install = await fixture.directory.install()
      let part: Pair[] = []
      for await (const pair of snapshot.pairs()) {
        part.push(pair)
        if (part.length === 70) {
          await install.write(part)
          part = []
        }
      }
      await install.write(part)
      await snapshot.close()
      await install.finish({ index: 10, term: 7 })
      const { store: next, retire } = await install.activate()
      await retire()
      expect(await everything(next)).toEqual(before)
    })

    it('discard leaves an empty store, also after a restart', async () => {
      await store.checkpoint(cutOf(10, [], [put('o', '1')]))
      const empty = await fixture.directory.discard()
      expect(empty).toBe(fixture.directory.store)
      expect(empty.cut).toBeNull()
      expect(await everything(empty)).toEqual([])
      await empty.checkpoint(cutOf(3, [], [put('p', '2')]))
      await crash()
      expect(store.cut).toEqual({ index: 3, term: 7 })
      expect(await everything(store)).toEqual([['p', '2']])
    })

    it('size grows and scrub passes over a sound store', async () => {
      const ahead = Array.from({ length: 200 }, (_, i) => put(`v${i}`, 'x'.repeat(10_000)))
      await store.checkpoint(cutOf(10, ahead, []))
      expect((await store.size()).bytes).toBeGreaterThan(1_000_000)
      await store.scrub()
    })

    it('a closed store refuses everything', async () => {
      await store.checkpoint(cutOf(10, [], [put('o', '1')]))
      await store.close()
      await store.close()
      await expect(store.get(text('o'))).rejects.toThrow(/closed|not open/)
      await expect(store.checkpoint(cutOf(11, [], []))).rejects.toThrow('closed')
      await expect(store.snapshot()).rejects.toThrow('closed')
    })
  })
}
