import type { Failpoints } from '../failpoints.ts'
import type { File, FileSystem, Random } from '../ports.ts'
import { ByteWriter } from './byte-writer.ts'
import { FRAME_HEADER_BYTES, frameBytes, sealFrame } from './frame-codec.ts'
import { LogIndex } from './log-index.ts'
import { LogState } from './log-state.ts'
import { decodeBatch, encodeHead, headRecordBytes } from './record-codec.ts'
import { headOf, recover, type Recovered } from './recovery.ts'
import { NoRoomError } from './no-room.ts'
import {
  createSegment,
  damaged,
  isTemporaryName,
  parseSegmentName,
  readFrames,
  segmentName,
  type Segment,
  type SegmentName,
  writeZeros,
} from './segment-file.ts'

/**
 * A start waits for these bytes to be on disk, so they are few: of three nodes on one machine that
 * start together each would write 64 MiB first. The next segment, made beside the appends, is whole.
 */
const FRESH_BYTES = 4 * 1024 * 1024

export interface StartedLog {
  readonly state: LogState
  readonly index: LogIndex
  readonly salt: bigint
  readonly keptFrom: number
  readonly segments: Segment[]
  /** Number and crc of the newest batch. */
  readonly batch: number
  readonly chain: number
}

interface StartOptions {
  readonly fileSystem: FileSystem
  readonly failpoints: Failpoints
  readonly random: Random
  readonly directory: string
  readonly segmentBytes: number
}

/** Makes the log of an empty directory, or recovers the one that is there and rewrites its end. */
export async function startLog(options: StartOptions): Promise<StartedLog> {
  const { fileSystem, directory } = options
  const names = await fileSystem.list(directory)
  const segments = names.flatMap((name) => parseSegmentName(directory, name) ?? [])
  const recovered = segments.length > 0 ? await recover(fileSystem, segments) : null
  if (recovered !== null) options.failpoints.hit('log.bootRead')
  // Nothing was touched up to here: a damaged log is left as it was found.
  for (const name of names) {
    if (isTemporaryName(name)) await fileSystem.remove(`${directory}/${name}`)
  }
  if (recovered === null) return createLog(options)
  try {
    return await rewriteEnd(options, recovered)
  } catch (error) {
    for (const segment of recovered.segments) await segment.file.close()
    throw error
  }
}

/** Rule K1: the Raft id is random, made with the directory, and durable before anyone hears it. */
async function createLog(options: StartOptions): Promise<StartedLog> {
  const { fileSystem, failpoints, random, directory, segmentBytes } = options
  const state = LogState.empty(randomId(random))
  const salt = Buffer.from(random.bytes(8)).readBigUInt64LE()
  const writer = new ByteWriter()
  writer.reset(FRAME_HEADER_BYTES)
  encodeHead(writer, { ...headOf(state, 1), segment: 1 })
  const name = segmentName(directory, 1, segmentBytes)
  const { frame, crc } = finish(writer, { batch: 1, salt, chain: 0 })
  const file = await createSegment({ fileSystem, failpoints, directory, name, firstFrame: frame })
  failpoints.hit('log.created')
  const segment = asSegment(name, file, frame.length, state.position)
  const index = new LogIndex()
  return { state, index, salt, keptFrom: 1, segments: [segment], batch: 1, chain: crc }
}

/**
 * The newest batch may have been read from a page cache that never reached the disk, and after a
 * failed write-back never will. So it is copied under its own number into a fresh segment, durable
 * before the log is used; a torn one after it stays behind in the old segment. From its number on,
 * the old segment's frames count no more.
 */
