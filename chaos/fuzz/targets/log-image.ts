import { readFrame } from '../../../cluster/log/frame-codec.ts'
import { SegmentLog } from '../../../cluster/log/segment-log.ts'
import { CrashFileSystem } from '../../../cluster/log/testing/crash-file-system.ts'
import {
  ALICE,
  append,
  BOB,
  configurationEntry,
  contentOf,
  entries,
  FORMATION,
} from '../../../cluster/log/testing/log-samples.ts'
import { ManualClock } from '../../../cluster/testing/manual-clock.ts'
import { SeededRandom } from '../../../cluster/testing/seeded-random.ts'

/** A frame as it stands in a file. */
export interface Place {
  readonly path: string
  readonly offset: number
  readonly bytes: number
  readonly batch: number
}

/** The files of a log, and what it said after each of its batches. */
export interface LogImage {
  readonly disk: CrashFileSystem
  readonly paths: readonly string[]
  readonly frames: readonly Place[]
  readonly salt: Buffer
  /** By batch number; a batch that said nothing new has none. */
  readonly contents: ReadonlyMap<number, string>
}

const DIRECTORY = '/data/log'

export function openLog(disk: CrashFileSystem): Promise<SegmentLog> {
  return SegmentLog.open({
    fileSystem: disk,
    clock: new ManualClock(),
    random: new SeededRandom(5),
    directory: DIRECTORY,
    segmentBytes: 4096,
  })
}

/** A log with replaced entries, changed configurations and several segments, sealed at its end or not. */
export async function makeLog(sealed: boolean): Promise<LogImage> {
  const disk = new CrashFileSystem()
  const clock = new ManualClock()
  const random = new SeededRandom(5)
  const log = await SegmentLog.open({
    fileSystem: disk,
    clock,
    random,
    directory: DIRECTORY,
    segmentBytes: 4096,
  })
  const contents = new Map<number, string>()
  const note = async (): Promise<void> => {
    contents.set(placesOf(disk).at(-1)!.batch, JSON.stringify(contentOf(log)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await note()
  await log.form(FORMATION)
  await note()
  for (let at = 1; at <= 30; at += 2) {
    await append(log, { entries: entries(at, at + 1, 1, 100 + at * 5) })
    await note()
  }
  await append(log, { entries: [configurationEntry(28, 2, ALICE, BOB), ...entries(29, 32, 2)] })
  await note()
  await append(log, { hardState: { term: 3, vote: BOB, commit: 20 } })
  await note()
  await append(log, { entries: entries(33, 40, 3, 60) })
  await note()
  if (sealed) {
    clock.advance(1_000)
    await note()
  }
  const frames = placesOf(disk)
  const { path, offset } = frames[0]!
  const salt = Buffer.from(disk.bytesOf(path).subarray(offset + 24, offset + 32))
  return { disk, paths: segmentsOf(disk), frames, salt, contents }
}

export function segmentsOf(disk: CrashFileSystem): string[] {
  return disk.paths.filter((path) => path.endsWith('.log'))
}

function placesOf(disk: CrashFileSystem): Place[] {
  return segmentsOf(disk).flatMap((path) => {
    const places: Place[] = []
    for (let offset = 0; ;) {
      const frame = readFrame(disk.bytesOf(path), offset)
      if (frame === null) return places
      places.push({ path, offset, bytes: frame.bytes, batch: frame.batch })
      offset += frame.bytes
    }
  })
}
