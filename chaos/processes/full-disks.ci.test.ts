// Disks that fill up, from outside or by what clients write, and are freed again.
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { LoopDisks } from './loop-disks.ts'
import { ProcessCluster } from './process-cluster.ts'
import { lacking } from './requirements.ts'

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
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
/** Of 40 KB: once they are gone there is more room than a node wants. */
const MESSAGES = 1_400
const AT_ONCE = 16
const LEFT = 215 * MIB

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

/** Types a command, against whichever nodes run. */
async function parley(...words: string[]): Promise<string> {
  const urls = cluster.running.map(({ url }) => url).join(',')
  const child = spawn(process.execPath, [CLI, ...words], {
    env: { ...process.env, PARLEY_URL: urls },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (data: Buffer) => (said += data.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  expect(`${words.join(' ')}: ${code}`).toBe(`${words.join(' ')}: 0`)
  return said
}

/** Seq → msgId, by one node. */
async function eventsBy(url: string, of: string, from = 1): Promise<Map<number, string>> {
  const reader = await WireClient.connect(url, 'ann', 'ann-reader')
  const found = new Map<number, string>()
  for (let after = from - 1; ;) {
    const page = await reader.request({ t: 'pull:R', conv: of, after, limit: 100 })
    expect(page?.error).toBeUndefined()
    for (const event of page!['events']) found.set(event.seq, event.msgId)
    after = page!['next']
    if (page!['hasMore'] !== true) break
  }
  reader.close()
  return found
}

/** Of what was acknowledged and not removed, all is there, once and in its place, on every node. */
async function nothingIsLost(from = 1): Promise<void> {
  await cluster.converged()
  const wanted = [...acknowledged].filter(([, seq]) => seq >= from)
  expect(new Set(wanted.map(([, seq]) => seq)).size).toBe(wanted.length)
  for (const { url } of cluster.nodes) {
    const found = await eventsBy(url, conv, from)
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

  test('[D4] [D7] all of them are full of messages: a policy makes room, and what it does not name is kept', async () => {
    const beside = await client.ask({ t: 'conv:R', op: 'direct', msgId: 'd', with: 'bob' })
    const kept = beside['conversation'].id
    for (let i = 0; i < 20; i++) {
      await client.ask({ t: 'msg:R', conv: kept, msgId: `kept${i}`, body: 'z'.repeat(40_000) })
    }
    const body = 'y'.repeat(40_000)
    const fill = async () => {
      for (let i = 0; i < MESSAGES / AT_ONCE; i++) await send(body)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, fill))
    // Something else takes the rest, and what compactions of the store give back again.
    const free = () => Promise.all(names().map((name) => disks.freeBytes(name)))
    await vi.waitFor(
      async () => {
        for (const name of names()) await disks.leave(name, LEFT)
        await sleep(1_500)
        expect(Math.max(...(await free()))).toBeLessThan(LEFT + MIB)
      },
      { timeout: 60_000, interval: 10 },
    )
    await vi.waitFor(async () => expect(await trySend('full?')).toBe('DISK_FULL'), WITHIN)
    await allRun()
    const last = Math.max(...acknowledged.values())
    await nothingIsLost(last - 100)

    const policy = ['--max-count', '5']
    const preview = JSON.parse(await parley('retention', '--dry-run', conv, ...policy, '--json'))
    expect(preview.conversations[0].events).toBeGreaterThan(MESSAGES - 10)
    const set = {
      t: 'conv:R',
      op: 'set',
      msgId: 'policy',
      conv,
      retention: { maxCount: 5 },
    } as const
    expect((await client.request(set, 30_000))?.error).toBeUndefined()
    // Until the window of results has passed, copies of writes are compared with what was removed.
    await parley('settings', 'windowMs=1000')
    await send('room?')
    for (const name of names()) {
      await reaches(name, 0)
      expect(await disks.freeBytes(name)).toBeGreaterThan(LOW)
    }
    await allRun()
    expect(Math.max(...acknowledged.values())).toBeGreaterThan(last)
    await nothingIsLost(Math.max(...acknowledged.values()))
    for (const { url } of cluster.nodes) {
      const found = [...(await eventsBy(url, kept)).values()]
      for (let i = 0; i < 20; i++) expect(found).toContain(`kept${i}`)
    }
  }, 180_000)

  test('a disk that is read-only at the start, or turns so: the node says it and ends, the others go on', async () => {
    const leader = await cluster.healthy()
    const before = Math.max(...acknowledged.values())
    const victim = names().find((name) => name !== leader)!
    const told = /read-only: check the kernel log, remount it/
    await cluster.signal(victim, 'SIGTERM')
    await disks.remount(victim, 'ro')
    await cluster.start(victim, { flags: FLAGS })
    expect(await cluster.ended(victim)).toEqual({ code: 1, signal: null })
    expect(await cluster.output(victim)).toMatch(told)
    await connect()
    await send()
    await disks.remount(victim, 'rw')
    await cluster.start(victim, { flags: FLAGS })
    await cluster.healthy()
    // Of the leader, this time: it has most to write.
    const failing = await cluster.leader()
    await disks.fail(failing!)
    await send()
    expect(await cluster.ended(failing!)).toEqual({ code: 1, signal: null })
    expect(await cluster.output(failing!)).toMatch(told)
    await send()
    await disks.mountAgain([failing!])
    await cluster.start(failing!, { flags: FLAGS })
    await cluster.healthy()
    await nothingIsLost(before + 1)
  }, 180_000)
})
