// Bits flip on the disk of one node after the other while all of them serve.
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { runDrill } from './kill-drill.ts'
import { ProcessCluster } from './process-cluster.ts'

const FLAGS = ['--log-segment-bytes', '262144', '--checkpoint-bytes', '65536']
/** Finds damage within seconds, in what nobody reads too. */
const SCRUBBED = [...FLAGS, '--scrub-every', '1s', '--scrub-bytes-per-second', '1GiB']
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
  const file = await open(path, 'r+').catch(() => null)
  if (file === null) return
  const byte = Buffer.alloc(1)
  const { size } = await file.stat()
  const first = Math.floor(Math.random() * Math.min(everyBytes, size))
  for (let at = first; at < size; at += everyBytes) {
    await file.read(byte, 0, 1, at)
    byte[0]! ^= 0x10
    await file.write(byte, 0, 1, at)
  }
  await file.close()
}

/** Orderly, and up again: what it held in memory is on its disk alone. */
async function restart(name: string, flags: readonly string[]): Promise<void> {
  await cluster.signal(name, 'SIGTERM')
  await cluster.start(name, { flags })
  await cluster.healthy()
}

/** All events of a conversation by one node, or those that it gave before it ended. */
async function eventsOf(name: string, conv: string): Promise<Map<number, string>> {
  const found = new Map<number, string>()
  const reader = await WireClient.connect(cluster.node(name).url, 'u0', `reader-${name}`)
  for (let after = 0; ;) {
    const page = await reader.request({ t: 'pull:R', conv, after, limit: 100 }, 20_000)
    if (page === null || page.error !== undefined) break
    for (const event of page['events']) found.set(event.seq, `${event.msgId} ${event.body}`)
    after = page['next']
    if (page['hasMore'] !== true) break
  }
  reader.close()
  return found
}

/** Ends by itself, soon. */
async function endsOf(name: string, harm: () => Promise<void>): Promise<void> {
  await vi.waitFor(async () => {
    await harm()
    expect(cluster.node(name).exit).not.toBe(null)
  }, WITHIN)
  expect(cluster.node(name).exit).not.toEqual({ code: 0, signal: null })
}

test('each is found, by a read or by the scrub, and its node ends; nothing is lost', async () => {
  const names = cluster.nodes.map(({ name }) => name)
  const done: string[] = []
  const report = await runDrill({
    cluster,
    senders: 6,
    conversations: 3,
    harm: async ({ recovered }) => {
      const goOn = async (name: string) => {
        expect(cluster.running).toHaveLength(2)
        await recovered()
        await cluster.start(name, { flags: FLAGS })
        await cluster.healthy()
        await recovered()
        done.push(name)
      }
      // Read by clients: what it answers is right, whatever it answers.
      const [one, two, three] = names as [string, string, string]
      await restart(one, FLAGS)
      const store = join(cluster.node(one).data, 'store')
      const tables = await filesOf(store, '.ldb')
      expect(tables.length).toBeGreaterThan(0)
      for (const table of tables) await flipBits(table, 512)
      const list = await WireClient.connect(cluster.node(two).url, 'u0', 'lister')
      const page = await list.ask({ t: 'conv:R', op: 'list', limit: 10 })
      list.close()
      const convs = page['conversations'].map(({ id }: { id: string }) => id) as string[]
      expect(convs).toHaveLength(3)
      await vi.waitFor(async () => {
        for (const conv of convs) {
          const told = await eventsOf(one, conv).catch(() => new Map<number, string>())
          const right = await eventsOf(two, conv)
          expect([...told].filter(([seq, event]) => right.get(seq) !== event)).toEqual([])
        }
        expect(cluster.node(one).exit).not.toBe(null)
      }, WITHIN)
      expect(cluster.node(one).exit).not.toEqual({ code: 0, signal: null })
      await goOn(one)
      // By itself, or by its next start: over some damage LevelDB ends the process.
      const isFound = /state\.discarded|store\.damaged/
      expect(await cluster.output(one)).toMatch(isFound)

      // Read by nobody: in the store, and then in the log.
      await restart(two, SCRUBBED)
      const rotTable = async () => {
        const [table] = await filesOf(join(cluster.node(two).data, 'store'), '.ldb')
        if (table !== undefined) await flipBits(table, 65_536)
      }
      await endsOf(two, rotTable)
      await goOn(two)
      expect(await cluster.output(two)).toMatch(isFound)

      await restart(three, SCRUBBED)
      const log = join(cluster.node(three).data, 'log')
      const rotSegment = async () => {
        // Behind it stand the one that is written to and the one that is next.
        const sealed = (await filesOf(log, '.log')).at(-3)
        if (sealed !== undefined) await flipBits(sealed, 65_536)
      }
      await endsOf(three, rotSegment)
      expect(cluster.node(three).exit).toEqual({ code: 3, signal: null })
      expect(await cluster.output(three)).toMatch(/the log is damaged: .*parley members replace/)
      // What is left of such a log is never voted with.
      await rm(cluster.node(three).data, { recursive: true })
      await goOn(three)
    },
  })
  console.log(
    `rot on ${done.join(', ')}: ${report.acknowledged} acknowledged, longest time without a tick ${report.longestGapMs.toFixed(0)} ms`,
  )
  expect(done).toEqual(names)
  expect(report.violations).toEqual([])
  expect(report.acknowledged).toBe(report.sent)
}, 300_000)
