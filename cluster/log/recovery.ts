import { AssertionError, assert } from '../assert.ts'
import type { File, FileSystem } from '../ports.ts'
import { FRAME_VERSION, SALT_OFFSET, type Frame, type FrameHeader } from './frame-codec.ts'
import { LogFormatError } from './log-format-error.ts'
import { LogIndex } from './log-index.ts'
import { LogState } from './log-state.ts'
import { LogDamagedError } from './log-storage.ts'
import { decodeBatch, type Batch, type Head } from './record-codec.ts'
import { damaged, type Segment, type SegmentName } from './segment-file.ts'
import { SegmentScanner } from './segment-scanner.ts'

/** What the segments of a directory say once all of it was checked. */
export interface Recovered {
  /** After the newest batch. */
  readonly state: LogState
  readonly index: LogIndex
  readonly salt: bigint
  readonly keptFrom: number
  /** Ascending; the newest batch stands in the last one. */
  readonly segments: Segment[]
  /** No longer needed, or made but holding no batch: to be removed. */
  readonly unused: readonly SegmentName[]
  readonly last: LastFrame
}

/** The newest batch, which no later one proves to be on disk. */
export interface LastFrame {
  readonly batch: number
  readonly chain: number
  readonly crc: number
  readonly offset: number
  readonly bytes: number
  /** What was in force before it. */
  readonly before: Omit<Head, 'segment'>
}

interface OpenSegment {
  readonly name: SegmentName
  readonly file: File
  readonly fileBytes: number
  readonly scanner: SegmentScanner
  /** `null` if no valid frame stands at its start. */
  readonly first: { batch: number; chain: number; salt: bigint; head: Head } | null
}

/**
 * Reads all frames in order and proves that they are the whole log: numbers and chain have no gap,
 * every segment restates what those before it say, and nothing of this log stands after the end.
 * Only the newest batch may be damaged: it was torn by a crash before its fdatasync returned, so
 * nobody was told of it. Everything else throws `LogDamagedError`. Changes no file.
 */
export async function recover(
  fileSystem: FileSystem,
  names: readonly SegmentName[],
): Promise<Recovered> {
  const opened: OpenSegment[] = []
  try {
    for (const name of names) opened.push(await openSegment(fileSystem, name))
    const recovered = (await recoverAll(opened)) ?? (await recoverNeeded(opened))
    const used = new Set(recovered.segments.map((segment) => segment.number))
    const unused = opened.filter((segment) => !used.has(segment.name.number))
    for (const segment of unused) await segment.file.close()
    return { ...recovered, unused: unused.map((segment) => segment.name) }
  } catch (error) {
    for (const segment of opened) await segment.file.close()
    throw error
  }
}

/**
 * What nearly every start meets: all the segments there are, whole, and all still needed. Then the
 * newest one is read once. `null` for anything else, which only `recoverNeeded` can judge.
 */
async function recoverAll(
  opened: readonly OpenSegment[],
): Promise<Omit<Recovered, 'unused'> | null> {
  const oldest = opened[0]!.name.number
  if (opened.some(({ name }, at) => name.number !== oldest + at)) return null
  try {
    const recovered = await new Recovery(opened).run()
    return recovered.keptFrom === oldest ? recovered : null
  } catch (error) {
    if (error instanceof LogDamagedError || error instanceof LogFormatError) return null
    throw error
  }
}

/** Finds out first which segments count, in the newest of them. */
async function recoverNeeded(opened: readonly OpenSegment[]): Promise<Omit<Recovered, 'unused'>> {
  const keptFrom = await oldestNeeded(opened)
  const needed = opened.filter((segment) => segment.name.number >= keptFrom)
  if (needed.length === 0) {
    throw damaged(opened.at(-1)!.name.path, 0, `segment ${keptFrom} is missing after it`)
  }
  for (const [at, { name }] of needed.entries()) {
    if (name.number === keptFrom + at) continue
    throw damaged(name.path, 0, `segment ${keptFrom + at} is missing before it`)
  }
  const recovered = await new Recovery(needed).run()
  assert(recovered.keptFrom === keptFrom, 'the log begins with the oldest needed segment')
  return recovered
}

/**
 * The newest segment restates it, or holds the batch that moved it. What stands before it is what a
 * crash left of a compaction: not whole, and no place to begin.
 */
async function oldestNeeded(opened: readonly OpenSegment[]): Promise<number> {
  const newest = opened.findLast((segment) => segment.first !== null)
  if (newest === undefined || newest.first === null) {
    throw damaged(opened[0]!.name.path, 0, 'no segment begins with a whole batch')
  }
  const { name, scanner, first } = newest
  let keptFrom = first.head.keptFrom
  let offset = 0
  for (let batch = first.batch; ; batch++) {
    const frame = await scanner.frameAt(offset)
    if (frame?.batch !== batch || frame.salt !== first.salt) return keptFrom
    keptFrom = decode(name.path, offset, frame).keptFrom ?? keptFrom
    offset += frame.bytes
  }
}

