import { crc32c } from '@node-rs/crc32'
import { beforeAll, describe, expect, it } from 'vitest'
import { FRAME_ALIGNMENT, readFrame, sealFrame } from './frame-codec.ts'
import { SegmentLog } from './segment-log.ts'
import { CrashFileSystem } from './testing/crash-file-system.ts'
import {
  ALICE,
  BOB,
  FORMATION,
  append,
  configurationEntry,
  contentOf,
  entries,
} from './testing/log-samples.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import { SeededRandom } from '../testing/seeded-random.ts'

/** A frame as it stands in a file. */
interface Place {
  readonly path: string
  readonly offset: number
  readonly bytes: number
  readonly batch: number
}

/** A healthy log, and every content that damage may leave of it. */
interface Sample {
  readonly disk: CrashFileSystem
  readonly frames: readonly Place[]
  readonly whole: string
  /** Without the newest batch; of a sealed log there is none to lose. */
  readonly shorter: string | null
}

const SEGMENT_BYTES = 8192

const open = (disk: CrashFileSystem): Promise<SegmentLog> =>
  SegmentLog.open({
    fileSystem: disk,
    clock: new ManualClock(),
    random: new SeededRandom(5),
    directory: '/data/log',
    segmentBytes: SEGMENT_BYTES,
  })

async function sample(sealed: boolean): Promise<Sample> {
  const disk = new CrashFileSystem()
  const clock = new ManualClock()
  const options = { fileSystem: disk, clock, random: new SeededRandom(5), directory: '/data/log' }
  const log = await SegmentLog.open({ ...options, segmentBytes: SEGMENT_BYTES })
  await log.form(FORMATION)
  for (let at = 1; at <= 80; at += 2) {
    await append(log, { entries: entries(at, at + 1, 1, 200 + at) })
    await new Promise((resolve) => setImmediate(resolve))
  }
  await append(log, { entries: [configurationEntry(78, 2, ALICE, BOB), ...entries(79, 82, 2)] })
  await append(log, { hardState: { term: 3, vote: BOB, commit: 70 } })
  const shorter = JSON.stringify(contentOf(log))
  await append(log, { entries: entries(83, 90, 3, 120) })
  if (sealed) clock.advance(1000)
  const whole = JSON.stringify(contentOf(log))
  return { disk, frames: placesOf(disk), whole, shorter: sealed ? null : shorter }
}

function placesOf(disk: CrashFileSystem): Place[] {
  return segmentsOf(disk).flatMap((path) => {
    const bytes = disk.bytesOf(path)
    const places: Place[] = []
    for (let offset = 0; ;) {
      const frame = readFrame(bytes, offset)
      if (frame === null) return places
      places.push({ path, offset, bytes: frame.bytes, batch: frame.batch })
      offset += frame.bytes
    }
  })
}

function segmentsOf(disk: CrashFileSystem): string[] {
  return disk.paths.filter((path) => path.endsWith('.log'))
}

type Outcome = 'whole' | 'shorter' | 'damaged'

/** Damages a copy and opens it: only what is allowed may come out. */
async function outcome(
  healthy: Sample,
  path: string,
  damage: (bytes: Buffer) => Buffer | null,
): Promise<Outcome> {
  const disk = healthy.disk.clone()
  const bytes = damage(Buffer.from(disk.bytesOf(path)))
  if (bytes === null) disk.erase(path)
  else disk.overwrite(path, bytes)
  const before = imageOf(disk)
  try {
    const said = JSON.stringify(contentOf(await open(disk)))
    if (said === healthy.whole) return 'whole'
    expect(said).toBe(healthy.shorter)
    return 'shorter'
  } catch (error) {
    expect((error as { code?: unknown }).code).toBe('LOG_DAMAGED')
    expect((error as Error).message).toContain('parley members replace')
    // An operator may want to look: nothing was touched.
    expect(imageOf(disk)).toEqual(before)
    return 'damaged'
  }
}

function imageOf(disk: CrashFileSystem): object {
  return disk.paths.map((path) => [path, disk.bytesOf(path).toString('base64')])
}

/** Offsets worth hitting in a frame: each field of its header, its payload, its end. */
function spots(place: Place): number[] {
  const inside = [0, 4, 8, 10, 12, 16, 24, 32, 36, 40, 52, place.bytes >> 1, place.bytes - 1]
  return inside.filter((at) => at < place.bytes).map((at) => place.offset + at)
}

