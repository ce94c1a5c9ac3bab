import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { statSync } from 'node:fs'
import type { File, FileSystem, LogStorage, RaftId, Replica } from '#cluster'
import { ManualClock } from '../gateway/testing/manual-clock.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { temporaryFolder, type TemporaryFolder } from '../store/temporary-folder.ts'
import { DiskBallast } from './disk-ballast.ts'
import { DiskGuard } from './disk-guard.ts'
import { DiskLevel, type DiskLimits } from './disk-level.ts'
import type { DiskReport } from './disk-report.ts'

const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(16)) as [RaftId, RaftId, RaftId]
const LIMITS: DiskLimits = { lowBytes: 10_000, hardBytes: 1_000, reserveBytes: 0 }

describe('the guard of one node among three', () => {
  let clock: ManualClock
  let freeBytes: number
  let leader: RaftId
  let up: Set<RaftId>
  let draining: Set<RaftId>
  let sent: { report: DiskReport; to: RaftId | undefined }[]
  let transfers: RaftId[]
  let compactions: number
  let compactionMs: number
  let cutIndex: number
  let erases: boolean
  let saved: boolean[]
  let served: boolean[]
  let guard: DiskGuard

  beforeEach(async () => {
    clock = new ManualClock()
    freeBytes = 100_000
    leader = A
    up = new Set([B, C])
    draining = new Set()
    sent = []
    transfers = []
    compactions = 0
    compactionMs = 100
    cutIndex = 0
    erases = false
    saved = []
    served = []
    const fileSystem = {
      space: async () => ({ freeBytes, sizeBytes: 200_000 }),
    } as unknown as FileSystem
    const voters = [A, B, C].map((id) => ({ id }))
    const replica = {
      raftId: A,
      get leader() {
        return leader
      },
      configuration: { voters, learners: [], outgoing: [] },
      status: () => ({ progress: voters.map(({ id }, at) => ({ id, match: at, learner: false })) }),
      transferLeadership: (to: RaftId) => transfers.push(to),
      holdAppends: () => {},
      limitAppends: () => {},
    } as unknown as Replica
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    guard = new DiskGuard({
      clock,
      logger,
      fileSystem,
      directory: '/data',
      limits: LIMITS,
      ballast: { missingBytes: 0, keptBytes: 0, keep: async () => {} } as DiskBallast,
      log: { raftId: A, reserved: 2, room: 0, saveSpace() {} } as unknown as LogStorage,
      store: () =>
        ({
          cut: { index: cutIndex, term: 1 },
          compact: () => {
            compactions += 1
            return new Promise<void>((resolve) => clock.after(compactionMs, resolve))
          },
        }) as never,
      erases: () => erases,
      saveSpace: (saves) => saved.push(saves),
      serveClients: (serves) => served.push(serves),
      replica: () => replica,
      isUp: (id) => up.has(id),
      fitness: (id) => (up.has(id) && !draining.has(id) ? 2 : 0),
      report: (report, to) => sent.push({ report, to }),
    })
    await guard.start()
  })

  const look = async (bytes: number, times = 1) => {
    freeBytes = bytes
    for (let i = 0; i < times; i++) {
      await clock.advance(1_000)
    }
  }
  const hear = (from: RaftId, level: DiskLevel) =>
    guard.received(from, { level, freeBytes: 1, door: 'open' })

  it('[D2] tells everybody each second, and who comes up at once', async () => {
    sent = []
    await look(5_000)
    expect(sent[0]).toEqual({
      report: { level: DiskLevel.low, freeBytes: 5_000, door: 'open' },
      to: undefined,
    })
    sent = []
    guard.peerUp(B)
    expect(sent).toMatchObject([{ to: B, report: { level: DiskLevel.low } }])
  })

  it('[D2] tells at once that the door is shut, and counts who is not reached', async () => {
    hear(B, DiskLevel.low)
    sent = []
    up.delete(C)
    await look(100_000)
    expect(sent.map(({ report }) => report.door)).toContain('shut')
    up.add(C)
    await look(100_000)
    expect(sent.at(-1)!.report.door).toBe('open')
  })

  it('[D3] hands leadership to who has room and most of the log, not over and over', async () => {
    hear(B, DiskLevel.ok)
    hear(C, DiskLevel.low)
    await look(9_000)
    expect(transfers).toEqual([B])
    await look(9_000, 4)
    expect(transfers).toEqual([B])
    hear(C, DiskLevel.ok)
    await look(9_000, 2)
    expect(transfers).toEqual([B, C])
  })

  it('[D3] leads on if nobody has room, and follows as it is', async () => {
    hear(B, DiskLevel.low)
    hear(C, DiskLevel.hard)
    await look(9_000, 10)
    expect(transfers).toEqual([])
    hear(B, DiskLevel.ok)
    leader = C
    await look(9_000, 10)
    expect(transfers).toEqual([])
  })

  it('[D3] hands leadership to nobody who would hand it back', async () => {
    hear(B, DiskLevel.ok)
    hear(C, DiskLevel.ok)
    draining.add(C)
    await look(9_000)
    expect(transfers).toEqual([B])
  })

  it('[D9] sends its clients away while it falls behind, and takes them again', async () => {
    await look(500)
    expect([served, guard.fallsBehind]).toEqual([[], false])
    leader = C
    guard.leaderChanged()
    expect([served, guard.fallsBehind]).toEqual([[false], true])
    guard.received(C, { level: DiskLevel.ok, freeBytes: 1, door: 'shut' })
    expect(served).toEqual([false, true])
    hear(C, DiskLevel.ok)
    await look(5_000)
    expect([served, guard.fallsBehind]).toEqual([[false, true, false, true], false])
  })

  it('[D7] compacts after a cut that took something out, and not while there is room', async () => {
    cutIndex = 49
    erases = true
    await look(100_000)
    cutIndex = 50
    await look(100_000)
    expect(compactions).toBe(0)
    await look(9_000)
    expect(compactions).toBe(0)
    cutIndex = 60
    erases = false
    await look(9_000)
    expect(compactions).toBe(1)
    cutIndex = 70
    await look(9_000, 60)
    expect(compactions).toBe(1)
    erases = true
    await look(9_000, 60)
    expect(compactions).toBe(1)
    cutIndex = 80
    await look(9_000)
    expect(compactions).toBe(2)
  })

  it('[D7] lets what comes with the next cuts be compacted with the first, for ten seconds', async () => {
    await look(9_000)
    erases = true
    await look(9_000)
    for (cutIndex = 1; cutIndex < 9; cutIndex++) await look(9_000)
    expect(compactions).toBe(0)
    erases = false
    await look(9_000)
    expect(compactions).toBe(1)
  })

  it.each([
    [100, 5],
    [1_500, 15],
    [60_000, 89],
  ])('[D7] one that took %d ms is the last for %d s', async (tookMs, quiet) => {
    compactionMs = tookMs
    await look(9_000)
    erases = true
    for (; compactions === 0; cutIndex++) await look(9_000)
    for (let s = 0; s < quiet; s++, cutIndex++) await look(9_000)
    expect(compactions).toBe(1)
    for (let s = 0; s < 14; s++, cutIndex++) await look(9_000)
    expect(compactions).toBe(2)
  })

  it('[D7] has the store let go of what was removed as soon as it may while it is short of room', async () => {
    await look(9_000)
    expect(saved.at(-1)).toBe(true)
    await look(100)
    expect(saved.at(-1)).toBe(true)
    await look(100_000)
    expect(saved.at(-1)).toBe(false)
  })

  it('[D8] takes no snapshot while it is hard', async () => {
    expect(guard.takesSnapshots).toBe(true)
    await look(500)
    expect(guard.takesSnapshots).toBe(false)
    await look(5_000)
    expect(guard.takesSnapshots).toBe(true)
  })
})