class Recovery {
  readonly #opened: readonly OpenSegment[]
  readonly #index = new LogIndex()
  readonly #segments: Segment[] = []
  #state: LogState | null = null
  #keptFrom = 0
  #last: LastFrame | null = null

  constructor(opened: readonly OpenSegment[]) {
    this.#opened = opened
  }

  async run(): Promise<Omit<Recovered, 'unused'>> {
    const opened = this.#opened
    const used = opened.findLastIndex((segment) => segment.first !== null) + 1
    const oldest = opened[0]!
    if (oldest.first === null) throw damaged(oldest.name.path, 0, 'its first batch is damaged')
    const { salt } = oldest.first
    for (let at = 0; at < used; at++) await this.#readSegment(at, at === used - 1, salt)
    await this.#checkEnd(opened.slice(used - 1), salt)
    return {
      state: this.#state!,
      index: this.#index,
      salt,
      keptFrom: this.#keptFrom,
      segments: this.#segments,
      last: this.#last!,
    }
  }

  /** Takes the frames of one segment up to where the next segment takes over, or to the end. */
  async #readSegment(at: number, newest: boolean, salt: bigint): Promise<void> {
    const { name, file, fileBytes, scanner, first } = this.#opened[at]!
    const next = this.#opened[at + 1]?.first ?? null
    if (first === null) throw damaged(name.path, 0, 'its first batch is damaged')
    if (first.salt !== salt) throw damaged(name.path, 0, 'it belongs to another log')
    if (!newest && next !== null && next.batch <= first.batch) {
      throw damaged(name.path, 0, `batch ${first.batch} does not come before ${next.batch}`)
    }
    if (newest && fileBytes < name.madeBytes) {
      throw damaged(name.path, fileBytes, `it was made with ${name.madeBytes} bytes`)
    }
    const segment: Segment = {
      ...name,
      file,
      fileBytes,
      position: first.head.position,
      lowestIndex: Infinity,
      usedBytes: 0,
    }
    this.#segments.push(segment)
    for (;;) {
      const expected = this.#last === null ? first.batch : this.#last.batch + 1
      if (!newest && expected === next?.batch) break
      const offset = segment.usedBytes
      const frame = await scanner.frameAt(offset)
      if (frame === null || frame.salt !== salt || !this.#continues(frame, expected)) {
        if (newest) return
        throw damaged(name.path, offset, `batch ${expected} is damaged and later ones are not`)
      }
      this.#take(segment, frame)
      segment.usedBytes += frame.bytes
    }
    if (next!.chain !== this.#last!.crc) {
      throw damaged(name.path, this.#last!.offset, `batch ${next!.batch} does not follow its bytes`)
    }
  }

  #continues(frame: Frame, expected: number): boolean {
    return frame.batch === expected && (this.#last === null || frame.chain === this.#last.crc)
  }

  #take(segment: Segment, frame: Frame & FrameHeader): void {
    const offset = segment.usedBytes
    const batch = decode(segment.path, offset, frame)
    if ((batch.head !== null) !== (offset === 0)) {
      throw damaged(segment.path, offset, 'a segment is restated where none begins')
    }
    try {
      if (batch.head !== null) this.#restate(segment, batch.head)
      const state = this.#state!
      const before = headOf(state, this.#keptFrom)
      const { batch: number, chain, crc, bytes } = frame
      this.#last = { batch: number, chain, crc, offset, bytes, before }
      this.#keptFrom = applyBatch(state, this.#index, segment, frame.bytes, batch) ?? this.#keptFrom
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error
      throw damaged(segment.path, offset, `batch ${frame.batch}: ${error.message}`)
    }
  }

