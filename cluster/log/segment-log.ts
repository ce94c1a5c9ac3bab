import { assert } from '../assert.ts'
import { type Failpoints, NO_FAILPOINTS } from '../failpoints.ts'
import type { Clock, FileSystem, Random } from '../ports.ts'
import type { Entry, SnapshotMeta } from '../raft/types.ts'
import { BatchWriter, type BatchJob } from './batch-writer.ts'
import { EntryCache } from './entry-cache.ts'
import { readFrames, damaged, type Segment } from './segment-file.ts'
import type { LogIndex, Mark } from './log-index.ts'
import { LogOfState } from './log-of-state.ts'
import type { AppendRequest, Formation, LogStorage } from './log-storage.ts'
import { startLog } from './log-start.ts'
import { SegmentReserve } from './segment-reserve.ts'
import { SpareMaker } from './spare-maker.ts'
import { scrubSegment } from './scrub-segment.ts'
import { decodeBatch, encodeAppend, encodeFormation, encodeKept } from './record-codec.ts'
import { headOf } from './recovery.ts'

export interface SegmentLogOptions {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly random: Random
  /** Made if it is absent. Nothing else may write to it; it is locked until `close`. */
  readonly directory: string
  /** A segment is made with this many bytes. @default 64 MiB */
  readonly segmentBytes?: number
  /** Quiet after which the newest batch is followed by an empty one. @default 100 */
  readonly sealAfterMs?: number
  /** Newest entries kept in memory. @default 8 MiB */
  readonly cacheBytes?: number
  /** @default none */
  readonly failpoints?: Failpoints
}

const SMALLEST_SEGMENT_BYTES = 4096
const LARGEST_SEGMENT_BYTES = 1024 * 1024 * 1024
const MIB = 1024 * 1024
/** What is taken out of memory at a time: a read is mostly cut by its bytes. */
const SLICE_ENTRIES = 1024
/** Entries of one larger frame are decoded anew by every read of a part of them. */
const LARGEST_KEPT_READ_BYTES = 8 * MIB

/** The log on disk (rule K2): a directory of segments, each a run of frames, each one batch. */
export class SegmentLog extends LogOfState implements LogStorage {
  readonly #fileSystem: FileSystem
  readonly #failpoints: Failpoints
  readonly #directory: string
  readonly #unlock: () => Promise<void>
  readonly #index: LogIndex
  readonly #cache: EntryCache
  readonly #segments: Segment[]
  readonly #writer: BatchWriter
  readonly #reserve: SegmentReserve
  readonly #spares: SpareMaker
  readonly #salt: bigint
  #keptFrom: number
  #durableIndex: number
  #appending = false
  #closing = false
  #compaction: Promise<void> = Promise.resolve()
  #lastRead: { mark: Mark; entries: Entry[] } | null = null

  /**
   * Opens the log in a directory, or makes one with a new Raft id. When it resolves, all that it
   * will ever say was there is durable. Throws `LogDamagedError` or `LogFormatError` without having
   * changed anything.
   */
  static async open(options: SegmentLogOptions): Promise<SegmentLog> {
    const { fileSystem, directory, segmentBytes = 64 * MIB, failpoints = NO_FAILPOINTS } = options
    assert(
      segmentBytes >= SMALLEST_SEGMENT_BYTES && segmentBytes <= LARGEST_SEGMENT_BYTES,
      `segmentBytes must be from 4 KiB to 1 GiB, got ${segmentBytes}`,
    )
    await fileSystem.makeDirectory(directory)
    await fileSystem.syncDirectory(parentOf(directory))
    const unlock = await fileSystem.lock(directory)
    try {
      const complete = { ...options, segmentBytes, failpoints }
      const started = await startLog(complete)
      const reserve = new SegmentReserve(fileSystem, directory, segmentBytes)
      await reserve.open()
      return new SegmentLog(complete, started, reserve, unlock)
    } catch (error) {
      await unlock()
      throw error
    }
  }

