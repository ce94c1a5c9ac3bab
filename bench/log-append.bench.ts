import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { SegmentLog, type Entry } from '#cluster'
import { NodeClock } from '../node/host/node-clock.ts'
import { NodeFileSystem } from '../node/host/node-file-system.ts'
import { NodeRandom } from '../node/host/node-random.ts'

/**
 * Appends to a real log on this disk: one batch, one write, one fdatasync each. Prints latency,
 * throughput and CPU per case, rotations included.
 *
 *     node bench/log-append.bench.ts [directory]
 */
interface Case {
  readonly name: string
  readonly entries: number
  readonly entryBytes: number
  readonly batches: number
  /** 0: as fast as it goes. */
  readonly perSecond: number
}

const CASES: readonly Case[] = [
  { name: '1 × 300 B', entries: 1, entryBytes: 300, batches: 20_000, perSecond: 0 },
  { name: '10 × 300 B', entries: 10, entryBytes: 300, batches: 20_000, perSecond: 0 },
  { name: '166 × 300 B', entries: 166, entryBytes: 300, batches: 10_000, perSecond: 0 },
  { name: '166 × 300 B', entries: 166, entryBytes: 300, batches: 10_000, perSecond: 2000 },
  { name: '4 × 256 KiB', entries: 4, entryBytes: 262_144, batches: 500, perSecond: 0 },
]

interface Run {
  readonly latenciesMs: Float64Array
  readonly elapsedMs: number
  readonly cpuMs: number
}

const root = process.argv[2] ?? '.'
const directory = fs.mkdtempSync(`${root}/.bench-log-`)
try {
  printMachine()
  console.log('batch           at         p50 ms   p99 ms   max ms   batches/s     MB/s   CPU %')
  for (const each of CASES) await report(each)
  await reportRecovery()
} finally {
  fs.rmSync(directory, { recursive: true, force: true })
}

async function report(each: Case): Promise<void> {
  fs.rmSync(`${directory}/log`, { recursive: true, force: true })
  const log = await open()
  await form(log)
  const run = await appendAll(log, each)
  await log.close()
  const sorted = run.latenciesMs.toSorted()
  const at = (share: number): string =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(3).padStart(9)
  const seconds = run.elapsedMs / 1000
  const megabytes = (each.batches * each.entries * each.entryBytes) / 1e6
  console.log(
    each.name.padEnd(14) +
      (each.perSecond === 0 ? 'full speed' : `${each.perSecond}/s`).padStart(11) +
      [0.5, 0.99, 1].map(at).join('') +
      (each.batches / seconds).toFixed(0).padStart(12) +
      (megabytes / seconds).toFixed(1).padStart(9) +
      ((run.cpuMs / run.elapsedMs) * 100).toFixed(0).padStart(8),
  )
}

/** How long a start takes on what the last case but one left. */
async function reportRecovery(): Promise<void> {
  fs.rmSync(`${directory}/log`, { recursive: true, force: true })
  const log = await open()
  await form(log)
  await appendAll(log, { ...CASES[2]!, batches: 10_000 })
  const last = log.lastIndex()
  const { bytes, segments } = log.size()
  await log.close()
  const start = performance.now()
  const again = await open()
  const took = performance.now() - start
  if (again.lastIndex() !== last) throw new Error('the log lost entries')
  const readStart = performance.now()
  for (let next = 1; next <= last;) next += again.entries(next, last + 1, 1_000_000)!.length
  const readMs = performance.now() - readStart
  await again.close()
  console.log(
    `start with ${last} entries, ${(bytes / 1e6).toFixed(0)} MB in ${segments} segments: ` +
      `${took.toFixed(0)} ms; reading all of them back: ${readMs.toFixed(0)} ms`,
  )
}

function open(): Promise<SegmentLog> {
  return SegmentLog.open({
    fileSystem: new NodeFileSystem(),
    clock: new NodeClock(),
    random: new NodeRandom(),
    directory: `${directory}/log`,
  })
}

async function form(log: SegmentLog): Promise<void> {
  const configuration = { voters: [], outgoing: [], learners: [] }
  await log.form({ clusterId: '0'.repeat(32), epoch: '0'.repeat(16), configuration })
}

async function appendAll(log: SegmentLog, each: Case): Promise<Run> {
  const latenciesMs = new Float64Array(each.batches)
  const data = Buffer.alloc(each.entryBytes, 'message ')
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let batch = 0; batch < each.batches; batch++) {
    const first = log.lastIndex() + 1
    const entries: Entry[] = []
    for (let at = 0; at < each.entries; at++) {
      entries.push({ index: first + at, term: 1, type: 0, data })
    }
    // Sleeping, not spinning: the CPU figure is the log's own.
    const dueMs = each.perSecond === 0 ? 0 : start + (batch * 1000) / each.perSecond
    while (performance.now() < dueMs) await new Promise((next) => setTimeout(next, 1))
    const began = performance.now()
    await new Promise<void>((resolve, reject) => {
      const hardState = { term: 1, vote: '', commit: first - 1 }
      log.append({ hardState, entries, snapshot: null }, (error) =>
        error === null ? resolve() : reject(error),
      )
    })
    latenciesMs[batch] = performance.now() - began
    // As a server does between batches: let the event loop look at what else is ready.
    if (each.perSecond === 0) await new Promise((next) => setImmediate(next))
  }
  const elapsedMs = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { latenciesMs, elapsedMs, cpuMs: (user + system) / 1000 }
}

function printMachine(): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const { model } = os.cpus()[0]!
  console.log(
    `${os.cpus().length} × ${model}, ${os.type()} ${os.release()}, node ${process.version}, ` +
      `commit ${commit}, ${fs.realpathSync(directory)}`,
  )
}
