import { assert } from '#cluster'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

/**
 * Where a run of consecutive events lies: `count` events from `firstSeq` on, in `length` bytes at
 * `offset` of a chunk. A list of them is one flat array of five numbers each, ascending and without
 * holes, as there are millions.
 */
export interface Extent {
  readonly firstSeq: number
  readonly count: number
  readonly chunk: number
  readonly offset: number
  readonly length: number
}

export const EXTENT_FIELDS = 5

export function extentCount(list: readonly number[]): number {
  return list.length / EXTENT_FIELDS
}

export function extentAt(list: readonly number[], at: number): Extent {
  const i = at * EXTENT_FIELDS
  assert(i >= 0 && i < list.length, `no extent ${at}`)
  return {
    firstSeq: list[i]!,
    count: list[i + 1]!,
    chunk: list[i + 2]!,
    offset: list[i + 3]!,
    length: list[i + 4]!,
  }
}

/** A new list: a reader may hold the old one. */
export function withExtent(list: readonly number[], extent: Extent): number[] {
  const { firstSeq, count, chunk, offset, length } = extent
  if (list.length > 0) {
    const last = extentAt(list, extentCount(list) - 1)
    assert(last.firstSeq + last.count === firstSeq, `a hole before the extent at ${firstSeq}`)
  }
  return [...list, firstSeq, count, chunk, offset, length]
}

export function writeExtents(writer: ByteWriter, list: readonly number[]): void {
  writer.varint(extentCount(list))
  for (const field of list) writer.varint(field)
}

export function readExtents(reader: ByteReader): number[] {
  const list: number[] = []
  for (let rest = reader.varint() * EXTENT_FIELDS; rest > 0; rest -= 1) list.push(reader.varint())
  return list
}