  private constructor(
    options: SegmentLogOptions & { segmentBytes: number; failpoints: Failpoints },
    started: Awaited<ReturnType<typeof startLog>>,
    reserve: SegmentReserve,
    unlock: () => Promise<void>,
  ) {
    const { state, index, segments, salt, keptFrom, batch, chain } = started
    super(state)
    this.#fileSystem = options.fileSystem
    this.#failpoints = options.failpoints
    this.#directory = options.directory
    this.#unlock = unlock
    this.#index = index
    this.#segments = segments
    this.#salt = salt
    this.#keptFrom = keptFrom
    this.#durableIndex = state.lastIndex
    this.#cache = new EntryCache(state.lastIndex + 1, options.cacheBytes ?? 8 * MIB)
    this.#reserve = reserve
    this.#spares = new SpareMaker({ ...options, reserve })
    this.#writer = new BatchWriter({
      clock: options.clock,
      failpoints: options.failpoints,
      spares: this.#spares,
      sealAfterMs: options.sealAfterMs ?? 100,
      salt,
      segments,
      batch,
      chain,
      sealJob: () => this.#job({}),
    })
  }

  entries(low: number, high: number, maxBytes: number): readonly Entry[] | null {
    if (low < this.firstIndex()) return null
    const end = Math.min(high, this.lastIndex() + 1)
    const taken: Entry[] = []
    let bytes = 0
    let next = low
    while (next < end) {
      for (const entry of this.#run(next, end)) {
        bytes += entry.data.length
        if (taken.length > 0 && bytes > maxBytes) return taken
        taken.push(entry)
        next++
      }
    }
    return taken
  }

  async form(formation: Formation): Promise<void> {
    if (this.formation !== null) throw new Error('this log has its formation already')
    if (this.#writer.error !== null) throw this.#writer.error
    const job = this.#job({
      encode: (writer) => encodeFormation(writer, formation),
      half: 'membership.formationHalfWritten',
    })
    this.state.form(formation)
    await this.#submit(job)
  }

  append(request: AppendRequest, done: (error: Error | null) => void): void {
    assert(!this.#appending, 'an append while another one is under way')
    if (this.#writer.error !== null) return done(this.#writer.error)
    const { snapshot, entries, hardState } = request
    if (snapshot === null && entries.length === 0 && hardState === null) return done(null)
    const first = entries[0]?.index ?? null
    const replaces = snapshot !== null || (first !== null && first <= this.lastIndex())
    let place: { segment: Segment; offset: number; bytes: number } | null = null
    const job = this.#job({
      encode: (writer) => encodeAppend(writer, request),
      placed: (segment, offset, bytes) => {
        place = { segment, offset, bytes }
        if (first !== null) segment.lowestIndex = Math.min(segment.lowestIndex, first)
      },
      done: (error) => {
        this.#appending = false
        if (error === null) {
          if (entries.length === 0 && !replaces) this.#failpoints.hit('log.hardStateSynced')
          if (replaces && snapshot === null) this.#failpoints.hit('log.suffixReplaced')
          const { segment, offset, bytes } = place!
          // Not before: until now its entries are read from memory, and its bytes may not be there.
          if (snapshot !== null) this.#index.clear()
          if (replaces) this.#index.breakRun()
          if (first !== null) this.#index.add(first, segment.number, offset, bytes)
          this.#durableIndex = this.lastIndex()
          this.#cache.trim(this.#durableIndex)
          if (snapshot !== null) this.#compactLater(snapshot)
        }
        done(error)
      },
    })
    this.state.append(request)
    if (snapshot !== null) this.#cache.clear(snapshot.index + 1)
    this.#cache.append(entries)
    if (replaces) this.#durableIndex = (first ?? this.lastIndex() + 1) - 1
    this.#appending = true
    this.#writer.submit(job)
  }

  compact(snapshot: SnapshotMeta): Promise<void> {
    const compaction = this.#compaction.then(() => this.#compact(snapshot))
    this.#compaction = compaction.catch(() => undefined)
    return compaction
  }

  size(): { bytes: number; segments: number } {
    let bytes = this.#writer.spareBytes
    for (const segment of this.#segments) bytes += segment.fileBytes
    return { bytes, segments: this.#segments.length }
  }

  get room(): number {
    return this.#writer.room
  }

  get reserved(): number {
    return this.#reserve.count
  }

  saveSpace(saves: boolean): void {
    this.#spares.savesSpace = saves
  }

  keepReserve(): Promise<void> {
    return this.#reserve.keep()
  }

  async scrub(pace: (bytes: number) => Promise<void>): Promise<{ bytes: number }> {
    let bytes = 0
    // The newest one is written to, and was read when it was opened.
    for (const segment of this.#segments.slice(0, -1)) {
      const counts = () => !this.#closing && this.#segments.includes(segment)
      if (counts()) bytes += await scrubSegment(segment, this.#salt, { pace, counts })
    }
    return { bytes }
  }

  /** Waits for what is under way, seals, gives the directory back. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#compaction
    await this.#reserve.close()
    await this.#writer.close()
    for (const segment of this.#segments) await segment.file.close()
    await this.#unlock()
  }

  /** Entries from `next` on, at least one: some from memory, or what one mark has of them. */
  #run(next: number, end: number): Entry[] {
    const cached = this.#cache.firstIndex
    if (next >= cached) return this.#cache.slice(next, Math.min(end, next + SLICE_ENTRIES))
    const { mark, until } = this.#index.find(next)
    const limit = Math.min(end, until, cached)
    const run = this.#readMark(mark).filter(({ index }) => index >= next && index < limit)
    if (run[0]?.index !== next || run.at(-1)!.index !== next + run.length - 1) {
      throw damaged(this.#segment(mark.segment).path, mark.offset, `entry ${next} is not there`)
    }
    return run
  }

  #readMark(mark: Mark): Entry[] {
    const last = this.#lastRead
    if (last?.mark.segment === mark.segment && last.mark.offset === mark.offset) {
      if (last.mark.bytes === mark.bytes) return last.entries
    }
    const entries: Entry[] = []
    readFrames(this.#segment(mark.segment), mark.offset, mark.bytes, this.#salt, (frame) => {
      for (const entry of decodeBatch(frame.payload).entries) entries.push(entry)
    })
    this.#lastRead = mark.bytes <= LARGEST_KEPT_READ_BYTES ? { mark, entries } : null
    return entries
  }

  #segment(number: number): Segment {
    const segment = this.#segments[number - this.#segments[0]!.number]
    assert(segment?.number === number, `segment ${number} is not open`)
    return segment
  }

  /** What is restated if the batch begins a segment is taken now: before its own changes. */
  #job(job: Partial<Omit<BatchJob, 'before'>>): BatchJob {
    const nothing = (): void => undefined
    return {
      before: headOf(this.state, this.#keptFrom),
      encode: job.encode ?? nothing,
      placed: job.placed ?? nothing,
      done: job.done ?? nothing,
      half: job.half ?? 'log.batchHalfWritten',
    }
  }

  #submit(job: BatchJob): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null): void => (error === null ? resolve() : reject(error))
      this.#writer.submit({ ...job, done })
    })
  }

  #compactLater(snapshot: SnapshotMeta): void {
    this.compact(snapshot).catch((error: Error) => this.#writer.fail(error))
  }

  async #compact(snapshot: SnapshotMeta): Promise<void> {
    if (this.#writer.error !== null) throw this.#writer.error
    assert(snapshot.index <= this.lastIndex(), `compaction to ${snapshot.index} past the end`)
    const keptFrom = this.#oldestNeeded(snapshot.index)
    if (keptFrom <= this.#keptFrom) return
    const job = this.#job({ encode: (writer) => encodeKept(writer, keptFrom) })
    this.#keptFrom = keptFrom
    await this.#submit(job)
    this.#failpoints.hit('log.releaseNoted')
    try {
      await this.#removeOldSegments()
    } catch (error) {
      this.#writer.fail(error as Error)
      throw error
    }
  }

  /**
   * The newest segment that everything before may go for. Its restated position must be at or
   * below `index`, and no batch since may have replaced entries at or below that position: the
   * restatement would then name a term that is no longer true.
   */
  #oldestNeeded(index: number): number {
    let lowest = Infinity
    for (let at = this.#segments.length - 1; at >= 0; at--) {
      const { number, position, lowestIndex } = this.#segments[at]!
      lowest = Math.min(lowest, lowestIndex)
      if (position.index <= index && lowest > position.index) return number
    }
    return this.#keptFrom
  }

  /** A crash in between leaves some of them, which the next start does not need and removes. */
  async #removeOldSegments(): Promise<void> {
    const kept = this.#segment(this.#keptFrom)
    if (kept === this.#segments[0]) return
    if (kept.position.index > this.state.start.index) this.state.startAt(kept.position)
    this.#index.dropBefore(kept.number)
    const old = this.#segments.splice(0, this.#segments.indexOf(kept))
    for (const { file, path } of old) {
      await file.close()
      await this.#fileSystem.remove(path)
      this.#failpoints.hit('log.segmentRemoved')
    }
    this.#failpoints.hit('log.segmentsRemoved')
    await this.#fileSystem.syncDirectory(this.#directory)
  }
}

function parentOf(directory: string): string {
  const slash = directory.replace(/\/+$/, '').lastIndexOf('/')
  return slash < 0 ? '.' : slash === 0 ? '/' : directory.slice(0, slash)
}
