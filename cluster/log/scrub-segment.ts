import type { readFrame } from './frame-codec.ts'
import { damaged, type Segment } from './segment-file.ts'
import { SegmentScanner } from './segment-scanner.ts'

/** Between two pauses: what is read at a time must not show in anybody's latency. */
const SLICE_BYTES = 64 * 1024

/** What the reader of a whole segment asks of its surroundings. */
export interface ScrubHost {
  /** Called after so many bytes; the reader goes on when it resolves. */
  readonly pace: (bytes: number) => Promise<void>
  /** The segment is still one of the log: else whatever is read of it says nothing. */
  readonly counts: () => boolean
}

/**
 * Reads every batch of a segment that nobody writes to any more, and proves that all of them are
 * there, in order, each the one that was written (rule K5). Resolves with the bytes that were read.
 *
 * @throws LogDamagedError
 */
export async function scrubSegment(
  segment: Segment,
  salt: bigint,
  host: ScrubHost,
): Promise<number> {
  const { path, usedBytes, file } = segment
  const scanner = new SegmentScanner(file, usedBytes)
  let last: { batch: number; crc: number } | null = null
  let [offset, paced] = [0, 0]
  while (offset < usedBytes) {
    const frame = await frameAt(scanner, offset, host)
    if (!host.counts()) break
    const follows = last === null || (frame?.batch === last.batch + 1 && frame.chain === last.crc)
    if (frame === null || frame.salt !== salt || !follows) {
      throw damaged(path, offset, 'the batch that stood there is damaged, it was whole before')
    }
    last = { batch: frame.batch, crc: frame.crc }
    offset += frame.bytes
    if (offset - paced < SLICE_BYTES && offset < usedBytes) continue
    await host.pace(offset - paced)
    if (!host.counts()) break
    paced = offset
  }
  return offset
}

/** What cannot be read of a file that was let go of meanwhile is nobody's error. */
async function frameAt(
  scanner: SegmentScanner,
  offset: number,
  { counts }: ScrubHost,
): Promise<ReturnType<typeof readFrame>> {
  try {
    return await scanner.frameAt(offset)
  } catch (error) {
    if (counts()) throw error
    return null
  }
}
