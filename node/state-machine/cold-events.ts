import { asBuffer, assert } from '#cluster'
import { StoreDamagedError, type Store } from '../store/store.ts'
import { ByteReader } from './byte-reader.ts'
import { extentAt, extentCount, readExtents, type Extent } from './extents.ts'
import { chunkKey, extentPageKey } from './keys.ts'
import { StoredEvent } from './stored-event.ts'

/** Chunks fetched together. */
const CHUNKS_PER_READ = 16

/** Where a conversation's written events are found, held still: taken before the first wait. */
export interface ColdPlace {
  readonly id: string
  readonly extents: readonly number[]
}

/**
 * Calls `take` with the events `from` … `to`, ascending (or descending with `reverse`), until it
 * returns false. Reads them from the store and throws `StoreDamagedError` if one is missing: seqs
 * have no holes, so absence is proven (rules K4, K5).
 */
export async function readColdEvents(
  store: Store,
  place: ColdPlace,
  range: { readonly from: number; readonly to: number; readonly reverse?: boolean },
  take: (event: StoredEvent) => boolean,
): Promise<void> {
  const { from, to, reverse = false } = range
  if (from > to) return
  let next = reverse ? to : from
  let batch: Extent[] = []
  const flush = async (): Promise<boolean> => {
    const chunks = await store.getMany(batch.map(({ chunk }) => chunkKey(chunk)))
    for (const [i, extent] of batch.entries()) {
      const chunk = chunks[i] ?? null
      if (chunk === null) throw new StoreDamagedError(`chunk ${extent.chunk} is missing`)
      const events = eventsOf(asBuffer(chunk), extent)
      if (reverse) events.reverse()
      for (const event of events) {
        if (event.seq < from || event.seq > to) continue
        if (event.seq !== next) throw missing(place.id, next)
        next += reverse ? -1 : 1
        if (!take(event)) return false
      }
    }
    batch = []
    return true
  }
  // A small first batch: most reads want a few events, and each chunk holds many conversations.
  let limit = 1
  for await (const extent of extentsOf(store, place, from, to, reverse)) {
    batch.push(extent)
    if (batch.length < limit) continue
    if (!(await flush())) return
    limit = Math.min(limit * 2, CHUNKS_PER_READ)
  }
  if (batch.length > 0 && !(await flush())) return
  if (next !== (reverse ? from - 1 : to + 1)) throw missing(place.id, next)
}

/** The extents that hold a seq of `from` … `to`, in order. */
export async function* extentsOf(
  store: Store,
  place: ColdPlace,
  from: number,
  to: number,
  reverse: boolean,
): AsyncGenerator<Extent> {
  const newest = [...Array(extentCount(place.extents)).keys()].map((i) =>
    extentAt(place.extents, i),
  )
  const firstNewest = newest[0]?.firstSeq ?? 1
  const wanted = (extent: Extent): boolean =>
    extent.firstSeq <= to && extent.firstSeq + extent.count > from
  const inHead = newest.filter(wanted)
  if (reverse) yield* inHead.reverse()
  if (from < firstNewest) {
    const pages = pagesOf(store, place.id, from, Math.min(to, firstNewest - 1), reverse)
    for await (const page of pages) {
      // A page may repeat what the head still lists.
      const extents = page.filter((extent) => wanted(extent) && extent.firstSeq < firstNewest)
      yield* reverse ? extents.reverse() : extents
    }
  }
  if (!reverse) yield* inHead
}

/** Pages that hold a seq of `from` … `to`: the last that begins at or before `from`, and on. */
async function* pagesOf(
  store: Store,
  id: string,
  from: number,
  to: number,
  reverse: boolean,
): AsyncGenerator<Extent[]> {
  const lowest = extentPageKey(id, 0)
  let start = lowest
  const before = store.range(lowest, extentPageKey(id, from + 1), { reverse: true, limit: 1 })
  for await (const { key } of before) start = Buffer.from(key)
  for await (const { value } of store.range(start, extentPageKey(id, to + 1), { reverse })) {
    const list = readExtents(new ByteReader(value))
    yield [...Array(extentCount(list)).keys()].map((i) => extentAt(list, i))
  }
}

function eventsOf(chunk: Buffer, extent: Extent): StoredEvent[] {
  const limit = extent.offset + extent.length
  assert(limit <= chunk.length, `an extent reaches beyond chunk ${extent.chunk}`)
  const events: StoredEvent[] = []
  let at = extent.offset
  for (let seq = extent.firstSeq; seq < extent.firstSeq + extent.count; seq += 1) {
    const { event, next } = StoredEvent.read(chunk, at, limit)
    assert(event.seq === seq, `chunk ${extent.chunk} holds event ${event.seq} in place of ${seq}`)
    events.push(event)
    at = next
  }
  assert(at === limit, `an extent of chunk ${extent.chunk} has bytes left over`)
  return events
}

function missing(id: string, seq: number): StoreDamagedError {
  return new StoreDamagedError(`event ${seq} of ${id} is missing from the store`)
}