for (const sealed of [true, false]) {
  describe(`damage to a log that is ${sealed ? 'sealed' : 'not sealed'}`, () => {
    let healthy: Sample
    let newest: Place

    beforeAll(async () => {
      healthy = await sample(sealed)
      newest = healthy.frames.at(-1)!
    })

    /** What damage inside one frame must come to. */
    const expected = (place: Place): Outcome[] => {
      if (place !== newest) return ['damaged']
      // The newest batch is cut off or, where a header proves more, refused; a seal held nothing.
      return sealed ? ['whole', 'damaged'] : ['shorter', 'damaged']
    }

    it('[LG30] changes nothing when there is none', async () => {
      expect(segmentsOf(healthy.disk).length).toBeGreaterThan(2)
      expect(await outcome(healthy, newest.path, (bytes) => bytes)).toBe('whole')
    })

    it('[LG30] finds a flipped bit anywhere', async () => {
      for (const place of healthy.frames) {
        for (const at of spots(place)) {
          const flip = (bytes: Buffer): Buffer => {
            bytes[at] = bytes[at]! ^ (1 << (at % 8))
            return bytes
          }
          expect(expected(place)).toContain(await outcome(healthy, place.path, flip))
        }
      }
    })

    it('[LG30] finds zeros in place of a frame or a part of it', async () => {
      for (const place of healthy.frames) {
        for (const [from, to] of [
          [0, place.bytes],
          [0, 16],
          [place.bytes >> 1, place.bytes],
        ] as const) {
          const zero = (bytes: Buffer): Buffer =>
            bytes.fill(0, place.offset + from, place.offset + to)
          const found = await outcome(healthy, place.path, zero)
          const allowed = expected(place)
          // The zeroed part may have been zeros.
          expect(place === newest ? [...allowed, 'whole'] : allowed).toContain(found)
        }
      }
    })

    it('[LG31] finds a file that was cut anywhere', async () => {
      for (const place of healthy.frames) {
        for (const at of spots(place)) {
          const cut = (bytes: Buffer): Buffer => bytes.subarray(0, at)
          expect(await outcome(healthy, place.path, cut)).toBe('damaged')
        }
      }
      const shortened = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 1)
      expect(await outcome(healthy, newest.path, shortened)).toBe('damaged')
    })

    it('[LG30] finds bytes that were put in or taken out', async () => {
      for (const place of healthy.frames) {
        for (const count of [1, 8, 64]) {
          const insert = (bytes: Buffer): Buffer =>
            Buffer.concat([
              bytes.subarray(0, place.offset),
              Buffer.alloc(count, 0x5a),
              bytes.subarray(place.offset),
            ])
          const remove = (bytes: Buffer): Buffer =>
            Buffer.concat([
              bytes.subarray(0, place.offset),
              bytes.subarray(place.offset + count),
              Buffer.alloc(count),
            ])
          expect(await outcome(healthy, place.path, insert)).toBe('damaged')
          expect(expected(place)).toContain(await outcome(healthy, place.path, remove))
        }
      }
    })

    it('[LG30] finds a frame that stands in the place of another', async () => {
      for (const place of healthy.frames) {
        const same = healthy.frames.filter((other) => other.path === place.path)
        for (const other of [same[0]!, same.at(-1)!, same[same.length >> 1]!]) {
          if (other === place) continue
          const duplicate = (bytes: Buffer): Buffer => {
            const copy = Buffer.from(bytes.subarray(other.offset, other.offset + other.bytes))
            copy.copy(bytes, place.offset)
            return bytes
          }
          expect(await outcome(healthy, place.path, duplicate)).toBe('damaged')
        }
      }
      const end = newest.offset + newest.bytes
      const again = (bytes: Buffer): Buffer => {
        bytes.copy(bytes, end, newest.offset, end)
        return bytes
      }
      expect(await outcome(healthy, newest.path, again)).toBe('damaged')
    })

    it('[LG30] finds two frames that changed places', async () => {
      for (const [at, place] of healthy.frames.entries()) {
        const next = healthy.frames[at + 1]
        if (next?.path !== place.path) continue
        const swap = (bytes: Buffer): Buffer => {
          const end = next.offset + next.bytes
          return Buffer.concat([
            bytes.subarray(0, place.offset),
            bytes.subarray(next.offset, end),
            bytes.subarray(place.offset, next.offset),
            bytes.subarray(end),
          ])
        }
        expect(await outcome(healthy, place.path, swap)).toBe('damaged')
      }
    })

    it('[LG32] finds a segment that is missing, empty or another one', async () => {
      const paths = segmentsOf(healthy.disk)
      const older = paths.filter((path) => path < newest.path)
      for (const path of older) {
        expect(await outcome(healthy, path, () => null)).toBe('damaged')
        expect(await outcome(healthy, path, () => Buffer.alloc(0))).toBe('damaged')
        expect(await outcome(healthy, path, (bytes) => bytes.fill(0))).toBe('damaged')
        const other = older.find((candidate) => candidate !== path) ?? newest.path
        const swapped = healthy.disk.bytesOf(other)
        expect(await outcome(healthy, path, () => Buffer.from(swapped))).toBe('damaged')
      }
      expect(await outcome(healthy, newest.path, () => Buffer.alloc(0))).toBe('damaged')
    })

    it('[LG30] finds random damage of any size before the newest salt', async () => {
      const random = new SeededRandom(sealed ? 1 : 2)
      for (let round = 0; round < 400; round++) {
        const place = healthy.frames[random.below(healthy.frames.length)]!
        const from = place.offset + random.below(place.bytes)
        let length = 1 + random.below(random.below(2) === 0 ? 8 : 900)
        // What wipes out the newest frame's salt too leaves no trace of it: the stated limit.
        if (place !== newest && place.path === newest.path) {
          length = Math.min(length, newest.offset + 16 - from)
        }
        const noise = Buffer.from(random.bytes(length))
        const found = await outcome(healthy, place.path, (bytes) => {
          noise.copy(bytes, from)
          return bytes
        })
        if (place !== newest) expect(found).toBe('damaged')
        else expect([...expected(place), 'whole']).toContain(found)
      }
    })

    it('[LG33] refuses two damaged batches at the end even if both are the newest', async () => {
      const before = healthy.frames.at(-2)!
      if (before.path !== newest.path) return expect(before.path).not.toBe(newest.path)
      const both = (bytes: Buffer): Buffer => {
        bytes[before.offset + 60] = bytes[before.offset + 60]! ^ 1
        bytes[newest.offset + 4] = bytes[newest.offset + 4]! ^ 1
        return bytes
      }
      expect(await outcome(healthy, newest.path, both)).toBe('damaged')
    })

    it('[LG30] refuses a frame that carries on with another chain', async () => {
      const end = newest.offset + newest.bytes
      const bytes = Buffer.from(healthy.disk.bytesOf(newest.path))
      const { salt, batch } = readFrame(bytes, newest.offset)!
      const forged = Buffer.alloc(40)
      sealFrame(forged, 40, { batch: batch + 1, salt, chain: 12345 })
      forged.copy(bytes, end)
      expect(await outcome(healthy, newest.path, () => bytes)).toBe('damaged')
    })
  })
}

