import fc from 'fast-check'
import { expect, test } from 'vitest'
import { arbitraryJson } from './frames.arbitrary.ts'
import { parseJson } from './json-text.ts'

const keysOf = (text: string) => Object.keys(parseJson(text) as object)

test('[WP2] a key is what it says, whatever was parsed before', () => {
  for (const known of ['\\', 'a\\n', '\\u', 'a\\']) {
    const text = JSON.stringify({ x: 1, [known]: 0 })
    expect(keysOf(text)).toEqual(['x', known])
    JSON.parse(text)
  }
  for (const key of ['"', '\n', 'A', 'a\nb', 'a"', '\\', '\u0000', '\\"']) {
    const escaped = `{"x":1,${JSON.stringify(key)}:0}`
    expect(keysOf(escaped)).toEqual(['x', key])
  }
  expect(keysOf('{"x":1,"\\u0041":0}')).toEqual(['x', 'A'])
})

test('[WP2] escapes in values, colons in strings and keys that look like ours stay as they are', () => {
  const value = { key0: '"a":1\\', '"k": "': ['\\"', { 'key_\\': '\\\\":' }], __proto__x: '\n' }
  expect(parseJson(JSON.stringify(value))).toEqual(value)
  expect(Object.keys(parseJson('{"\\u005f_proto__":{"a":1}}') as object)).toEqual(['__proto__'])
  expect(({} as { a?: number }).a).toBeUndefined()
  expect(parseJson('{"a\\n":1,"a\\u000a":2}')).toEqual({ 'a\n': 2 })
})

test('[WP2] what is not JSON is refused as ever', () => {
  for (const text of ['{"a\\":1}', '{"\\x":1}', '"\\', '{"a\\n" 1}', '\\', '{"\\ud800":}']) {
    expect(() => parseJson(text)).toThrow(SyntaxError)
  }
})

test('[WP2] any value comes back', () => {
  fc.assert(
    fc.property(arbitraryJson, fc.boolean(), (value, indented) => {
      const text = JSON.stringify(value, null, indented ? 2 : 0)
      expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(value))
    }),
    { numRuns: 2_000 },
  )
})

test('[WP2] no text takes long', () => {
  const started = performance.now()
  for (const piece of ['"\\"', '"\\', '{"a\\n":', '\\"', '"\\\\": ']) {
    expect(() => parseJson(piece.repeat(200_000))).toThrow(SyntaxError)
  }
  const looksLikeOurs = `["key${'_'.repeat(1_000_000)}",{"\\n":"key"}]`
  expect(parseJson(looksLikeOurs)).toEqual([`key${'_'.repeat(1_000_000)}`, { '\n': 'key' }])
  expect(performance.now() - started).toBeLessThan(5_000)
})
