import { describe, expect, it } from 'vitest'
import { NO_ONE } from '../raft/types.ts'
import type { AppendRequest, LogStorage } from './log-storage.ts'
import { MemoryLog } from './memory-log.ts'
import { SegmentLog } from './segment-log.ts'
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
} from './testing/log-samples.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import { SeededRandom } from '../testing/seeded-random.ts'

/** What a process did before it ended: two logs in memory, one of them a batch ahead. */
interface Promised {
  raftId: string | null
  /** All that was acknowledged. */
  kept: MemoryLog
  /** That, and the batch that was under way. */
  begun: MemoryLog
}

type Step =
  | { readonly do: 'append'; readonly request: Partial<AppendRequest> }
  | { readonly do: 'compact'; readonly index: number }
  | { readonly do: 'quiet' }

const SEGMENT_BYTES = 4096

function scenario(): Step[] {
  const steps: Step[] = []
  const add = (request: Partial<AppendRequest>): void => void steps.push({ do: 'append', request })
  add({ hardState: { term: 1, vote: ALICE, commit: 0 } })
  for (let at = 1; at <= 24; at += 2) add({ entries: entries(at, at + 1, 1, 500) })
  steps.push({ do: 'quiet' })
  add({ hardState: { term: 2, vote: NO_ONE, commit: 18 }, entries: entries(22, 24, 2, 300) })
  add({ entries: [configurationEntry(25, 2, ALICE, BOB)] })
  steps.push({ do: 'compact', index: 17 })
  for (let at = 26; at <= 40; at += 3) add({ entries: entries(at, at + 2, 2, 400) })
  add({ hardState: { term: 2, vote: BOB, commit: 40 } })
  steps.push({ do: 'compact', index: 39 }, { do: 'quiet' })
  add({
    snapshot: { index: 90, term: 3, configuration: configuration(BOB) },
    hardState: { term: 3, vote: NO_ONE, commit: 90 },
  })
  for (let at = 91; at <= 100; at++) add({ entries: entries(at, at, 3, 700) })
  steps.push({ do: 'compact', index: 90 })
  for (let at = 101; at <= 120; at++) add({ entries: entries(at, at, 3, 600) })
  steps.push({ do: 'compact', index: 90 })
  steps.push({ do: 'quiet' })
  add({ hardState: { term: 4, vote: ALICE, commit: 95 }, entries: entries(109, 111, 4, 200) })
  steps.push({ do: 'compact', index: 95 })
  return steps
}

const openOn = (disk: CrashFileSystem, clock = new ManualClock()): Promise<SegmentLog> =>
  SegmentLog.open({
    fileSystem: disk,
    clock,
    random: new SeededRandom(11),
    directory: '/data/log',
    segmentBytes: SEGMENT_BYTES,
    cacheBytes: 2000,
  })

const twin = (): MemoryLog => new MemoryLog({ raftId: ALICE })

/** Runs the steps until they are done or the process ends. Keeps the books in `promised`. */
async function run(disk: CrashFileSystem, promised: Promised): Promise<void> {
  const clock = new ManualClock()
  const log = await openOn(disk, clock)
  promised.raftId = log.raftId
  await promised.begun.form(FORMATION)
  await log.form(FORMATION)
  await promised.kept.form(FORMATION)
  for (const step of scenario()) {
    // Lets what runs beside the appends go on, as an event loop would.
    await new Promise((resolve) => setImmediate(resolve))
    if (step.do === 'append') {
      await append(promised.begun, step.request)
      await append(log, step.request)
      await append(promised.kept, step.request)
    } else if (step.do === 'quiet') {
      clock.advance(200)
    } else {
      const { index } = step
      const meta = { index, term: log.term(index)!, configuration: log.configurationAt(index) }
      await log.compact(meta)
    }
  }
  await log.close()
}

function expectKept(log: LogStorage, promised: Promised): void {
  const { kept, begun, raftId } = promised
  if (raftId !== null) expect(log.raftId).toBe(raftId)
  const bare = log.formation === null
  const candidates = [kept, begun].filter((twin) => (twin.formation === null) === bare)
  // A log that was cut before a snapshot's record starts elsewhere than the one that has it.
  const said = candidates.map((twin) => JSON.stringify(comparable(twin, log)))
  expect(said).toContain(JSON.stringify(comparable(log, log)))
}

