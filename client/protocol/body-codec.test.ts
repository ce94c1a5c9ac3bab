import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { expect, test } from 'vitest'
import { decodeBody, encodeBody } from './body-codec.ts'

const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  moreTypes: false,
  useToJSON: false,
})
const packed = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value))

/** Faster over many bytes than a deep comparison. */
const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

const scalar = fc.oneof(
  fc.constantFrom(null, true, false, NaN, Infinity, -Infinity, 1e20, 2 ** 53, -(2 ** 31) - 1),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  // The bounds of every width.
  fc
    .constantFrom(5, 6, 7, 8, 15, 16, 31, 32)
    .chain((bits) => fc.constantFrom(2 ** bits - 1, 2 ** bits, -(2 ** bits), -(2 ** bits) - 1)),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(31, 32, 33, 255, 256, 65_535, 65_536).map((length) => 'x'.repeat(length)),
  fc.constantFrom(11, 86, 21_846).map((length) => '\u20ac'.repeat(length)),
  fc.uint8Array({ maxLength: 300 }),
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 20 }),
  ),
}))

test('[WP2] a value has the bytes that msgpackr writes without records and extensions', () => {
  fc.assert(
    fc.property(value, (each) => {
      const bytes = encodeBody(each)
      // Minus zero is zero, as in JSON; msgpackr would keep the sign.
      expect(same(bytes, packed(withoutMinusZero(each)))).toBe(true)
      expect(same(encodeBody(decodeBody(bytes)), bytes)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test.each([16, 65_535, 65_536])('[WP2] the same for %i elements', (length) => {
  const array = Array.from({ length }, (_, i) => i)
  expect(same(encodeBody(array), packed(array))).toBe(true)
  const map = Object.fromEntries(array.map((i) => [`k${i}`, i]))
  expect(same(encodeBody(map), packed(map))).toBe(true)
})

test('[WP2] keys that become equal are one; what has no value is left out', () => {
  expect(decodeBody(encodeBody({ a: 1, '\ud800': 2, b: undefined, '\udfff': 3 }))).toEqual({
    a: 1,
    '\ufffd': 3,
  })
  expect(() => encodeBody([1, , 2])).toThrow('body[1]: undefined cannot be sent') // oxlint-disable-line no-sparse-arrays
})

test('[WP2] a getter that encodes a body of its own does not disturb the one around it', () => {
  const inner: Uint8Array[] = []
  const outer = {
    before: 'x'.repeat(40),
    list: Array.from({ length: 1 }, () => ({
      get own() {
        inner.push(encodeBody({ inside: 1 }))
        return 2
      },
    })),
    after: 3,
  }
  expect(decodeBody(encodeBody(outer))).toEqual({
    before: 'x'.repeat(40),
    list: [{ own: 2 }],
    after: 3,
  })
  expect(inner.map(decodeBody)).toEqual([{ inside: 1 }])
})

function withoutMinusZero(each: unknown): unknown {
  if (typeof each === 'number') return each === 0 ? 0 : each
  if (typeof each !== 'object' || each === null || each instanceof Uint8Array) return each
  if (Array.isArray(each)) return each.map(withoutMinusZero)
  const result = Object.create(null) as Record<string, unknown>
  for (const [key, item] of Object.entries(each))
    result[key.toWellFormed()] = withoutMinusZero(item)
  return result
}
