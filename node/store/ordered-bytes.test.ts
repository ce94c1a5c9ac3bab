import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OrderedBytes } from './ordered-bytes.ts'

const key = fc.uint8Array({ minLength: 1, maxLength: 2 })
const change = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 3 }), { nil: null }) })
const FIRST = new Uint8Array(0)
const LAST = new Uint8Array(3).fill(255)

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function contents(map: OrderedBytes, reverse = false): [string, string][] {
  return [...map.walk(FIRST, LAST, reverse)].map((pair) => [hex(pair.key), hex(pair.value)])
}

test('holds what a sorted map holds, and a shared one stays as it was shared', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 200 }), { maxLength: 5 }), (rounds) => {
      let map = new OrderedBytes()
      const model = new Map<string, string>()
      const shared: [OrderedBytes, [string, string][]][] = []
      for (const changes of rounds) {
        for (const { key: at, value } of changes) {
          if (value === null) map.delete(at)
          else map.set(at, value)
          if (value === null) model.delete(hex(at))
          else model.set(hex(at), hex(value))
          expect(map.get(at) ?? null).toEqual(value)
        }
        const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
        expect(contents(map)).toEqual(sorted)
        expect(contents(map, true)).toEqual(sorted.toReversed())
        expect(map.size).toBe(model.size)
        expect(map.bytes).toBe(sorted.flat().join('').length / 2)
        shared.push([map.share(), sorted])
        map = map.owned()
      }
      for (const [was, sorted] of shared) expect(contents(was)).toEqual(sorted)
    }),
  )
})

test('a walk is from a key on, and ends before another', () => {
  const map = new OrderedBytes()
  for (let i = 0; i < 1_000; i += 1) map.set(new Uint8Array([i >> 8, i & 255]), FIRST)
  for (const [from, to] of [
    [0, 1_000],
    [63, 65],
    [128, 128],
    [500, 777],
    [999, 1_200],
  ] as const) {
    const keys = [
      ...map.walk(
        new Uint8Array([from >> 8, from & 255]),
        new Uint8Array([to >> 8, to & 255]),
        false,
      ),
    ].map((pair) => pair.key[0]! * 256 + pair.key[1]!)
    const expected = Array.from({ length: Math.min(to, 1_000) - from }, (_, i) => from + i)
    expect(keys).toEqual(expected)
  }
})
