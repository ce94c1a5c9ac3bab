/**
 * Versions of the wire. A client names the lowest and highest it speaks in `hello:R.v`, the node
 * answers with the highest that both know. Adding an optional field is no new version, since
 * unknown fields are ignored; anything that an older side would misread is.
 */
export const PROTOCOL_VERSION = 1

/** Lowest and highest version that this program speaks. */
export const SUPPORTED_VERSIONS: readonly [number, number] = [1, PROTOCOL_VERSION]

/**
 * One line for every change of the schema table, newest last. A test computes the table's hash and
 * fails until it stands here.
 */
export const VERSION_HISTORY: readonly {
  readonly version: number
  readonly schemaHash: string
  readonly change: string
}[] = [
  { version: 1, schemaHash: 'ee01358ea7f50748', change: 'the first wire' },
  { version: 1, schemaHash: '515ae8cc9c554636', change: 'settings and blocks in a conversation' },
  { version: 1, schemaHash: '8d03b58512e325f3', change: 'receipts in conv:A' },
  { version: 1, schemaHash: '03232fbc01113746', change: 'large conversations show some members' },
  {
    version: 1,
    schemaHash: '4d8f7cec39c8559e',
    change: '`ack:N` of the kind `expired` names what went',
  },
  { version: 1, schemaHash: 'f26f290ff44ed221', change: 'a list comes in pages' },
]

/** The highest version in both ranges, `null` if they do not meet. */
export function negotiateVersion(
  theirs: readonly [number, number],
  ours: readonly [number, number] = SUPPORTED_VERSIONS,
): number | null {
  const version = Math.min(theirs[1], ours[1])
  return version >= Math.max(theirs[0], ours[0]) ? version : null
}
