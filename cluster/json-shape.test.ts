import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { array, hex, integer, object, oneOf, readJson, text } from './json-shape.ts'
import { outcomeOf } from './testing/decoding.ts'

class Refused extends Error {}

const SHAPE = object({
  id: hex(2),
  count: integer(0, 9),
  state: oneOf('on', 'off'),
  names: array(text(3), 2),
  inner: object({ term: integer() }),
})
const good = { id: 'a0ff', count: 3, state: 'on', names: ['x'], inner: { term: 7 } }

const read = (text: string) => readJson(Buffer.from(text), SHAPE, (why) => new Refused(why))

describe('JSON of a shape', () => {
  test('comes as it was, without what is not known', () => {
    const value = read(JSON.stringify({ ...good, later: [1], inner: { term: 7, more: null } }))
    expect(value).toEqual(good)
  })

  test.each<[string, unknown, string]>([
    ['null', null, 'it must be an object'],
    ['an array', [good], 'it must be an object'],
    ['a field that is missing', { ...good, id: undefined }, 'id must be 4 hexadecimal digits'],
    ['upper case', { ...good, id: 'A0FF' }, 'id must be'],
    ['a line break', { ...good, id: 'a0ff\n' }, 'id must be'],
    ['a text for a number', { ...good, count: '3' }, 'count must be an integer from 0 to 9'],
    ['a fraction', { ...good, count: 0.5 }, 'count must be'],
    ['a number too large', { ...good, count: 10 }, 'count must be'],
    ['past 2^53', { ...good, inner: { term: 2 ** 53 } }, 'inner.term must be an integer'],
    ['another word', { ...good, state: 'toString' }, 'state must be one of on, off'],
    ['an object for a list', { ...good, names: { length: 1 } }, 'names must be an array'],
    ['too many', { ...good, names: ['', '', ''] }, 'names must hold at most 2'],
    ['a text too long', { ...good, names: ['', 'four'] }, 'names[1] must be a string of at most 3'],
    ['a field of the prototype', { ...good, inner: [] }, 'inner must be an object'],
  ])('%s: says where and what', (_, value, error) => {
    expect(() => read(JSON.stringify(value))).toThrow(error)
  })

  test.each([
    ['nothing', ''],
    ['half of it', '{"id":'],
    ['too much', ' '.repeat(1 << 20) + JSON.stringify(good)],
    ['too deep', '['.repeat(100_000)],
  ])('%s is refused as no JSON of ours', (_, text) => {
    expect(() => read(text)).toThrow(Refused)
  })

  test('a prototype does not come out of a text', () => {
    const value = read(`{"__proto__":{"polluted":1},${JSON.stringify(good).slice(1)}`)
    expect(value).toEqual(good)
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(() => read('{"__proto__":' + JSON.stringify(good) + '}')).toThrow(Refused)
  })

  test('negative zero and other spellings of a number are one value', () => {
    expect(Object.is(read(JSON.stringify(good).replace('3', '-0')).count, 0)).toBe(true)
    expect(read(JSON.stringify(good).replace('3', '3.0e0')).count).toBe(3)
  })

  test('any bytes give a value that comes back as it is, or the one error', () => {
    const mutated = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }).map((edits) => {
      const bytes = Buffer.from(JSON.stringify(good))
      for (const [at, value] of edits) bytes[at % bytes.length] = value
      return bytes
    })
    const other = fc.json().map((text) => Buffer.from(text))
    fc.assert(
      fc.property(fc.oneof(mutated, other, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        const decode = (from: Uint8Array) => readJson(from, SHAPE, (why) => new Refused(why))
        const value = outcomeOf(() => decode(bytes), Refused)
        if (value !== null) expect(decode(Buffer.from(JSON.stringify(value)))).toEqual(value)
      }),
      { numRuns: 2_000 },
    )
  })
})
