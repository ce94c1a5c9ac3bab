import { detectDamage } from './damage.ts'
import type { KeyRange, KeyValueDatabase, StoredPair } from './key-value-database.ts'
import { StoreDamagedError, type Pair } from './store.ts'
import type { ValueCodec } from './value-codec.ts'

const fetchCount = 1000

/**
 * Verified pairs of a range. A damaged table can serve keys out of order or out of the range, so
 * that is checked too.
 */
export async function* readPairs(
  database: KeyValueDatabase,
  codec: ValueCodec,
  range: KeyRange,
  limit: number,
): AsyncGenerator<Pair> {
  if (limit <= 0) return
  const iterator = database.iterate(range)
  let previous: Uint8Array | null = null
  let remaining = limit
  try {
    while (remaining > 0) {
      const pairs: StoredPair[] = await detectDamage(iterator.next(Math.min(remaining, fetchCount)))
      if (pairs.length === 0) return
      for (const { key, value } of pairs) {
        verifyOrder(range, previous, key)
        previous = key
        yield { key, value: codec.open(key, value) }
      }
      remaining -= pairs.length
    }
  } finally {
    await iterator.close()
  }
}

function verifyOrder(range: KeyRange, previous: Uint8Array | null, key: Uint8Array): void {
  const isInside = Buffer.compare(key, range.from) >= 0 && Buffer.compare(key, range.to) < 0
  const order = previous === null ? 1 : Buffer.compare(key, previous)
  if (!isInside || order === 0 || order < 0 !== (previous !== null && range.reverse === true)) {
    throw new StoreDamagedError('the store serves keys out of order: it must be discarded')
  }
}
