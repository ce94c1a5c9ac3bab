// Backup and restore as an operator does them: the real command, real nodes, clients that go on.
import { readdirSync } from 'node:fs'
import { cp, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ChatClient } from '#client'
import { parley } from '../../cli/dev/testing/dev-process.ts'
import { readAll } from '../mission/mission-clients.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'
import { type Acknowledged, PacedLoad } from './paced-load.ts'

const PER_SECOND = 1_000
const QUIET_MS = 5_000

let cluster: ProcessCluster
let file: string
const clients: ChatClient[] = []
beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
  file = join(cluster.directory, 'monday.backup')
})
afterAll(async () => {
  for (const client of clients) client.close()
  await cluster.close()
})

const run = (...args: string[]) => parley(args, cluster.directory)
const membersOf = ({ nodes }: ProcessCluster) =>
  nodes.map(({ name, url, peerAddress }) => `${name}=${new URL(url).host}/${peerAddress}`).join(',')
const urls = () => cluster.nodes.map(({ url }) => url)

/** Puts what the backup holds in the place of the cluster, and starts it. */
async function restoreInto(target: ProcessCluster): Promise<string> {
  await Promise.all(target.running.map(({ name }) => target.signal(name, 'SIGKILL')))
  for (const { data } of target.nodes) await rm(data, { recursive: true, force: true })
  const [only] = target.nodes.length === 1 ? target.nodes : []
  const data = only === undefined ? target.directory : only.data
  const flags = ['--members', membersOf(target), '--data', data, '--json']
  const restored = await run('restore', file, ...flags)
  expect(restored).toMatchObject({ code: 0 })
  await target.startAll()
  await target.healthy()
  const { epoch } = JSON.parse(restored.stdout) as { epoch: string }
  expect((await target.state(target.nodes[0]!.name))?.epoch).toBe(epoch)
  return epoch
}

interface Event {
  readonly seq: number
  readonly msgId: string
  readonly from: string
  readonly at: number
  readonly body: unknown
}

/** Every event of each conversation of the load, as its members read them. */
async function contentOf(at: ProcessCluster, sent: readonly Acknowledged[]) {
  const content = new Map<string, Event[]>()
  const { url } = at.nodes[0]!
  for (let lane = 0; lane < 20; lane += 1) {
    const reader = await WireClient.connect(url, `load${lane}`, 'reader', { mode: 'notify' })
    const mine = sent.find(({ msgId }) => Number(msgId.slice('load-'.length)) % 20 === lane)!
    const pages = await readAll(reader, mine.conv, 500)
    content.set(
      mine.conv,
      pages.flatMap(({ events }) =>
        events.map(({ seq, msgId, from, at: wall, body }) => ({
          seq,
          msgId,
          from,
          at: wall,
          body,
        })),
      ),
    )
    await reader.leave()
  }
  return content
}

let kept: Acknowledged[]
let original: Map<string, Event[]>
let epoch: string
let alice: ChatClient

test('[BK1] [BK7] a backup under 1,000 messages a second: all that was acknowledged before', async () => {
  alice = await ChatClient.connect({ urls: urls(), user: 'alice', device: 'phone' })
  clients.push(alice)
  for (let n = 1; n <= 5; n += 1) await alice.direct('bob').send(`before ${n}`).sent
  const load = await PacedLoad.connect(urls(), PER_SECOND)
  load.start()
  // So that there is something to read, and the nodes have compiled what they do.
  await sleep(2 * QUIET_MS)
  const [quietMs, beginMs] = [performance.now() - QUIET_MS, performance.now()]
  const taken = await run('backup', '--to', file, '--url', urls().join(','), '--json')
  const endMs = performance.now()
  await load.stop()
  expect(taken).toMatchObject({ code: 0 })
  const manifest = JSON.parse(taken.stdout) as Record<string, unknown>
  expect(manifest['node']).not.toBe(await cluster.leader())
  const [without, during] = [load.p99(quietMs, beginMs), load.p99(beginMs, endMs)]
  console.log(
    `p99 of sends: ${without.toFixed(1)} ms, while a backup of ${String(manifest['bytes'])} bytes was taken ${during.toFixed(1)} ms (× ${(during / without).toFixed(2)}), in ${String(manifest['tookMs'])} ms`,
  )
  for (let n = 1; n <= 2; n += 1) await alice.direct('bob').send(`after ${n}`).sent
  kept = load.acknowledged.filter(({ atMs }) => atMs < beginMs)
  expect(kept.length).toBeGreaterThan(PER_SECOND)
  original = await contentOf(cluster, load.acknowledged)
  epoch = (await cluster.state('n1'))!.epoch
  expect(manifest).toMatchObject({ schema: 1, epoch })

  const again = await run('backup', '--to', file, '--url', urls().join(','))
  expect(again).toMatchObject({ code: 5, stderr: expect.stringContaining('never overwritten') })
})

