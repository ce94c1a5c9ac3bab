// Bits flip on the disk of one node after the other while all of them serve.
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { runDrill } from './kill-drill.ts'
import { ProcessCluster } from './process-cluster.ts'

const SMALL_LOG = ['--log-segment-bytes', '65536']
const FLAGS = [...SMALL_LOG, '--checkpoint-bytes', '65536']
/** Finds damage within seconds, in what nobody reads too. */
const SCRUB = ['--scrub-every', '1s', '--scrub-bytes-per-second', '1GiB']
/** Segments stay until they are read. */
const KEEPS_LOG = [...SMALL_LOG, '--checkpoint-bytes', '64MiB']
const WITHIN = { timeout: 60_000, interval: 200 }

let cluster: ProcessCluster
beforeEach(async () => {
  cluster = await ProcessCluster.create(3)
  await cluster.startAll({ flags: FLAGS })
  await cluster.healthy()
})
afterEach(() => cluster.close())

/** Files below a directory whose names end so, the oldest first. */
async function filesOf(directory: string, ending: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true }).catch(() => [])
  const found = names.filter((name) => name.endsWith(ending)).toSorted()
  return found.map((name) => join(directory, name))
}

/** Flips one bit every so many bytes, in place: whoever has the file open or mapped sees it. */
async function flipBits(path: string, everyBytes: number): Promise<void> {
  await using file = await open(path, 'r+').catch(() => null)
  if (file === null) return
  const byte = Buffer.alloc(1)
  const { size } = await file.stat()
  const first = Math.floor(Math.random() * Math.min(everyBytes, size))
  for (let at = first; at < size; at += everyBytes) {
    await file.read(byte, 0, 1, at)
    byte[0]! ^= 0x10
    await file.write(byte, 0, 1, at)
  }
}

/** Orderly, and up again: what it held in memory is on its disk alone. */
async function restart(name: string, flags: readonly string[]): Promise<void> {
  await cluster.signal(name, 'SIGTERM')
  await cluster.start(name, { flags })
  await cluster.healthy()
}

type Told = (seq: number, event: string) => void

/** Tells all events of a conversation by one node, or those that it gave before it ended. */
async function readAll(name: string, conv: string, tell: Told): Promise<void> {
  const { url } = cluster.node(name)
  const reader = await WireClient.connect(url, 'u0', `reader-${name}`).catch(() => null)
  for (let after = 0; reader !== null;) {
    const page = await reader.request({ t: 'pull:R', conv, after, limit: 100 }, 20_000)
    if (page === null || page.error !== undefined) break
    for (const event of page['events']) tell(event.seq, `${event.msgId} ${event.body}`)
    after = page['next']
    if (page['hasMore'] !== true) break
  }
  reader?.close()
}

async function conversationsBy(name: string): Promise<string[]> {
  const client = await WireClient.connect(cluster.node(name).url, 'u0', 'lister')
  const page = await client.ask({ t: 'conv:R', op: 'list', limit: 10 })
  client.close()
  return page['conversations'].map(({ id }: { id: string }) => id)
}

/** Ends by itself, sooner or later. */
async function endsOf(name: string, meanwhile: () => Promise<void>): Promise<void> {
  await vi.waitFor(async () => {
    await meanwhile()
    expect(cluster.node(name).exit).not.toBe(null)
  }, WITHIN)
  expect(cluster.node(name).exit).not.toEqual({ code: 0, signal: null })
}

/** Ever more of its tables is damaged while clients read all that it has. */
async function rotUnderReaders(name: string, convs: readonly string[], tell: Told[]) {
  const isMuch = async () => expect((await cluster.state(name))?.applied).toBeGreaterThan(400)
  await vi.waitFor(isMuch, WITHIN)
  await restart(name, FLAGS)
  await endsOf(name, async () => {
    const tables = await filesOf(join(cluster.node(name).data, 'store'), '.ldb')
    for (const table of tables) await flipBits(table, 262_144)
    for (const [at, conv] of convs.entries()) await readAll(name, conv, tell[at]!)
  })
}

/** The same, and nobody reads. */
async function rotUnread(name: string): Promise<void> {
  await restart(name, [...FLAGS, ...SCRUB])
  await endsOf(name, async () => {
    const [table] = await filesOf(join(cluster.node(name).data, 'store'), '.ldb')
    if (table !== undefined) await flipBits(table, 65_536)
  })
}

/** Of its log, which nobody reads either. */
async function rotLog(name: string): Promise<void> {
  await restart(name, [...KEEPS_LOG, ...SCRUB])
  await endsOf(name, async () => {
    // Behind it stand the one that is written to and the one that is next.
    const sealed = (await filesOf(join(cluster.node(name).data, 'log'), '.log')).at(-3)
    if (sealed !== undefined) await flipBits(sealed, 16_384)
  })
  expect(cluster.node(name).exit).toEqual({ code: 3, signal: null })
}

test('each is found, by a read or by the scrub, and its node ends; nothing is lost', async () => {
  const [one, two, three] = cluster.nodes.map(({ name }) => name) as [string, string, string]
  const told: { conv: string; seq: number; event: string }[] = []
  /** By itself, or by its next start: over some damage LevelDB ends the process. */
  const isFound = /state\.discarded|store\.damaged/
  const report = await runDrill({
    cluster,
    senders: 6,
    conversations: 3,
    thinkMs: 60,
    harm: async ({ recovered }) => {
      const goOn = async (name: string) => {
        expect(cluster.running).toHaveLength(2)
        await recovered()
        await cluster.start(name, { flags: FLAGS })
        await cluster.healthy()
        await recovered()
      }
      const convs = await conversationsBy(two)
      expect(convs).toHaveLength(3)
      const tell = convs.map(
        (conv): Told =>
          (seq, event) =>
            void told.push({ conv, seq, event }),
      )
      await rotUnderReaders(one, convs, tell)
      await goOn(one)
      expect(await cluster.output(one)).toMatch(isFound)
      await rotUnread(two)
      await goOn(two)
      expect(await cluster.output(two)).toMatch(isFound)
      await rotLog(three)
      expect(await cluster.output(three)).toMatch(/the log is damaged: .*parley members replace/)
      // What is left of such a log is never voted with.
      await rm(cluster.node(three).data, { recursive: true })
      await goOn(three)
    },
  })
  console.log(
    `rot on three nodes: ${report.acknowledged} acknowledged, longest time without a tick ${report.longestGapMs.toFixed(0)} ms, ${told.length} events read from damaged tables`,
  )
  expect(report.violations).toEqual([])
  expect(report.acknowledged).toBe(report.sent)
  // Whatever the node with the damaged tables answered is what stands there.
  const right = new Map<string, string>()
  for (const conv of new Set(told.map((event) => event.conv))) {
    await readAll(two, conv, (seq, event) => right.set(`${conv} ${seq}`, event))
  }
  expect(told.filter(({ conv, seq, event }) => right.get(`${conv} ${seq}`) !== event)).toEqual([])
}, 180_000)
