// Disks that something else fills up, and that have room again.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { LoopDisks } from './loop-disks.ts'
import { ProcessCluster } from './process-cluster.ts'
import { lacking } from './requirements.ts'

const MIB = 1024 * 1024
/** A sparse file each. */
const DISK_BYTES = 768 * MIB
const LOW = 224 * MIB
const HARD = 128 * MIB
const FLAGS = [
  ...['--log-segment-bytes', String(MIB), '--checkpoint-bytes', '262144'],
  ...['--disk-low-bytes', String(LOW), '--disk-hard-bytes', String(HARD)],
  ...['--disk-reserve-bytes', String(32 * MIB)],
]
const WITHIN = { timeout: 60_000, interval: 100 }

let cluster: ProcessCluster
let disks: LoopDisks
let conv: string
let client: WireClient
let sent = 0
/** msgId → seq of all that was acknowledged. */
const acknowledged = new Map<string, number>()

async function connect(): Promise<void> {
  client?.close()
  for (const { name, url } of cluster.running) {
    if ((await cluster.state(name))?.ready !== true) continue
    client = await WireClient.connect(url, 'ann', 'ann-phone')
    return
  }
}

/** The code that it was refused with, `null` if it was acknowledged. */
async function trySend(body: string, msgId = `m${++sent}`): Promise<string | null> {
  if (client.isClosed) await connect()
  const answer = await client.request({ t: 'msg:R', conv, msgId, body }, 20_000)
  if (answer === null) return 'CLOSED'
  if (answer.error !== undefined) return answer.error.code
  acknowledged.set(msgId, answer['seq'] as number)
  return null
}

/** As an application does: whatever may be sent again is, under its own id. */
function send(body = 'hello'): Promise<void> {
  const msgId = `m${++sent}`
  return vi.waitFor(async () => expect(await trySend(body, msgId)).toBe(null), WITHIN)
}

async function level(name: string): Promise<number> {
  const text = await (await fetch(`${cluster.node(name).url}/metrics`)).text()
  return Number(/^parley_data_disk_level (\S+)$/m.exec(text)?.[1])
}

const reaches = (name: string, at: number) =>
  vi.waitFor(async () => expect(await level(name)).toBe(at), WITHIN)
const names = () => cluster.nodes.map(({ name }) => name)

async function allRun(): Promise<void> {
  for (const { name, exit } of cluster.nodes) {
    if (exit !== null) expect(await cluster.output(name)).toBe('that of a node that runs')
  }
}

/** Of what was acknowledged and not removed, all is there, once and in its place, on every node. */
async function nothingIsLost(from = 1): Promise<void> {
  await cluster.converged()
  const wanted = [...acknowledged].filter(([, seq]) => seq >= from)
  expect(new Set(wanted.map(([, seq]) => seq)).size).toBe(wanted.length)
  for (const { url } of cluster.nodes) {
    const reader = await WireClient.connect(url, 'ann', 'ann-reader')
    const found = new Map<number, string>()
    for (let after = from - 1; ;) {
      const page = await reader.request({ t: 'pull:R', conv, after, limit: 100 })
      expect(page?.error).toBeUndefined()
      for (const event of page!['events']) found.set(event.seq, event.msgId)
      after = page!['next']
      if (page!['hasMore'] !== true) break
    }
    reader.close()
    expect(wanted.filter(([msgId, seq]) => found.get(seq) !== msgId)).toEqual([])
    expect(new Set(found.values()).size).toBe(found.size)
  }
}

describe.skipIf(lacking('root', 'loop'))('nodes on small disks', () => {
  beforeAll(async () => {
    cluster = await ProcessCluster.create(3)
    disks = await LoopDisks.create(cluster, DISK_BYTES)
    await cluster.startAll({ flags: FLAGS })
    await cluster.healthy()
    await connect()
    const answer = await client.request({ t: 'conv:R', op: 'create', msgId: 'c', members: ['bob'] })
    conv = answer!['conversation'].id
    await send()
  }, 120_000)

  afterAll(async () => {
    client?.close()
    await Promise.all(cluster.running.map(({ name }) => cluster.kill(name)))
    await disks?.close()
    await cluster.close()
  })

  test('a follower that is full takes nothing, votes, and catches up when it has room', async () => {
    const leader = await cluster.healthy()
    const full = names().find((name) => name !== leader)!
    await disks.leave(full, 100 * MIB)
    await reaches(full, 2)
    for (let i = 0; i < 50; i++) await send('x'.repeat(10_000))
    await allRun()
    const behind = await cluster.state(full)
    expect((await cluster.state(leader))!.applied).toBeGreaterThan(behind!.applied)
    expect(behind).toMatchObject({ leader, ready: false })
    await disks.giveBack(full)
    await reaches(full, 0)
    await nothingIsLost()
  }, 180_000)

  test('a leader that is nearly full hands on', async () => {
    const leader = await cluster.healthy()
    await disks.leave(leader, 200 * MIB)
    await vi.waitFor(async () => expect(await cluster.leader()).not.toBe(leader), WITHIN)
    await send()
    await disks.giveBack(leader)
    await reaches(leader, 0)
  }, 180_000)

  test('followers that are full, and the leader is not: writes are refused, and taken again', async () => {
    const leader = await cluster.healthy()
    const [one, two] = names().filter((name) => name !== leader)
    for (const name of [one!, two!]) await disks.leave(name, 100 * MIB)
    await vi.waitFor(async () => expect(await trySend('full?')).toBe('DISK_FULL'), WITHIN)
    await allRun()
    await disks.giveBack(one!)
    await send()
    await disks.giveBack(two!)
    await nothingIsLost()
  }, 180_000)

  test('without a byte left all of them end, start, elect and refuse; then all is well', async () => {
    for (const name of names()) await disks.leave(name, 0)
    for (const name of names()) await reaches(name, 2)
    await Promise.all(cluster.running.map(({ name }) => cluster.kill(name)))
    for (const name of names()) await disks.leave(name, 0)
    await cluster.startAll({ flags: FLAGS })
    await cluster.healthy()
    await connect()
    await vi.waitFor(async () => expect(await trySend('full?')).toBe('DISK_FULL'), WITHIN)
    await allRun()
    for (const name of names()) await disks.giveBack(name)
    await send()
    await nothingIsLost()
  }, 180_000)

  test('a disk that is read-only: the node says so and ends, the others go on', async () => {
    const leader = await cluster.healthy()
    const victim = names().find((name) => name !== leader)!
    await cluster.signal(victim, 'SIGTERM')
    await disks.remount(victim, 'ro')
    await cluster.start(victim, { flags: FLAGS })
    expect(await cluster.ended(victim)).toEqual({ code: 1, signal: null })
    expect(await cluster.output(victim)).toMatch(/read-only: check the kernel log, remount it/)
    await connect()
    await send()
    await disks.remount(victim, 'rw')
    await cluster.start(victim, { flags: FLAGS })
    await cluster.healthy()
    await nothingIsLost(Math.max(...acknowledged.values()))
  }, 180_000)
})