test('[BK2] it verifies, and the cluster remembers that over a restart', async () => {
  const verified = await run('backup', 'verify', file, '--url', urls()[0]!, '--json')
  expect(verified).toMatchObject({ code: 0 })
  const { takenAtMs, isReported } = JSON.parse(verified.stdout) as Record<string, number | boolean>
  expect(isReported).toBe(true)
  const metric = async () => {
    const text = await (await fetch(`${urls()[0]!}/metrics`)).text()
    return Number(/^parley_backup_verified_timestamp_seconds (\S+)$/m.exec(text)?.[1])
  }
  expect(await metric()).toBe((takenAtMs as number) / 1_000)
  await cluster.kill('n1')
  await cluster.start('n1')
  await cluster.healthy()
  expect(await metric()).toBe((takenAtMs as number) / 1_000)
})

test('[BK3] what is damaged, cut off, newer or foreign is refused, and nothing is written', async () => {
  const bad = join(cluster.directory, 'bad.backup')
  const target = join(cluster.directory, 'never')
  const refused = async (said: string) => {
    const flags = ['--members', membersOf(cluster), '--data', target]
    const outcome = await run('restore', bad, ...flags)
    expect(outcome).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining(said) })
    expect(await run('backup', 'verify', bad, '--no-report')).toMatchObject({ code: 5 })
    expect(readdirSync(cluster.directory)).not.toContain('never')
  }
  await cp(file, bad)
  await truncate(bad, 100_000)
  await refused('cut off')
  await writeFile(bad, 'parley backup 2\nwhat only the future knows, which is longer than this')
  await refused('newer version')
  await writeFile(bad, 'a letter to somebody, which never was a backup of anything')
  await refused('no backup of Parley')
  const full = ['--members', membersOf(cluster), '--data', cluster.directory]
  const outcome = await run('restore', file, ...full)
  expect(outcome).toMatchObject({ code: 5, stderr: expect.stringContaining('is not empty') })
})

test('[BK4] restored, every event is there as it was, and clients notice', async () => {
  const missing: { readonly epoch: string; readonly bodies: number }[] = []
  const room = alice.direct('bob')
  const seen: string[] = []
  room.on('discontinuity', ({ epoch: now }) => seen.push(now))
  alice.sync.on('missing', ({ epoch: now, messages }) =>
    missing.push({ epoch: now, bodies: messages.length }),
  )
  const epochs = [epoch]
  for (const round of [1, 2]) {
    await Promise.all(cluster.nodes.map(({ name }) => cluster.kill(name)))
    const held = room.send(`while it was down ${round}`)
    epochs.push(await restoreInto(cluster))
    await vi.waitFor(() => expect(missing).toHaveLength(round), { timeout: 60_000 })
    // The first time the two after the backup; the second time what was sent since the first.
    expect(missing.at(-1)).toEqual({ epoch: epochs.at(-1), bodies: round === 1 ? 2 : 1 })
    expect(seen.at(-1)).toBe(epochs.at(-1))
    expect(await held.sent).toMatchObject({ seq: 6, duplicate: false })
    const content = await contentOf(cluster, kept)
    for (const [conv, events] of content) {
      expect(events).toEqual(original.get(conv)!.slice(0, events.length))
    }
    for (const { conv, seq, msgId, body } of kept) {
      expect(content.get(conv)![seq - 1]).toMatchObject({ seq, msgId, body })
    }
  }
  expect(new Set(epochs).size).toBe(3)
})

test.each([1, 5])('[BK5] a backup of three nodes makes a cluster of %i', async (size) => {
  await Promise.all(cluster.running.map(({ name }) => cluster.kill(name)))
  const other = await ProcessCluster.create(size)
  try {
    await restoreInto(other)
    await other.converged()
    const views = await Promise.all(other.nodes.map(({ name }) => other.state(name)))
    expect(new Set(views.map((view) => view?.stateHash)).size).toBe(1)
    expect(views[0]?.members.map(({ name }) => name)).toEqual(other.nodes.map(({ name }) => name))
    const reader = await WireClient.connect(other.nodes[0]!.url, 'bob', 'tablet')
    const { conv } = await reader.say({ to: 'alice' }, 'm1', 'hello')
    const pages = await readAll(reader, conv as string)
    expect(pages.flatMap(({ events }) => events.map(({ body }) => body as string))).toEqual([
      ...Array.from({ length: 5 }, (_, n) => `before ${n + 1}`),
      'hello',
    ])
    await reader.leave()
  } finally {
    await other.close()
  }
})
