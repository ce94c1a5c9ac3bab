import { assert } from '#cluster'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

/**
 * Where a run of consecutive events lies: `count` events from `firstSeq` on, in `length` bytes at
 * `offset` of a chunk. As there are millions, a list of them is one flat array of three numbers each
 * (first seq, chunk, and the rest packed into 53 bits), ascending and without holes.
 */
export interface Extent {
  readonly firstSeq: number
  readonly count: number
  readonly chunk: number
  readonly offset: number
  readonly length: number
}

export const EXTENT_FIELDS = 3
/** Events in one extent are fewer. */
export const MAX_EXTENT_COUNT = 2 ** 13
/** Chunks are shorter. */
const MAX_CHUNK_BYTES = 2 ** 20

export function extentCount(list: readonly number[]): number {
  return list.length / EXTENT_FIELDS
}

export function extentAt(list: readonly number[], at: number): Extent {
  const i = at * EXTENT_FIELDS
  assert(i >= 0 && i < list.length, `no extent ${at}`)
  const packed = list[i + 2]!
  const length = packed % MAX_CHUNK_BYTES
  const rest = (packed - length) / MAX_CHUNK_BYTES
  const offset = rest % MAX_CHUNK_BYTES
  const count = (rest - offset) / MAX_CHUNK_BYTES
  return { firstSeq: list[i]!, count, chunk: list[i + 1]!, offset, length }
}

/** A new list: a reader may hold the old one. */
export function withExtent(list: readonly number[], extent: Extent): number[] {
  const { firstSeq, count, chunk, offset, length } = extent
  assert(count < MAX_EXTENT_COUNT, `an extent of ${count} events`)
  assert(offset < MAX_CHUNK_BYTES && length < MAX_CHUNK_BYTES, 'a chunk is too long')
  if (list.length > 0) {
    const last = extentAt(list, extentCount(list) - 1)
    assert(last.firstSeq + last.count === firstSeq, `a hole before the extent at ${firstSeq}`)
  }
  const packed = (count * MAX_CHUNK_BYTES + offset) * MAX_CHUNK_BYTES + length
  // Exactly as long as it must be: `push` and spreading leave room for more.
  return list.concat([firstSeq, chunk, packed])
}

export function writeExtents(writer: ByteWriter, list: readonly number[]): void {
  writer.varint(extentCount(list))
  for (const field of list) writer.varint(field)
}

export function readExtents(reader: ByteReader): number[] {
  const list: number[] = []
  for (let rest = reader.varint() * EXTENT_FIELDS; rest > 0; rest -= 1) list.push(reader.varint())
  return list.slice()
}
