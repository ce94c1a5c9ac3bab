import { assert } from '#cluster'
import { StoreDamagedError, type Put, type Store } from '../store/store.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { removalKey } from './keys.ts'
import type { Table } from './object-table.ts'

/** Bodies that readers no longer get and the store still holds. */
export interface PendingRemoval {
  readonly conv: string
  /** Log time at which they were taken: no event among them is newer. */
  readonly logTime: number
  /** Ascending seqs; `null`: all from `from` to `upTo`. */
  readonly seqs: readonly number[] | null
  /** Beside `seqs`: where the edits of the first of them are looked for next, 0 at first. */
  readonly from: number
  readonly upTo: number
}

/**
 * What retention took away, numbered in the order of the log, until the store has let go of it. In
 * memory is only what no cut holds yet.
 */
export class Removals implements Table {
  readonly #store: Store
  #fresh: PendingRemoval[] = []
  #frozen: readonly PendingRemoval[] = []
  /** The number of the newest; those up to `written` are in a completed cut. */
  #last: number
  #written: number
  /** Those up to here are gone from the store. */
  #erased: number

  constructor(store: Store, place: { readonly last: number; readonly erased: number }) {
    this.#store = store
    this.#last = place.last
    this.#written = place.last
    this.#erased = place.erased
  }

  /** For the state record. */
  get place(): { last: number; erased: number } {
    return { last: this.#last, erased: this.#erased }
  }

  /** Log time of the oldest that no completed cut holds yet; `Infinity` if there is none. */
  get freshSince(): number {
    const [oldest = this.#fresh[0]] = this.#frozen
    return oldest?.logTime ?? Number.POSITIVE_INFINITY
  }

  add(removal: PendingRemoval): void {
    this.#last += 1
    this.#fresh.push(removal)
  }

  /** The oldest that a completed cut holds, after so many others; `null` if there is none. */
  async oldest(after: number): Promise<PendingRemoval | null> {
    for (;;) {
      const number = this.#erased + 1 + after
      if (number > this.#written) return null
      const bytes = await this.#store.get(removalKey(number))
      if (bytes !== null) return decodeRemoval(bytes)
      // Unless it was done while it was read.
      if (number > this.#erased) {
        throw new StoreDamagedError(`removal ${number} is missing from the store`)
      }
    }
  }

  /** The oldest `count` are done; of the next one only `rest` is left. The puts belong into a cut. */
  *done(count: number, rest: PendingRemoval | null): Generator<Put> {
    const first = this.#erased + 1
    this.#erased += count
    assert(this.#erased + (rest === null ? 0 : 1) <= this.#written, 'a removal is done too early')
    for (let number = first; number <= this.#erased; number += 1) {
      yield { key: removalKey(number), value: null }
    }
    if (rest !== null) yield { key: removalKey(this.#erased + 1), value: encodeRemoval(rest) }
  }

  freeze(): Generator<Put> {
    this.#frozen = this.#fresh
    this.#fresh = []
    return this.#puts(this.#last - this.#frozen.length)
  }

  completed(): void {
    this.#written += this.#frozen.length
    this.#frozen = []
  }

  /** Nothing clean is in memory. */
  evict(): void {}

  *#puts(before: number): Generator<Put> {
    const frozen = this.#frozen
    for (const [i, removal] of frozen.entries()) {
      yield { key: removalKey(before + 1 + i), value: encodeRemoval(removal) }
    }
  }
}

export function encodeRemoval({ conv, logTime, seqs, from, upTo }: PendingRemoval): Uint8Array {
  const writer = new ByteWriter().string(conv).varint(logTime).varint(from).varint(upTo)
  writer.varint(seqs?.length ?? 0)
  for (const seq of seqs ?? []) writer.varint(seq)
  return writer.toBytes()
}

export function decodeRemoval(bytes: Uint8Array): PendingRemoval {
  const reader = new ByteReader(bytes)
  const conv = reader.string()
  const logTime = reader.varint()
  const from = reader.varint()
  const upTo = reader.varint()
  const count = reader.varint()
  assert(count <= reader.remaining, `${count} removed seqs are not there`)
  const seqs = count === 0 ? null : Array.from({ length: count }, () => reader.varint())
  reader.end('a removal')
  return { conv, logTime, seqs, from, upTo }
}
