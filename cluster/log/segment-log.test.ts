import { beforeEach, describe, expect, it } from 'vitest'
import type { FileSystem } from '../ports.ts'
import { NO_ONE } from '../raft/types.ts'
import { logStorageContract } from './log-storage.contract.ts'
import { SegmentLog, type SegmentLogOptions } from './segment-log.ts'
import { CrashFileSystem } from './testing/crash-file-system.ts'
import {
  ALICE,
  BOB,
  FORMATION,
  append,
  configuration,
  configurationEntry,
  contentOf,
  entries,
  entry,
} from './testing/log-samples.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import { SeededRandom } from '../testing/seeded-random.ts'

const DIRECTORY = '/data/log'
const MIB = 1024 * 1024

describe('SegmentLog', () => {
  let disk: CrashFileSystem
  let clock: ManualClock

  beforeEach(() => {
    disk = new CrashFileSystem()
    clock = new ManualClock()
  })

  const open = (options: Partial<SegmentLogOptions> = {}): Promise<SegmentLog> =>
    SegmentLog.open({
      fileSystem: disk,
      clock,
      random: new SeededRandom(7),
      directory: DIRECTORY,
      segmentBytes: 16 * 1024,
      cacheBytes: 0,
      ...options,
    })

  const formed = async (options: Partial<SegmentLogOptions> = {}): Promise<SegmentLog> => {
    const log = await open(options)
    await log.form(FORMATION)
    return log
  }

  const segments = (): string[] => disk.paths.filter((path) => path.endsWith('.log'))

  /** Lets what runs beside the appends go on: only then is a next segment ready. */
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  describe('from memory', () => {
    logStorageContract(() => open({ cacheBytes: 1024 * 1024 }))
  })

  describe('from the disk', () => {
    logStorageContract(() => open())
  })

  describe('with writes in a thread pool', () => {
    beforeEach(() => void (disk.deferred = true))
    logStorageContract(() => open({ segmentBytes: 4096 }))
  })

  it('[LG10] says the same after it was opened again, and again', async () => {
    const log = await formed()
    for (let at = 1; at <= 300; at += 3) await append(log, { entries: entries(at, at + 2, 1, 150) })
    const hardState = { term: 4, vote: BOB, commit: 250 }
    await append(log, { hardState, entries: [configurationEntry(290, 4, ALICE, BOB)] })
    const said = contentOf(log)
    const { raftId } = log
    await log.close()
    for (let round = 0; round < 3; round++) {
      const again = await open({ cacheBytes: round * 1000 })
      expect(again.raftId).toBe(raftId)
      expect(contentOf(again)).toEqual(said)
      await again.close()
    }
  })

  it('[LG9] makes the next segment beside the appends and restates what is in force', async () => {
    const log = await formed()
    for (let at = 1; at <= 100; at++) {
      await append(log, { entries: entries(at, at, 1, 1000) })
      await settle()
    }
    expect(segments().length).toBeGreaterThan(5)
    for (const path of segments()) expect(disk.bytesOf(path).length).toBe(16 * 1024)
    const meta = { index: 95, term: 1, configuration: FORMATION.configuration }
    await append(log, { hardState: { term: 2, vote: ALICE, commit: 100 } })
    await log.compact(meta)
    expect(log.size().segments).toBeLessThanOrEqual(2)
    const said = contentOf(log)
    await log.close()
    const again = await open()
    expect(contentOf(again)).toEqual(said)
    expect(again.formation).toEqual(FORMATION)
    expect(again.hardState).toEqual({ term: 2, vote: ALICE, commit: 100 })
    expect(again.snapshot.index).toBe(log.snapshot.index)
  })

  it('[LG9] waits for the next segment rather than grow without end', async () => {
    const log = await formed({ segmentBytes: 4096 })
    const pending: Promise<void>[] = []
    for (let at = 1; at <= 3; at++) {
      pending.push(append(log, { entries: entries(at, at, 1, 3900) }))
      if (at < 3) await pending.at(-1)
    }
    await Promise.all(pending)
    for (const path of segments()) expect(disk.bytesOf(path).length).toBeLessThan(3 * 4096)
    await append(log, { entries: entries(4, 4, 1, 50_000) })
    expect(log.entries(4, 5, 1)).toEqual(entries(4, 4, 1, 50_000))
  })

  it('[LG11] does not pile up files when it is opened again and again', async () => {
    await (await formed()).close()
    for (let round = 0; round < 10; round++) await (await open()).close()
    const small = segments().filter((path) => disk.bytesOf(path).length < 4096)
    expect(segments().length - small.length).toBe(1)
    disk = disk.crash(3)
    for (let round = 0; round < 10; round++) {
      disk = disk.crash(round)
      await open()
    }
    expect(segments().length).toBeLessThanOrEqual(small.length + 2)
  })

  it('[LG11] a start reads each segment once and writes little before it is done', async () => {
    const segmentBytes = 8 * MIB
    const log = await formed({ segmentBytes })
    for (let at = 1; at <= 60; at++) {
      await append(log, { entries: entries(at, at, 1, 100 * 1024) })
      await settle()
    }
    const said = contentOf(log)
    disk = disk.crash(1)
    const stored = segments().reduce((sum, path) => sum + disk.bytesOf(path).length, 0)
    const { fileSystem, read, written } = counted(disk)
    const again = await open({ segmentBytes, fileSystem })
    // Windows overlap where a frame lies across the end of one.
    expect(read() / stored).toBeLessThan(1.15)
    expect(written()).toBeLessThan(6 * MIB)
    expect(contentOf(again)).toEqual(said)
    for (let at = 61; at <= 70; at++) {
      await append(again, { entries: entries(at, at, 1, MIB) })
      await settle()
    }
    // What follows is as large as ever.
    expect(disk.bytesOf(segments().at(-1)!).length).toBe(segmentBytes)
    const then = contentOf(again)
    await again.close()
    expect(contentOf(await open({ segmentBytes }))).toEqual(then)
  })

  it('[LG7] removes the segments that an installed snapshot made useless', async () => {
    const log = await formed()
    for (let at = 1; at <= 60; at++) {
      await append(log, { entries: entries(at, at, 1, 1000) })
      await settle()
    }
    expect(log.size().segments).toBeGreaterThan(3)
    const snapshot = { index: 500, term: 2, configuration: configuration(BOB) }
    await append(log, { snapshot, hardState: { term: 2, vote: NO_ONE, commit: 500 } })
    await log.compact(snapshot)
    expect(log.size().segments).toBe(1)
    await append(log, { entries: entries(501, 505, 2) })
    const said = contentOf(log)
    await log.close()
    expect(contentOf(await open())).toEqual(said)
  })

  it('[LG8] keeps a segment whose restated position was replaced later', async () => {
    const log = await formed({ segmentBytes: 4096 })
    for (let at = 1; at <= 12; at++) {
      await append(log, { entries: entries(at, at, 1, 900) })
      await settle()
    }
    await append(log, { entries: entries(3, 13, 2, 300) })
    await append(log, { hardState: { term: 2, vote: NO_ONE, commit: 13 } })
    await log.compact({ index: 13, term: 2, configuration: FORMATION.configuration })
    const first = log.firstIndex()
    expect(log.entries(Math.max(3, first), 14, Infinity)).toEqual(
      entries(Math.max(3, first), 13, 2, 300),
    )
    const said = contentOf(log)
    await log.close()
    const again = await open({ segmentBytes: 4096 })
    expect(contentOf(again)).toEqual(said)
    expect(again.term(again.firstIndex() - 1)).toBe(log.term(first - 1))
  })

  it('[LG12] seals the newest batch after a while of quiet, once', async () => {
    const log = await formed()
    await append(log, { entries: [entry(1, 1)] })
    const before = disk.operations
    clock.advance(99)
    expect(disk.operations).toBe(before)
    clock.advance(1)
    expect(disk.operations).toBe(before + 2)
    clock.advance(10_000)
    expect(disk.operations).toBe(before + 2)
    await append(log, { entries: [entry(2, 1)] })
    clock.advance(60)
    await append(log, { entries: [entry(3, 1)] })
    const busy = disk.operations
    clock.advance(60)
    expect(disk.operations).toBe(busy)
    clock.advance(40)
    expect(disk.operations).toBe(busy + 2)
  })

  it('[LG12] takes an append while a seal is being written', async () => {
    const log = await formed()
    await append(log, { entries: [entry(1, 1)] })
    disk.deferred = true
    clock.advance(100)
    let acknowledged = false
    const done = append(log, { entries: [entry(2, 1)] }).then(() => (acknowledged = true))
    expect(acknowledged).toBe(false)
    expect(log.entries(1, 3, Infinity)).toEqual([entry(1, 1), entry(2, 1)])
    await done
    await log.close()
    expect((await open()).lastIndex()).toBe(2)
  })

  it('[LG2] asks for one append at a time', async () => {
    const log = await formed()
    disk.deferred = true
    const done = append(log, { entries: [entry(1, 1)] })
    const request = { hardState: null, entries: [entry(2, 1)], snapshot: null }
    expect(() => log.append(request, () => {})).toThrow('under way')
    await done
  })

  it('[LG13] fails for good after the first error', async () => {
    const log = await formed()
    await append(log, { entries: [entry(1, 1)] })
    disk.faultAt(disk.operations + 2, 'fail')
    await expect(append(log, { entries: [entry(2, 1)] })).rejects.toThrow('EIO')
    await expect(append(log, { entries: [entry(3, 1)] })).rejects.toThrow('EIO')
    const meta = { index: 1, term: 1, configuration: FORMATION.configuration }
    await expect(log.compact(meta)).rejects.toThrow('EIO')
    const before = disk.operations
    clock.advance(10_000)
    expect(disk.operations).toBe(before)
    await log.close()
  })

  it('[LG14] locks its directory and gives it back', async () => {
    const log = await formed()
    await expect(open()).rejects.toThrow('is locked')
    await log.close()
    await (await open()).close()
  })

  it('[LG5] bounds what it keeps in memory, and reads the rest from the disk', async () => {
    const log = await formed({ cacheBytes: 3000 })
    for (let at = 1; at <= 90; at += 3) await append(log, { entries: entries(at, at + 2, 1, 400) })
    const all = entries(1, 90, 1, 400)
    for (const low of [1, 2, 45, 80, 84, 88, 90]) {
      expect(log.entries(low, 91, Infinity)).toEqual(all.slice(low - 1))
      expect(log.entries(low, low + 1, 0)).toEqual([all[low - 1]])
    }
  })
})

/** The same files, and how many bytes went through them. */
function counted(files: FileSystem): {
  fileSystem: FileSystem
  read: () => number
  written: () => number
} {
  let read = 0
  let written = 0
  const watch = <T extends object>(
    target: T,
    calls: Record<string, (...args: never[]) => unknown>,
  ) =>
    new Proxy(target, {
      get: (_, name) => {
        const value = Reflect.get(target, name) as unknown
        if (typeof name === 'string' && name in calls) return calls[name]
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value
      },
    })
  const fileSystem = watch(files, {
    open: async (path: string, options: Parameters<FileSystem['open']>[1]) => {
      const file = await files.open(path, options)
      return watch(file, {
        read: async (buffer: Uint8Array, position: number) => {
          const count = await file.read(buffer, position)
          read += count
          return count
        },
        write: (buffer: Uint8Array, position: number) => {
          written += buffer.length
          return file.write(buffer, position)
        },
      })
    },
  })
  return { fileSystem, read: () => read, written: () => written }
}