async function rewriteEnd(options: StartOptions, recovered: Recovered): Promise<StartedLog> {
  const { fileSystem, failpoints, directory, segmentBytes } = options
  const { state, index, salt, keptFrom, segments, unused, last } = recovered
  const old = segments.at(-1)!
  const remove = async (names: readonly SegmentName[]): Promise<void> => {
    for (const name of names) await fileSystem.remove(name.path)
    if (names.length > 0) await fileSystem.syncDirectory(directory)
  }
  // Those that hold no batch are in the way of the new segment, which may have the number of one.
  await remove(unused.filter(({ number }) => number > old.number).toReversed())
  // A segment with this batch alone is replaced as a whole: restarts do not pile up files.
  const alone = last.offset === 0
  const name: SegmentName = alone
    ? { number: old.number, madeBytes: old.madeBytes, path: old.path }
    : segmentName(directory, old.number + 1, Math.min(segmentBytes, FRESH_BYTES))
  const writer = new ByteWriter()
  writer.reset(FRAME_HEADER_BYTES)
  encodeHead(writer, { ...last.before, segment: name.number })
  let firstIndex: number | undefined
  readFrames(old, last.offset, last.bytes, salt, ({ payload }) => {
    firstIndex = decodeBatch(payload).entries[0]?.index
    writer.bytes(payload.subarray(alone ? headRecordBytes(payload) : 0))
  })
  const { frame, crc } = finish(writer, { batch: last.batch, salt, chain: last.chain })
  const parts = { fileSystem, failpoints, directory, name, firstFrame: frame }
  const file = await createSegment(parts).catch((error: unknown) => {
    if (error instanceof NoRoomError) return null
    throw error
  })
  if (file === null) return rewriteInPlace(options, recovered)
  failpoints.hit('log.bootEndCopied')
  // Not before: that they are needed no longer may be said by the newest batch alone.
  await remove(unused.filter(({ number }) => number < old.number))
  failpoints.hit('log.bootSwept')
  const segment = asSegment(name, file, frame.length, last.before.position)
  segment.lowestIndex = firstIndex ?? Infinity
  index.cutAt(old.number, last.offset)
  if (firstIndex !== undefined) index.add(firstIndex, segment.number, 0, frame.length)
  if (alone) {
    segments.pop()
    await old.file.close()
  } else {
    await old.file.truncate(last.offset)
    old.usedBytes = last.offset
    old.fileBytes = last.offset
  }
  failpoints.hit('log.bootEndCut')
  segments.push(segment)
  return { state, index, salt, keptFrom, segments, batch: last.batch, chain: crc }
}

/**
 * With a full disk the newest batch is written again where it stands (rule K9): the same bytes, so
 * that no crash makes less of it than there was, and zeros over what a crash left behind it.
 */
async function rewriteInPlace(options: StartOptions, recovered: Recovered): Promise<StartedLog> {
  const { state, index, salt, keptFrom, segments, last } = recovered
  const newest = segments.at(-1)!
  const frame = Buffer.alloc(last.bytes)
  for (let at = 0; at < frame.length;) {
    const read = await newest.file.read(frame.subarray(at), last.offset + at)
    if (read === 0) throw damaged(newest.path, last.offset + at, 'it became shorter')
    at += read
  }
  await newest.file.write(frame, last.offset)
  await writeZeros(newest.file, newest.usedBytes, newest.fileBytes)
  await newest.file.sync()
  for (const { number, path } of recovered.unused) {
    if (number < newest.number) await options.fileSystem.remove(path)
  }
  await options.fileSystem.syncDirectory(options.directory)
  return { state, index, salt, keptFrom, segments, batch: last.batch, chain: last.crc }
}

function finish(
  writer: ByteWriter,
  header: { batch: number; salt: bigint; chain: number },
): { frame: Buffer; crc: number } {
  const bytes = frameBytes(writer.length - FRAME_HEADER_BYTES)
  writer.ensure(bytes - writer.length)
  const crc = sealFrame(writer.buffer, writer.length, header)
  return { frame: writer.buffer.subarray(0, bytes), crc }
}

function asSegment(
  name: SegmentName,
  file: File,
  usedBytes: number,
  position: Segment['position'],
): Segment {
  const fileBytes = Math.max(name.madeBytes, usedBytes)
  return { ...name, file, position, lowestIndex: Infinity, usedBytes, fileBytes }
}

function randomId(random: Random): string {
  for (;;) {
    const id = Buffer.from(random.bytes(8)).toString('hex')
    if (id !== '0'.repeat(16)) return id
  }
}
