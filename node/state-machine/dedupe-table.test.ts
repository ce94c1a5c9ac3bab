import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DedupePartition } from './dedupe-partition.ts'
import { type DedupeBlock, DedupeTable } from './dedupe-table.ts'
import { KeyHash } from './key-hash.ts'

const WINDOW = 800

describe('the dedupe table', () => {
  test('[A2] finds every value under a hash and never one under another, through growth and reload', async () => {
    // Hashes from a small set, so that slots collide in each way they can.
    const half = fc.constantFrom(0, 1, 2, 0x8000_0000, 0xffff_ffff, 0x1000_0001)
    const insert = fc.record({ high: half, low: half, passed: fc.nat(60) })
    await fc.assert(
      fc.asyncProperty(fc.array(insert, { maxLength: 300, size: 'max' }), async (inserts) => {
        const table = new DedupeTable(1)
        const expected = new Map<string, number[]>()
        const blocks: { bytes: Uint8Array; maxLogTime: number }[] = []
        let time = 0
        inserts.forEach(({ high, low, passed }, i) => {
          time += passed
          table.insert(high, low, i + 1, time, WINDOW)
          const name = `${high} ${low}`
          expected.set(name, [...(expected.get(name) ?? []), i + 1])
          if (i % 17 === 0) blocks.push(table.takeFresh()!)
        })
        const last = table.takeFresh()
        if (last !== null) blocks.push(last)
        const loaded = new DedupeTable(1)
        await loaded.load(inOrder(blocks), WINDOW)
        for (const [name, values] of expected) {
          const [high, low] = name.split(' ').map(Number) as [number, number]
          for (const each of [table, loaded]) {
            const found: number[] = []
            const count = each.find(high, low, 0, found)
            expect(found.slice(0, count).sort((a, b) => a - b)).toEqual(values)
          }
        }
        expect(loaded.size).toBe(inserts.length)
        expect(table.find(3, 3, 0, [])).toBe(0)
      }),
    )
  })

  test('[A3] a bound skips generations that ended before it, and dropping frees them', () => {
    const table = new DedupeTable()
    for (let time = 0; time < 2_000; time += 10) table.insert(1, time, 1, time, WINDOW)
    const found: number[] = []
    expect(table.find(1, 0, 0, found)).toBe(1)
    expect(table.find(1, 0, 500, found)).toBe(0)
    // At or after the bound nothing is ever skipped.
    for (let time = 0; time < 2_000; time += 10) expect(table.find(1, time, time, found)).toBe(1)
    const before = table.bytes
    table.drop(1_500)
    expect(table.size).toBeLessThan(70)
    expect(table.bytes).toBeLessThan(before)
    for (let time = 1_500; time < 2_000; time += 10) expect(table.find(1, time, 0, found)).toBe(1)
  })

  test('[A3] a table made for so many slots takes them without growing, and is no larger than one that grew', () => {
    for (let slots = 0; slots < 3_000; slots += 7) {
      const sized = new DedupePartition(slots)
      const grown = new DedupePartition()
      const { bytes } = sized
      for (let n = 1; n <= slots; n += 1) {
        sized.insert(n, n, n)
        grown.insert(n, n, n)
      }
      expect(sized.bytes).toBe(bytes)
      expect(sized.bytes).toBe(grown.bytes)
    }
  })

  test('[A2] hashes of keys differ by every part, and by where one part ends', () => {
    const hash = new KeyHash()
    const seen = new Set<string>()
    const parts = ['', 'a', 'b', 'ab', 'ba', 'aa']
    for (const one of parts) {
      for (const two of parts) {
        for (const three of parts) {
          const { high, low } = hash.start(1, 2).text(one).text(two).text(three).finish()
          seen.add(`${high} ${low}`)
        }
      }
    }
    expect(seen.size).toBe(parts.length ** 3)
  })

  test('[A2] the hash spreads ids that differ in a digit over all partitions', () => {
    const hash = new KeyHash()
    const perPartition = new Map<number, number>()
    const lows = new Set<number>()
    for (let n = 0; n < 100_000; n += 1) {
      const { high, low } = hash.start(0, 0).text('conversation').text(`d_${n}`).finish()
      perPartition.set(high >>> 24, (perPartition.get(high >>> 24) ?? 0) + 1)
      lows.add(low)
    }
    expect(perPartition.size).toBe(256)
    expect(Math.max(...perPartition.values())).toBeLessThan(600)
    expect(lows.size).toBeGreaterThan(99_990)
  })
})

async function* inOrder(blocks: readonly DedupeBlock[]): AsyncGenerator<DedupeBlock> {
  yield* blocks
}