describe('the file in reserve', () => {
  const BYTES = 600_000
  const fileSystem = new NodeFileSystem()
  let folder: string
  const bytesOnDisk = () => statSync(`${folder}/reserve`, { throwIfNoEntry: false })?.size ?? 0

  let temporary: TemporaryFolder

  beforeEach(async () => {
    temporary = await temporaryFolder()
    folder = temporary.path
  })
  afterEach(() => temporary.remove())

  it('[D6] is made, given up and made again, and known to the next life', async () => {
    const ballast = await DiskBallast.open(fileSystem, folder, BYTES)
    expect(ballast.missingBytes).toBe(BYTES)
    await ballast.keep()
    expect([ballast.missingBytes, bytesOnDisk()]).toEqual([0, BYTES])
    expect((await DiskBallast.open(fileSystem, folder, BYTES)).missingBytes).toBe(0)
    await ballast.release()
    expect([ballast.missingBytes, bytesOnDisk()]).toEqual([BYTES, 0])
    await ballast.keep()
    expect(bytesOnDisk()).toBe(BYTES)
    const other = await DiskBallast.open(fileSystem, folder, BYTES + 1)
    expect([other.keptBytes, bytesOnDisk()]).toEqual([0, 0])
  })

  it('[D6] leaves nothing of itself where there is no room', async () => {
    const full: FileSystem = Object.assign(Object.create(fileSystem) as FileSystem, {
      async open(...how: Parameters<FileSystem['open']>): Promise<File> {
        const file = await fileSystem.open(...how)
        const write: File['write'] = async (buffer, position) => {
          await file.write(buffer, position)
          if (position > 0) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
        }
        return Object.assign(Object.create(file) as File, {
          write,
          sync: () => file.sync(),
          close: () => file.close(),
        })
      },
      remove: (path: string) => fileSystem.remove(path),
      exists: (path: string) => fileSystem.exists(path),
    })
    const ballast = await DiskBallast.open(full, folder, BYTES)
    await ballast.keep()
    expect([ballast.missingBytes, bytesOnDisk()]).toEqual([BYTES, 0])
  })
})