function comparable(log: LogStorage, other: LogStorage): object {
  const from = Math.max(log.firstIndex(), other.firstIndex())
  if (from > log.lastIndex() + 1) return { lastIndex: log.lastIndex() }
  return contentOf(log, from)
}

async function lastOperation(): Promise<number> {
  const disk = new CrashFileSystem()
  disk.deferred = true
  await run(disk, { raftId: null, kept: twin(), begun: twin() })
  return disk.operations
}

/** Runs into a fault at one operation; what was promised, and the disk as it was left. */
async function runInto(operation: number, mode: 'fail' | 'stop') {
  const disk = new CrashFileSystem()
  disk.faultAt(operation, mode)
  const promised: Promised = { raftId: null, kept: twin(), begun: twin() }
  const failed = run(disk, promised).then(
    () => null,
    (error: Error) => error,
  )
  const error = await Promise.race([failed, disk.ended.then(() => null)])
  if (error !== null) expect(error.message).toContain('EIO')
  return { disk, promised }
}

/** Opens what a crash left, checks it, and that it can be used and opened once more. */
async function checkDisk(disk: CrashFileSystem, promised: Promised): Promise<void> {
  const log = await openOn(disk)
  expectKept(log, promised)
  if (log.formation === null) await log.form(FORMATION)
  const next = log.lastIndex() + 1
  const term = log.hardState.term + 7
  await append(log, {
    hardState: { ...log.hardState, term, vote: NO_ONE },
    entries: entries(next, next, term),
  })
  const said = contentOf(log)
  const { raftId } = log
  const again = await openOn(disk.crash(operationSeed(next, term)))
  expect(contentOf(again, log.firstIndex())).toEqual(said)
  expect(again.raftId).toBe(raftId)
}

const operationSeed = (a: number, b: number): number => (a * 7919 + b) >>> 0

describe('a crash', () => {
  for (const mode of ['stop', 'fail'] as const) {
    it(`[LG20] loses nothing acknowledged, at any operation that may ${mode}`, async () => {
      const operations = await lastOperation()
      expect(operations).toBeGreaterThan(150)
      for (let operation = 1; operation <= operations; operation++) {
        const { disk, promised } = await runInto(operation, mode)
        for (let seed = 0; seed < 2; seed++) {
          try {
            await checkDisk(disk.crash(operationSeed(operation, seed)), promised)
          } catch (error) {
            throw new Error(`operation ${operation}, seed ${seed}`, { cause: error })
          }
        }
      }
    })
  }

  it('[LG21] loses nothing while it is being recovered from', async () => {
    const operations = await lastOperation()
    for (let operation = 1; operation <= operations; operation += 7) {
      const { disk, promised } = await runInto(operation, 'stop')
      const crashed = disk.crash(operation)
      for (let second = 1; ; second += 2) {
        const retried = crashed.clone()
        retried.faultAt(second, second % 4 === 1 ? 'stop' : 'fail')
        const done = await Promise.race([
          openOn(retried).then(
            () => true,
            () => false,
          ),
          retried.ended.then(() => false),
        ])
        const left = retried.crash(operationSeed(operation, second))
        await expect(checkDisk(left, promised)).resolves.toBeUndefined()
        if (done) break
      }
    }
  })

  for (const lost of [false, true]) {
    const disk = lost ? 'never reaches the disk' : 'is not on the disk yet'
    it(`[LG11] makes durable what a start read, if that ${disk}`, async () => {
      const operations = await lastOperation()
      for (let operation = 1; operation <= operations; operation++) {
        const { disk, promised } = await runInto(operation, 'stop')
        const killed = disk.killed({ lost })
        const log = await openOn(killed)
        expectKept(log, promised)
        const said = contentOf(log)
        for (let seed = 0; seed < 2; seed++) {
          const again = await openOn(killed.crash(operationSeed(operation, seed)))
          expect(again.raftId).toBe(log.raftId)
          expect(contentOf(again, log.firstIndex())).toEqual(said)
        }
      }
    })
  }

  it('[LG1] leaves the Raft id as it was once anyone could have heard it', async () => {
    const disk = new CrashFileSystem()
    const { raftId } = await openOn(disk)
    for (let seed = 0; seed < 20; seed++) {
      expect((await openOn(disk.crash(seed))).raftId).toBe(raftId)
    }
  })
})
