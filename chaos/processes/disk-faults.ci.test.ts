import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { DiskFaults } from './disk-faults.ts'
import { runDrill } from './kill-drill.ts'
import { ProcessCluster } from './process-cluster.ts'
import { lacking } from './requirements.ts'

const DELAY_MS = 500
/** Some of them may be sent again after an election: slow disks look like dead ones. */
const MESSAGES = 6
let cluster: ProcessCluster
let faults: DiskFaults
let leader: string
let followers: string[]

const skip = lacking('cc')

async function start(): Promise<void> {
  cluster = await ProcessCluster.create(3)
  faults = await DiskFaults.create(cluster)
  const names = cluster.nodes.map(({ name }) => name)
  await Promise.all(names.map((name) => cluster.start(name, { env: faults.environment(name) })))
  leader = await cluster.healthy()
  followers = names.filter((name) => name !== leader)
}

/** Milliseconds from each send to its tick, one message at a time. */
async function ticks(through: string, count: number): Promise<number[]> {
  const client = await WireClient.connect(cluster.node(through).url, 'ann', 'ann-phone')
  const took: number[] = []
  for (let at = 0; at < count;) {
    const from = performance.now()
    // A new msgId each time: the answer to a copy could come from an earlier write.
    const msgId = `m${at}-${from.toFixed(3)}`
    const answer = await client.request({ t: 'msg:R', to: 'bob', msgId, body: 'tick?' }, 20_000)
    if (answer === null) throw new Error(`${through} closed the connection`)
    if (answer.error?.retryable === true) continue
    expect(answer.error).toBeUndefined()
    took.push(performance.now() - from)
    at += 1
  }
  client.close()
  return took.sort((a, b) => a - b)
}

describe.skipIf(skip)('no tick before the fsync of a majority', () => {
  beforeEach(start)
  afterEach(() => cluster.close())

  const slow = { on: 'sync', does: { delayMs: DELAY_MS } } as const
  const median = (sorted: readonly number[]) => sorted[sorted.length >> 1]!

  test.each([
    { where: 'all three nodes', pick: () => [leader, ...followers] },
    { where: 'the leader and a follower', pick: () => [leader, followers[0]!] },
    { where: 'both followers', pick: () => followers },
  ])(
    `syncs delayed by ${DELAY_MS} ms on $where delay every tick`,
    async ({ where, pick }) => {
      // Until a delayed leader has moved its syncs off its main thread it answers nobody.
      const through = followers[1]!
      const fast = await ticks(through, MESSAGES)
      expect(median(fast)).toBeLessThan(DELAY_MS / 2)
      for (const name of pick()) await faults.set(name, slow)
      const took = await ticks(through, MESSAGES)
      console.log(
        `${where}: p50 ${median(fast).toFixed(1)} ms without delay; with it least ` +
          `${took[0]!.toFixed(0)} ms, p50 ${median(took).toFixed(0)} ms`,
      )
      expect(took[0]).toBeGreaterThanOrEqual(DELAY_MS)
      for (const name of pick()) expect(await faults.hits(name)).toBeGreaterThan(0)
    },
    120_000,
  )

  test('on one follower only, ticks stay fast', async () => {
    await faults.set(followers[0]!, slow)
    const took = await ticks(leader, 200)
    console.log(
      `one follower: p50 ${median(took).toFixed(1)} ms, max ${took.at(-1)!.toFixed(0)} ms`,
    )
    expect(median(took)).toBeLessThan(100)
    expect(await faults.hits(followers[0]!)).toBeGreaterThan(0)
  })
})

describe.skipIf(skip)('a disk that fails stops its node, and only that', () => {
  beforeEach(start)
  afterEach(() => cluster.close())

  const cases = [
    { fault: { on: 'sync', does: { fail: 'EIO' } }, says: 'the disk reports an error' },
    { fault: { on: 'write', does: { fail: 'ENOSPC' } }, says: 'the disk is full' },
    { fault: { on: 'write', does: { fail: 'EROFS' } }, says: 'the file system is read-only' },
  ] as const
  const roles = ['leader', 'follower'] as const

  test.each(cases.flatMap((one) => roles.map((role) => ({ ...one, role, on: one.fault.on }))))(
    '$fault.does.fail at a $on of the log on the $role',
    async ({ fault, says, role }) => {
      const report = await runDrill({
        cluster,
        senders: 10,
        conversations: 5,
        harm: async ({ recovered }) => {
          const victim = role === 'leader' ? await cluster.healthy() : await anyFollower()
          await faults.set(victim, fault)
          expect(await cluster.ended(victim)).toEqual({ code: 1, signal: null })
          expect(await faults.hits(victim)).toBe(1)
          const output = await cluster.output(victim)
          expect(output).toContain('node.failed')
          expect(output).toContain(says)
          await recovered()
          expect(cluster.running).toHaveLength(2)
          await sleep(200)
          await faults.set(victim)
          await cluster.start(victim, { env: faults.environment(victim) })
          await cluster.healthy()
          await recovered()
        },
      })
      console.log(
        `${fault.does.fail}, ${role}: ${report.acknowledged} acknowledged, ` +
          `then a tick after ${report.recoveriesMs[0]?.toFixed(0)} ms`,
      )
      expect(report.violations).toEqual([])
      expect(report.acknowledged).toBe(report.sent)
    },
    60_000,
  )

  test('EIO at a sync of the store', async () => {
    const flags = ['--checkpoint-bytes', '16384']
    const victim = followers[0]!
    await cluster.kill(victim)
    await cluster.start(victim, { env: faults.environment(victim), flags })
    await cluster.healthy()
    const report = await runDrill({
      cluster,
      senders: 10,
      conversations: 5,
      harm: async ({ recovered }) => {
        await faults.set(victim, { on: 'sync', does: { fail: 'EIO' }, where: '/store/' })
        expect(await cluster.ended(victim)).toEqual({ code: 1, signal: null })
        expect(await faults.hits(victim)).toBeGreaterThan(0)
        expect(await cluster.output(victim)).toContain('node.failed')
        await recovered()
        await faults.set(victim)
        await cluster.start(victim, { env: faults.environment(victim), flags })
        await cluster.healthy()
      },
    })
    expect(report.violations).toEqual([])
    expect(report.acknowledged).toBe(report.sent)
  })
})

async function anyFollower(): Promise<string> {
  const now = await cluster.healthy()
  return cluster.nodes.find(({ name }) => name !== now)!.name
}
