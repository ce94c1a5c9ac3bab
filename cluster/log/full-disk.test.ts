import { beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../testing/manual-clock.ts'
import { SeededRandom } from '../testing/seeded-random.ts'
import type { LogStorage } from './log-storage.ts'
import { SegmentLog } from './segment-log.ts'
import { SegmentReserve } from './segment-reserve.ts'
import { CrashFileSystem } from './testing/crash-file-system.ts'
import { append, contentOf, entries, FORMATION } from './testing/log-samples.ts'

const SEGMENT_BYTES = 8192

const openOn = (disk: CrashFileSystem): Promise<SegmentLog> =>
  SegmentLog.open({
    fileSystem: disk,
    clock: new ManualClock(),
    random: new SeededRandom(3),
    directory: '/data/log',
    segmentBytes: SEGMENT_BYTES,
    cacheBytes: 0,
  })

/** Lets what runs beside the appends go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Appends until the log says that it cannot; returns how many entries it took. */
async function fill(log: LogStorage, most: number): Promise<number> {
  for (let count = 0; count < most; count++) {
    const next = log.lastIndex() + 1
    const error = await append(log, { entries: entries(next, next, 1, 400) }).then(
      () => null,
      (failure: Error) => failure,
    )
    if (error !== null) return count
    await settle()
  }
  return most
}

describe('a log on a full disk', () => {
  let disk: CrashFileSystem

  beforeEach(() => void (disk = new CrashFileSystem()))

  const reserves = () => disk.paths.filter((path) => path.endsWith('.zeros'))

  it('[LG50] goes on in its reserve, and from there in what was freed', async () => {
    const log = await openOn(disk)
    await log.form(FORMATION)
    await log.keepReserve()
    expect(log.reserved).toBe(2)
    expect(reserves()).toHaveLength(2)
    disk.capacityBytes = disk.usedBytes
    const taken = await fill(log, 1_000)
    // Its own segment, and the two of the reserve.
    expect(taken * 400).toBeGreaterThan(2 * SEGMENT_BYTES)
    expect(taken * 400).toBeLessThan(3 * SEGMENT_BYTES)
    expect(log.reserved).toBe(0)
    const said = contentOf(await openOn(disk.clone()))
    expect(said).toMatchObject({ lastIndex: taken })
  })

  it('[LG50] takes the reserve first while it saves space, and makes it anew', async () => {
    const log = await openOn(disk)
    await log.form(FORMATION)
    await log.keepReserve()
    log.saveSpace(true)
    await fill(log, 20)
    expect(log.reserved).toBeLessThan(2)
    log.saveSpace(false)
    await log.keepReserve()
    expect(log.reserved).toBe(2)
    await log.close()
    const again = await openOn(disk)
    expect(again.reserved).toBe(2)
    expect(again.lastIndex()).toBe(20)
  })

  it('[LG50] leaves no half of a reserve that the disk has no room for', async () => {
    const log = await openOn(disk)
    disk.capacityBytes = disk.usedBytes + SEGMENT_BYTES + 100
    await log.keepReserve()
    expect(log.reserved).toBe(1)
    expect(disk.paths.filter((path) => path.includes('reserve'))).toHaveLength(1)
    disk.capacityBytes = Infinity
    await log.keepReserve()
    expect(log.reserved).toBe(2)
  })

  it('[LG50] gives no new file the name of one that is being taken', async () => {
    const reserve = new SegmentReserve(disk, '/data/log', SEGMENT_BYTES)
    await reserve.open()
    await reserve.keep()
    const taken = [reserve.take()!.path]
    await reserve.keep()
    taken.push(reserve.take()!.path, reserve.take()!.path)
    expect(new Set(taken).size).toBe(3)
    expect(reserve.take()).toBe(null)
  })

  it('[LG50] a reserve holds nothing, whatever stands in it', async () => {
    const log = await openOn(disk)
    await log.form(FORMATION)
    await log.keepReserve()
    for (const path of reserves()) disk.overwrite(path, Buffer.alloc(SEGMENT_BYTES, 0x8b))
    log.saveSpace(true)
    await fill(log, 30)
    expect((await openOn(disk.clone())).lastIndex()).toBe(30)
  })

  it('[LG51] starts on a disk without a byte left, as often as one likes', async () => {
    const log = await openOn(disk)
    await log.form(FORMATION)
    await fill(log, 5)
    const said = contentOf(log)
    for (let round = 0; round < 4; round++) {
      disk = disk.killed({ lost: false })
      disk.capacityBytes = disk.usedBytes
      const again = await openOn(disk)
      expect(contentOf(again)).toEqual(said)
    }
    const again = await openOn(disk.killed({ lost: false }))
    expect(await fill(again, 3)).toBe(3)
  })

  it('[LG51] leaves a torn batch behind, whenever that start ends, too', async () => {
    const log = await openOn(disk)
    await log.form(FORMATION)
    await fill(log, 5)
    const [path] = disk.paths.filter((each) => each.endsWith('.log'))
    const kept = contentOf(log)
    const whole = Buffer.from(disk.bytesOf(path!))
    await append(log, { entries: entries(6, 6, 1, 900) })
    const torn = Buffer.from(disk.bytesOf(path!))
    const from = torn.findLastIndex((byte, at) => byte !== whole[at])
    torn.fill(0, from - 500)
    disk.overwrite(path!, torn)
    const full = () => {
      const copy = disk.clone()
      copy.capacityBytes = copy.usedBytes
      return copy
    }
    const counting = full()
    expect(contentOf(await openOn(counting))).toEqual(kept)
    for (let operation = 1; operation <= counting.operations; operation++) {
      const stopping = full()
      stopping.faultAt(operation, 'stop')
      await Promise.race([openOn(stopping), stopping.ended])
      for (let seed = 0; seed < 5; seed++) {
        const after = stopping.crash(seed)
        after.capacityBytes = after.usedBytes
        expect(contentOf(await openOn(after))).toEqual(kept)
      }
    }
  })

  it('[LG51] proves the newest batch without a copy of it', async () => {
    const log = await openOn(disk)
    await log.form(FORMATION)
    await fill(log, 5)
    // The system lost what was not synced, and says nothing of it.
    const lost = disk.killed({ lost: true })
    lost.capacityBytes = lost.usedBytes
    const again = await openOn(lost)
    for (let seed = 0; seed < 10; seed++) {
      expect(contentOf(await openOn(lost.crash(seed)))).toEqual(contentOf(again))
    }
  })

  it('[LG52] counts the room of segments that are made', async () => {
    const log = await openOn(disk)
    await log.form(FORMATION)
    const before = log.room
    expect(before).toBeLessThan(SEGMENT_BYTES)
    await append(log, { entries: entries(1, 1, 1, 1_000) })
    expect(before - log.room).toBeGreaterThanOrEqual(1_000)
    await fill(log, 12)
    const kept = log.room
    await log.keepReserve()
    expect(log.room).toBe(kept)
  })

  it.each([1, 2, 3, 4, 5])(
    '[LG20] crashes while it lives on its reserve lose nothing (%i)',
    async (seed) => {
      const scenario = async (on: CrashFileSystem): Promise<void> => {
        const log = await openOn(on)
        await log.form(FORMATION)
        await log.keepReserve()
        log.saveSpace(true)
        for (let index = 1; index <= 25; index++) {
          await append(log, { entries: entries(index, index, 1, 400) })
          acknowledged = index
          await settle()
        }
      }
      let acknowledged = 0
      const counting = new CrashFileSystem()
      await scenario(counting)
      for (let operation = 1; operation <= counting.operations; operation += 3) {
        acknowledged = 0
        const stopping = new CrashFileSystem()
        stopping.faultAt(operation, 'stop')
        await Promise.race([scenario(stopping), stopping.ended])
        const again = await openOn(stopping.crash(seed * 1_000 + operation))
        expect(again.lastIndex()).toBeGreaterThanOrEqual(acknowledged)
        expect(again.lastIndex()).toBeLessThanOrEqual(acknowledged + 1)
      }
    },
  )
})
