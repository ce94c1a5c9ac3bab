import { expect, test } from 'vitest'
import { FAILURE_SCHEMA, BARE_NOTICE_SCHEMA, REQUEST_SCHEMAS, SERVER_SCHEMAS } from './schema.ts'
import { PROTOCOL_VERSION, VERSION_HISTORY, negotiateVersion } from './version.ts'

/** FNV-1a over the table's JSON, twice 32 bits: enough to notice a change. */
function schemaHash(): string {
  const text = JSON.stringify([REQUEST_SCHEMAS, SERVER_SCHEMAS, FAILURE_SCHEMA, BARE_NOTICE_SCHEMA])
  const hash = (seed: number): string => {
    let value = seed
    for (let i = 0; i < text.length; i++) {
      value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0
    }
    return value.toString(16).padStart(8, '0')
  }
  return hash(0x811c9dc5) + hash(0x01000193)
}

test('[WP7] a change of the schema stands in the version history', () => {
  const newest = VERSION_HISTORY.at(-1)!
  expect(
    newest.schemaHash,
    'the wire changed: add a line to VERSION_HISTORY, and a new version if an older side would misread it',
  ).toBe(schemaHash())
  expect(newest.version).toBe(PROTOCOL_VERSION)
})

test.each([
  [[1, 1], [1, 1], 1],
  [[1, 5], [1, 3], 3],
  [[2, 5], [1, 3], 3],
  [[4, 5], [1, 3], null],
  [[1, 1], [2, 3], null],
] as const)('[WP7] %j and %j agree on %j', (theirs, ours, agreed) => {
  expect(negotiateVersion(theirs, ours)).toBe(agreed)
})