describe('what clients write', () => {
  it('[LG34] never passes for a frame, whatever it imitates', async () => {
    const disk = new CrashFileSystem()
    const log = await open(disk)
    await log.form(FORMATION)
    const forged = Buffer.alloc(400)
    for (let at = 0; at < forged.length; at += 40) {
      sealFrame(forged.subarray(at, at + 40), 40, { batch: 4 + at / 40, salt: 1n, chain: 7 })
    }
    await append(log, { entries: entries(1, 1, 1) })
    const kept = JSON.stringify(contentOf(log))
    const aligned = [...Array(FRAME_ALIGNMENT).keys()].map((shift) =>
      Buffer.concat([Buffer.alloc(shift), forged]),
    )
    const forgeries = aligned.map((data, at) => ({
      index: 2 + at,
      term: 1,
      type: 0 as const,
      data,
    }))
    await append(log, { entries: forgeries })
    const newest = placesOf(disk).at(-1)!
    const torn = disk.clone()
    const bytes = Buffer.from(disk.bytesOf(newest.path))
    torn.overwrite(newest.path, bytes.fill(0, newest.offset, newest.offset + 64))
    expect(JSON.stringify(contentOf(await open(torn)))).toBe(kept)
  })
})

describe('another version', () => {
  it('[LG42] is refused with what to do, and nothing is changed', async () => {
    const disk = new CrashFileSystem()
    await (await open(disk)).close()
    const path = segmentsOf(disk)[0]!
    const bytes = Buffer.from(disk.bytesOf(path))
    const { bytes: length } = readFrame(bytes, 0)!
    bytes.writeUInt16LE(2, 8)
    bytes.writeUInt32LE(crc32c(bytes.subarray(8, length)), 4)
    disk.overwrite(path, bytes)
    const before = imageOf(disk)
    const error = await open(disk).catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'LOG_FORMAT' })
    expect(String(error)).toContain('has format 2, this version knows 1')
    expect(imageOf(disk)).toEqual(before)
  })
})
