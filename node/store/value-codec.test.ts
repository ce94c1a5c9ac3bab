import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StoreDamagedError } from './store.ts'
import { checksumBytes, ValueCodec } from './value-codec.ts'

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })

describe('ValueCodec', () => {
  const codec = new ValueCodec()

  it('[K5] gives back what was sealed', () => {
    fc.assert(
      fc.property(bytes(64), bytes(300), (key, value) => {
        const stored = codec.seal(key, value).slice()
        expect(stored.length).toBe(value.length + checksumBytes)
        expect([...codec.open(key, stored)]).toEqual([...value])
      }),
    )
  })

  it('[K5] notices every single flipped bit of key and value', () => {
    const key = Uint8Array.from([1, 2, 3, 4, 5])
    const stored = codec.seal(key, Uint8Array.from([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])).slice()
    for (const target of [key, stored]) {
      for (let bit = 0; bit < target.length * 8; bit++) {
        target[bit >>> 3]! ^= 1 << (bit & 7)
        expect(() => codec.open(key, stored)).toThrow(StoreDamagedError)
        target[bit >>> 3]! ^= 1 << (bit & 7)
      }
    }
    expect(codec.open(key, stored).length).toBe(10)
  })

  it('[K5] notices a byte that moved from the key to the value', () => {
    const stored = codec.seal(Uint8Array.of(1, 2), Uint8Array.of(3)).slice()
    const shifted = Uint8Array.of(2, ...stored)
    expect(() => codec.open(Uint8Array.of(1), shifted)).toThrow(StoreDamagedError)
  })

  it('[K5] notices a value cut short', () => {
    const key = Uint8Array.of(1)
    const stored = codec.seal(key, new Uint8Array(100)).slice()
    for (let length = 0; length < stored.length; length++) {
      expect(() => codec.open(key, stored.subarray(0, length))).toThrow(StoreDamagedError)
    }
  })

  it('reuses its buffer without mixing values of different lengths', () => {
    const long = new Uint8Array(200_000).fill(7)
    const key = Uint8Array.of(1)
    const first = codec.seal(key, long).slice()
    const second = codec.seal(key, Uint8Array.of(1)).slice()
    expect(codec.open(key, first).length).toBe(200_000)
    expect([...codec.open(key, second)]).toEqual([1])
  })
})
