/**
 * What a checkpoint does to the thread that everything else runs on, and to the log's fdatasync:
 * `node bench/checkpoint.bench.ts`. Then, with `--disk`, what the store costs on disk, and how long a
 * random read takes. Figures and machine: `bench/README.md`, "Store".
 */
import { execFileSync } from 'node:child_process'
import { closeSync, fdatasync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { defaultLevelTuning, LevelDatabaseFactory } from '../node/store/level-database.ts'
import { openStoreDirectory } from '../node/store/store-directory.ts'
import type { Put, Store, StoreDirectory } from '../node/store/store.ts'
import { NodeClock } from '../node/host/node-clock.ts'
import { NodeFileSystem } from '../node/host/node-file-system.ts'
import { temporaryFolder } from '../node/store/temporary-folder.ts'
import { readArguments } from './load/arguments.ts'

const USAGE = `What a checkpoint does to the thread that everything else runs on.

  node bench/checkpoint.bench.ts [--rounds 5] [--objects 100000] [--chunks 2048]
                                 [--disk [--write-buffer-mib N] [--block-kib N] [--file-mib N]]

  --disk  what the store costs on disk, and how long a random read takes`

const fileSystem = new NodeFileSystem()
const clock = new NodeClock()

const chunkBytes = 16 * 1024
const options = readArguments(
  'checkpoint.bench',
  USAGE,
  {
    disk: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    objects: { type: 'string', default: '100000' },
    chunks: { type: 'string', default: '2048' },
    'write-buffer-mib': { type: 'string', default: '' },
    'block-kib': { type: 'string', default: '' },
    'file-mib': { type: 'string', default: '' },
  },
  (given) => given,
)
const rounds = Number(options.rounds)
const objectCount = Number(options.objects)
const chunkCount = Number(options.chunks)
const tuning = {
  ...defaultLevelTuning,
  ...(options['write-buffer-mib'] && {
    writeBufferSize: Number(options['write-buffer-mib']) << 20,
  }),
  ...(options['block-kib'] && { blockSize: Number(options['block-kib']) << 10 }),
  ...(options['file-mib'] && { maxFileSize: Number(options['file-mib']) << 20 }),
}

const noise = new Uint8Array(4 << 20)
for (let i = 0, state = 1; i < noise.length; i++) {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0
  noise[i] = state >>> 24
}
let noiseAt = 0
const body = (bytes: number): Uint8Array => {
  noiseAt = (noiseAt + bytes * 7 + 13) % (noise.length - bytes)
  return noise.slice(noiseAt, noiseAt + bytes)
}

function key(prefix: string, number: number): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.write(prefix, 0, 'latin1')
  bytes.writeBigUInt64BE(BigInt(number), 8)
  return bytes
}

function* chunksFrom(first: number): Generator<Put> {
  for (let i = 0; i < chunkCount; i++) yield { key: key('v/', first + i), value: body(chunkBytes) }
}

/** Every object once, in an order that is none. */
function* objectsOf(count: number, total: number, seed: number): Generator<Put> {
  for (let i = 0; i < count; i++) {
    const number = (i * 7_368_787 + seed * 104_729) % total
    yield { key: key('o/', number), value: body(100) }
  }
}

const summary = (samples: number[]): string => {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number): string =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(2)
  return `p50 ${at(0.5)}  p99 ${at(0.99)}  p99.9 ${at(0.999)}  max ${at(1)}  (${sorted.length})`
}

interface Seen {
  /** How late a 1 ms timer was, in ms. */
  readonly late: number[]
  /** What this thread computed between two of those timers: other processes do not count, in ms. */
  readonly slice: number[]
  /** What a write of 300 bytes to a log and its fdatasync took, in ms. */
  readonly sync: number[]
}

