import { beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../testing/manual-clock.ts'
import { SeededRandom } from '../testing/seeded-random.ts'
import { LogDamagedError } from './log-storage.ts'
import { SegmentLog } from './segment-log.ts'
import { CrashFileSystem } from './testing/crash-file-system.ts'
import { append, ALICE, configuration, entries, FORMATION } from './testing/log-samples.ts'

const SEGMENT_BYTES = 128 * 1024
const ENTRIES = 600

let disk: CrashFileSystem
let log: SegmentLog

const paths = () => disk.paths.filter((path) => path.endsWith('.log')).toSorted()
const atOnce = () => Promise.resolve()
const openLog = () =>
  SegmentLog.open({
    fileSystem: disk,
    clock: new ManualClock(),
    random: new SeededRandom(3),
    directory: '/data/log',
    segmentBytes: SEGMENT_BYTES,
    cacheBytes: 0,
  })

async function fill(count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const next = log.lastIndex() + 1
    await append(log, { entries: entries(next, next, 1, 1_000) })
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** As rot does: under the running log. */
function flip(path: string, offset: number): void {
  disk.bytesOf(path)[offset]! ^= 4
}

beforeEach(async () => {
  disk = new CrashFileSystem()
  log = await openLog()
  await log.form(FORMATION)
  await fill(ENTRIES)
})

describe('a scrub of a log in use', () => {
  it('[LG60] reads every batch of the whole segments, at the pace that it is given', async () => {
    expect(paths().length).toBeGreaterThan(4)
    const slices: number[] = []
    const { bytes } = await log.scrub(async (slice) => void slices.push(slice))
    expect(bytes).toBe(slices.reduce((sum, slice) => sum + slice, 0))
    expect(bytes).toBeGreaterThan((log.size().segments - 2) * SEGMENT_BYTES * 0.9)
    expect(Math.max(...slices)).toBeLessThan(70 * 1024)
    await log.close()
    log = await openLog()
    await fill(SEGMENT_BYTES / 1_000)
    expect((await log.scrub(atOnce)).bytes).toBeGreaterThan(bytes)
  })

  it('[LG60] finds one flipped bit wherever it is, and says what to do', async () => {
    const sealed = paths().slice(0, log.size().segments - 1)
    for (const path of sealed) {
      for (const offset of [0, 5, 13, 17, 30, 33, 45, 60_000]) {
        flip(path, offset)
        const found = await log.scrub(atOnce).then(
          () => null,
          (error: Error) => error,
        )
        expect(found, `${path} at ${offset}`).toBeInstanceOf(LogDamagedError)
        expect(found!.message).toContain(path)
        expect(found!.message).toContain('parley members replace')
        flip(path, offset)
      }
    }
    await expect(log.scrub(atOnce)).resolves.toMatchObject({ bytes: expect.any(Number) })
  })

  it('[LG60] what is let go of while it is read is no damage, and no work', async () => {
    const [first] = paths()
    let slices = 0
    const { bytes } = await log.scrub(async () => {
      if (slices++ > 0) return
      const index = ENTRIES - 10
      await log.compact({ index, term: 1, configuration: configuration(ALICE) })
      expect(paths()).not.toContain(first)
    })
    expect(bytes).toBeLessThan(2 * SEGMENT_BYTES)
  })

  it('[LG60] ends with the log, and what is appended meanwhile is not in its way', async () => {
    let slices = 0
    const scrub = log.scrub(async () => {
      slices += 1
      await fill(3)
      if (slices === 3) await log.close()
    })
    await expect(scrub).resolves.toMatchObject({ bytes: expect.any(Number) })
    expect(slices).toBe(3)
  })
})