  /** The oldest segment's restatement is where the log begins; a later one must agree with it. */
  #restate(segment: Segment, head: Head): void {
    const { raftId, position, hardState, formation, keptFrom } = head
    const state = this.#state
    if (state === null) {
      this.#state = new LogState({ raftId, formation, hardState, start: position })
      this.#keptFrom = keptFrom
      return
    }
    const same =
      raftId === state.raftId &&
      keptFrom === this.#keptFrom &&
      JSON.stringify(position) === JSON.stringify(state.position) &&
      JSON.stringify(hardState) === JSON.stringify(state.storedHardState) &&
      JSON.stringify(formation) === JSON.stringify(state.formation)
    if (!same) throw damaged(segment.path, 0, 'it contradicts the segments before it')
  }

  /**
   * After the newest valid batch `b` there may be one torn frame, numbered `b + 1`: where `b` ends,
   * or at the start of the segment that was made next. Anything else of this log is a later batch,
   * whole or not: then `b + 1` was once durable.
   */
  async #checkEnd(tail: readonly OpenSegment[], salt: bigint): Promise<void> {
    let torn: string | null = null
    for (const [at, { name, scanner, fileBytes }] of tail.entries()) {
      if (fileBytes < name.madeBytes) {
        throw damaged(name.path, fileBytes, `it was made with ${name.madeBytes} bytes`)
      }
      const end = at === 0 ? this.#segments.at(-1)!.usedBytes : 0
      if ((await scanner.findNonZero(end)) === null) continue
      if (torn !== null)
        throw damaged(name.path, end, `${torn} is damaged and later ones stand here`)
      torn = `batch ${this.#last!.batch + 1} in ${name.path}`
      await this.#checkTorn(name.path, scanner, end, salt)
    }
  }

  async #checkTorn(
    path: string,
    scanner: SegmentScanner,
    end: number,
    salt: bigint,
  ): Promise<void> {
    const number = this.#last!.batch + 1
    const found = await scanner.findSalt(salt, end)
    if (found === null) return
    const header = found === end ? await scanner.headerAt(end) : null
    const whole = found === end ? await scanner.frameAt(end) : null
    const beyond = await scanner.findSalt(salt, found + SALT_OFFSET + 8)
    if (found !== end || beyond !== null) {
      throw damaged(path, end, `batch ${number} is damaged and later ones are not`)
    }
    if (whole !== null || (header !== null && header.batch !== number)) {
      throw damaged(path, end, `batch ${header!.batch} stands where batch ${number} belongs`)
    }
    if (header !== null && (await scanner.findNonZero(end + header.bytes)) !== null) {
      throw damaged(path, end, `batch ${number} is damaged and something stands after it`)
    }
  }
}

/** What a segment that begins now must restate. */
export function headOf(state: LogState, keptFrom: number): Omit<Head, 'segment'> {
  return {
    raftId: state.raftId,
    keptFrom,
    position: state.position,
    hardState: state.storedHardState,
    formation: state.formation,
  }
}

/**
 * Applies one batch to what is known of the log. Returns the oldest needed segment if the batch
 * says so. `segment.usedBytes` is where the frame begins.
 */
function applyBatch(
  state: LogState,
  index: LogIndex,
  segment: Segment,
  bytes: number,
  batch: Batch,
): number | null {
  const { formation, snapshot, entries, hardState } = batch
  if (formation !== null) state.form(formation)
  if (snapshot !== null) index.clear()
  const first = entries[0]?.index
  if (first !== undefined) {
    if (first <= state.lastIndex) index.breakRun()
    segment.lowestIndex = Math.min(segment.lowestIndex, first)
  }
  if (snapshot !== null || first !== undefined || hardState !== null) {
    state.append({ snapshot, entries, hardState })
  }
  if (first !== undefined) index.add(first, segment.number, segment.usedBytes, bytes)
  return batch.keptFrom
}

async function openSegment(fileSystem: FileSystem, name: SegmentName): Promise<OpenSegment> {
  const file = await fileSystem.open(name.path, { create: 'never' })
  try {
    const fileBytes = await file.size()
    const scanner = new SegmentScanner(file, fileBytes)
    const frame = await scanner.frameAt(0)
    if (frame === null) return { name, file, fileBytes, scanner, first: null }
    const { head } = decode(name.path, 0, frame)
    if (head === null || head.segment !== name.number) {
      throw damaged(name.path, 0, `it is not what segment ${name.number} began with`)
    }
    const { batch, chain, salt } = frame
    return { name, file, fileBytes, scanner, first: { batch, chain, salt, head } }
  } catch (error) {
    await file.close()
    throw error
  }
}

function decode(path: string, offset: number, frame: Frame & FrameHeader): Batch {
  if (frame.version !== FRAME_VERSION) {
    throw new LogFormatError(
      `${path} at byte ${offset} has format ${frame.version}, this version knows ${FRAME_VERSION}: ` +
        'start the version of parley that wrote it. Nothing was changed',
    )
  }
  try {
    return decodeBatch(frame.payload)
  } catch (cause) {
    if (!(cause instanceof LogFormatError)) throw cause
    throw new LogFormatError(
      `${path} at byte ${offset}, batch ${frame.batch}: ${cause.message}. Start the version of ` +
        'parley that wrote it. Nothing was changed',
      { cause },
    )
  }
}
