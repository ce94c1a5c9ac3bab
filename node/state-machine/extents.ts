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
/** Four numbers that continue those before. */
const LEAST_BYTES = 4
/** Chunks are shorter. */
const MAX_CHUNK_BYTES = 2 ** 20

export function extentCount(list: readonly number[]): number {
  return list.length / EXTENT_FIELDS
}

export function extentAt(list: readonly number[], at: number): Extent {
  const i = at * EXTENT_FIELDS
  assert(i >= 0 && i < list.length, `no extent ${at}`)
  const fields = list[i + 2]!
  const length = fields % MAX_CHUNK_BYTES
  const rest = (fields - length) / MAX_CHUNK_BYTES
  const offset = rest % MAX_CHUNK_BYTES
  const count = (rest - offset) / MAX_CHUNK_BYTES
  return { firstSeq: list[i]!, count, chunk: list[i + 1]!, offset, length }
}

/** A new list: a reader may hold the old one. */
export function withExtent(list: readonly number[], extent: Extent): number[] {
  const { firstSeq, count, chunk, offset, length } = extent
  if (list.length > 0) {
    const last = extentAt(list, extentCount(list) - 1)
    assert(last.firstSeq + last.count === firstSeq, `a hole before the extent at ${firstSeq}`)
  }
  // Exactly as long as it must be: `push` and spreading leave room for more.
  return list.concat([firstSeq, chunk, packed(count, offset, length)])
}

/** Each continues the one before it, so that only the first names its seq and whole chunk number. */
export function writeExtents(writer: ByteWriter, list: readonly number[]): void {
  const extents = extentCount(list)
  writer.varint(extents)
  let previousChunk = 0
  for (let i = 0; i < extents; i += 1) {
    const { firstSeq, count, chunk, offset, length } = extentAt(list, i)
    if (i === 0) writer.varint(firstSeq)
    writer.varint(count).varint(chunk - previousChunk)
    writer.varint(offset).varint(length)
    previousChunk = chunk
  }
}

export function readExtents(reader: ByteReader): number[] {
  const extents = reader.varint()
  assert(extents * LEAST_BYTES <= reader.remaining, `${extents} extents are not there`)
  const length = extents * EXTENT_FIELDS
  while (scratch.length < length) scratch.push(0.5)
  let seq = extents === 0 ? 0 : reader.varint()
  let chunk = 0
  for (let i = 0; i < length; i += EXTENT_FIELDS) {
    const count = reader.varint()
    chunk += reader.varint()
    scratch[i] = seq
    scratch[i + 1] = chunk
    scratch[i + 2] = packed(count, reader.varint(), reader.varint())
    seq += count
  }
  return scratch.slice(0, length)
}

/** Holds fractions from the start: an array that first holds integers is made anew at the first other. */
const scratch = [0.5]

function packed(count: number, offset: number, length: number): number {
  assert(count < MAX_EXTENT_COUNT, `an extent of ${count} events`)
  assert(offset < MAX_CHUNK_BYTES && length < MAX_CHUNK_BYTES, 'a chunk is too long')
  return (count * MAX_CHUNK_BYTES + offset) * MAX_CHUNK_BYTES + length
}
