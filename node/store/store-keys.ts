import { assert } from '#cluster'

/**
 * The store's own keys all begin with the byte 0, the state machine's never do: both live in one
 * database, because a record must be in the batch that it describes.
 */
const maxKeyBytes = 1024

/** Records `b/<k>` of the numbered batches. */
export const batchRecordRange = ownRange('b/')
/** Everything that is the state machine's. */
export const outsideRange = {
  from: Uint8Array.of(1),
  to: new Uint8Array(maxKeyBytes + 1).fill(255),
}

export function batchRecordKey(number: number): Uint8Array {
  return numberedKey('b/', number)
}

/** `a/<k>`: the keys that ahead batch k wrote, kept until its cut is in. */
export function aheadListKey(number: number): Uint8Array {
  return numberedKey('a/', number)
}

/** Always on: a key in the store's own range would tear its records. */
export function assertOutsideKey(key: Uint8Array): void {
  assert(
    key.length >= 1 && key.length <= maxKeyBytes && key[0] !== 0,
    'a store key has 1 to 1,024 bytes and does not begin with the byte 0',
  )
}

function numberedKey(prefix: string, number: number): Uint8Array {
  const key = Buffer.alloc(11)
  key.write(prefix, 1, 'latin1')
  key.writeBigUInt64BE(BigInt(number), 3)
  return key
}

function ownRange(prefix: string): { from: Uint8Array; to: Uint8Array } {
  const from = Buffer.from(`\0${prefix}`, 'latin1')
  const to = Buffer.from(from)
  to[to.length - 1]! += 1
  return { from, to }
}
