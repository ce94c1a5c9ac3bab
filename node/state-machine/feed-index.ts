import { assert } from '#cluster'
import { type Put, type Store, StoreDamagedError } from '../store/store.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { type InboxEntry, readEntries, RUN_FIELDS, writeRuns } from './inbox-runs.ts'
import { FEED_KEY, feedPageKey } from './keys.ts'
import type { Table } from './object-table.ts'

/** Entries of a full page. */
export const FEED_PAGE = 128
/** Pages dropped for each that gets full: a lower bound on what is kept is reached step by step. */
const DROPPED_PER_PAGE = 4

/**
 * Every event of every conversation, numbered from 1 in the order of the log: the same number on every
 * node, as apply alone makes it. Kept are the newest `feedEvents`, in pages as an inbox has them: full
 * ones are immutable and written by the next cut, the open one stands in a record that each cut writes
 * anew.
 */
export class FeedIndex implements Table {
  readonly #store: Store
  readonly #kept: () => number
  #head = 0
  /** Oldest page that is kept. */
  #firstPage = 0
  /** Pages below it are in no cut any more. */
  #purged = 0
  /** Runs of the open page (`inbox-runs.ts`) and how many entries they are. */
  #runs: number[] = []
  #open = 0
  /** Full pages that no completed cut holds. */
  readonly #unwritten = new Map<number, Uint8Array>()
  #frozen: readonly number[] = []

  constructor(store: Store, kept: () => number) {
    this.#store = store
    this.#kept = kept
  }

  /** Number of the newest event, 0 before the first. */
  get head(): number {
    return this.#head
  }

  /** Number of the oldest event that can still be read. */
  get first(): number {
    return this.#firstPage * FEED_PAGE + 1
  }

  /** Brings in what the newest cut says. */
  async load(): Promise<void> {
    const bytes = await this.#store.get(FEED_KEY)
    if (bytes === null) throw new StoreDamagedError('the record of the feed is missing')
    const reader = new ByteReader(bytes)
    this.#head = reader.varint()
    this.#firstPage = reader.varint()
    this.#purged = this.#firstPage
    const entries = readEntries(reader)
    reader.end('the record of the feed')
    assert(entries.length === this.#head % FEED_PAGE, 'the open page of the feed is another one')
    for (const { conversation, seq } of entries) this.#push(conversation, seq)
  }

  /** For apply: the event is the next one. */
  add(conversation: number, seq: number): void {
    this.#head += 1
    this.#push(conversation, seq)
    if (this.#open < FEED_PAGE) return
    const page = this.#head / FEED_PAGE - 1
    this.#unwritten.set(page, this.#encodeOpen())
    this.#runs = []
    this.#open = 0
    for (let dropped = 0; dropped < DROPPED_PER_PAGE; dropped += 1) {
      if (this.#head - (this.#firstPage + 1) * FEED_PAGE < this.#kept()) break
      this.#unwritten.delete(this.#firstPage)
      this.#firstPage += 1
    }
  }

  /**
   * The entries `from` … `to`, which are kept as of the call; `null` if some of them were dropped while
   * they were read.
   */
  async entries(from: number, to: number): Promise<InboxEntry[] | null> {
    assert(from >= this.first && from <= to && to <= this.#head, `no events ${from} … ${to}`)
    const firstPage = Math.floor((from - 1) / FEED_PAGE)
    const count = Math.floor((to - 1) / FEED_PAGE) - firstPage + 1
    const openPage = Math.floor(this.#head / FEED_PAGE)
    // What memory holds first, all at once (rule K4).
    const pages = Array.from({ length: count }, (_, i) =>
      firstPage + i === openPage
        ? this.#encodeOpen()
        : (this.#unwritten.get(firstPage + i) ?? null),
    )
    const cold = pages.flatMap((bytes, i) => (bytes === null ? [firstPage + i] : []))
    const values = cold.length === 0 ? [] : await this.#store.getMany(cold.map(feedPageKey))
    for (const [i, value] of values.entries()) {
      const page = cold[i]!
      if (value !== null) pages[page - firstPage] = value
      else if (page < this.#firstPage) return null
      else throw new StoreDamagedError(`page ${page} of the feed is missing`)
    }
    const entries = pages.flatMap((bytes) => {
      const reader = new ByteReader(bytes!)
      const found = readEntries(reader)
      reader.end('a page of the feed')
      return found
    })
    const skipped = from - 1 - firstPage * FEED_PAGE
    const wanted = entries.slice(skipped, skipped + to - from + 1)
    assert(wanted.length === to - from + 1, 'the feed has a hole')
    return wanted
  }

  freeze(): Generator<Put> {
    this.#frozen = [...this.#unwritten.keys()]
    const pages = this.#frozen.map((page) => ({
      key: feedPageKey(page),
      value: this.#unwritten.get(page)!,
    }))
    const dropped: Put[] = []
    for (; this.#purged < this.#firstPage; this.#purged += 1) {
      dropped.push({ key: feedPageKey(this.#purged), value: null })
    }
    const writer = new ByteWriter().varint(this.#head).varint(this.#firstPage)
    writeRuns(writer, this.#runs, 0, 0, 0)
    return puts([...pages, ...dropped, { key: FEED_KEY, value: writer.toBytes() }])
  }

  completed(): void {
    for (const page of this.#frozen) this.#unwritten.delete(page)
    this.#frozen = []
  }

  /** Written pages do not stay. */
  evict(): void {}

  #push(conversation: number, seq: number): void {
    const runs = this.#runs
    const last = runs.length - RUN_FIELDS
    if (last >= 0 && runs[last] === conversation && runs[last + 1] === seq - 1) {
      runs[last + 1] = seq
      runs[last + 2]! += 1
    } else runs.push(conversation, seq, 1)
    this.#open += 1
  }

  #encodeOpen(): Uint8Array {
    const writer = new ByteWriter()
    writeRuns(writer, this.#runs, 0, 0, 0)
    return writer.toBytes()
  }
}

function* puts(list: readonly Put[]): Generator<Put> {
  yield* list
}