/** Samples until `until` is settled. */
async function observe(folder: string, until: Promise<unknown>): Promise<Seen> {
  const late: number[] = []
  const slice: number[] = []
  const cpuMs = (): number => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  }
  const sync: number[] = []
  const log = openSync(join(folder, 'log'), 'a')
  const record = new Uint8Array(300)
  let isOver = false
  void until.finally(() => (isOver = true))
  const timers = async (): Promise<void> => {
    while (!isOver) {
      const start = performance.now()
      const computed = cpuMs()
      await new Promise((resolve) => setTimeout(resolve, 1))
      late.push(performance.now() - start - 1)
      slice.push(cpuMs() - computed)
    }
  }
  const writes = async (): Promise<void> => {
    while (!isOver) {
      const start = performance.now()
      writeSync(log, record)
      await promisify(fdatasync)(log)
      sync.push(performance.now() - start)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  await Promise.all([timers(), writes()])
  closeSync(log)
  return { late, slice, sync }
}

async function stalls(folder: string, store: Store): Promise<void> {
  console.log(
    `${chunkCount} ahead values of 16 KiB, ${objectCount} objects of 100 B, per checkpoint`,
  )
  const idle = await observe(folder, sleep(3000))
  console.log(`idle        timer late ms  ${summary(idle.late)}`)
  console.log(`idle        slice CPU ms   ${summary(idle.slice)}`)
  console.log(`idle        log write ms   ${summary(idle.sync)}`)
  const all: Seen = { late: [], slice: [], sync: [] }
  for (let round = 1; round <= rounds; round++) {
    const start = performance.now()
    const running = store.checkpoint({
      index: round,
      term: 1,
      ahead: chunksFrom(round * chunkCount),
      objects: objectsOf(objectCount, 1_000_003, round),
    })
    const seen = await observe(folder, running)
    await running
    console.log(`checkpoint ${round}: ${(performance.now() - start).toFixed(0)} ms`)
    all.late.push(...seen.late)
    all.slice.push(...seen.slice)
    all.sync.push(...seen.sync)
  }
  console.log(`checkpoints timer late ms  ${summary(all.late)}`)
  console.log(`checkpoints slice CPU ms   ${summary(all.slice)}`)
  console.log(`checkpoints log write ms   ${summary(all.sync)}`)
}

const writtenBytes = (): number =>
  Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))![1])
const diskBytes = (path: string): number =>
  Number(execFileSync('du', ['-sb', path], { encoding: 'latin1' }).split('\t')[0])

async function disk(folder: string, store: Store): Promise<void> {
  const objectTotal = 50_021
  const seen = new Set<number>()
  const before = writtenBytes()
  let put = 0
  const start = performance.now()
  for (let round = 1; round <= rounds; round++) {
    for (const { key: at } of objectsOf(objectCount, objectTotal, round)) {
      seen.add(Number(Buffer.from(at).readBigUInt64BE(8)))
    }
    const first = (round - 1) * chunkCount
    const objects = objectsOf(objectCount, objectTotal, round)
    await store.checkpoint({ index: round, term: 1, ahead: chunksFrom(first), objects })
    put += chunkCount * (chunkBytes + 16) + objectCount * 116
  }
  const seconds = (performance.now() - start) / 1000
  await sleep(3000)
  const live = rounds * chunkCount * (chunkBytes + 16) + seen.size * 116
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
  console.log(`put ${mib(put)} MiB in ${seconds.toFixed(1)} s, live ${mib(live)} MiB`)
  console.log(`bytes on disk per live byte  ${(diskBytes(folder) / live).toFixed(3)}`)
  console.log(`bytes written per put byte   ${((writtenBytes() - before) / put).toFixed(2)}`)
  const latencies = { chunk: [] as number[], object: [] as number[] }
  const numbers = [...seen]
  for (let i = 0; i < 20_000; i++) {
    const chunk = key('v/', (i * 7919) % (rounds * chunkCount))
    const object = key('o/', numbers[(i * 104_729) % numbers.length]!)
    for (const [name, at] of [
      ['chunk', chunk],
      ['object', object],
    ] as const) {
      const from = performance.now()
      if ((await store.get(at)) === null) throw new Error(`${name} ${i} is missing`)
      latencies[name].push(performance.now() - from)
    }
  }
  console.log(`random chunk read ms   ${summary(latencies.chunk)}`)
  console.log(`random object read ms  ${summary(latencies.object)}`)
  const scrubbed = performance.now()
  const { bytes } = await store.scrub()
  console.log(`scrub ${mib(bytes)} MiB in ${((performance.now() - scrubbed) / 1000).toFixed(1)} s`)
}

const openIn = (path: string): Promise<StoreDirectory> =>
  openStoreDirectory({
    fileSystem,
    clock,
    databases: new LevelDatabaseFactory(fileSystem, tuning),
    directory: join(path, 'store'),
  })

const folder = await temporaryFolder()
try {
  const directory = await openIn(folder.path)
  await (options.disk ? disk : stalls)(folder.path, directory.store!)
  await directory.close()
  const start = performance.now()
  const again = await openIn(folder.path)
  console.log(`opened again in ${(performance.now() - start).toFixed(0)} ms`)
  await again.close()
} finally {
  await folder.remove()
}
