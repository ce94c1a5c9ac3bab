// What a commit costs, and whose fault it is: told by what the nodes measure, while disks are slow.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DiskFaults } from '../processes/disk-faults.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { lacking } from '../processes/requirements.ts'
import { WireClient } from '../workload/wire-client.ts'
import { eventually } from './mission-clients.ts'

const DELAY_MS = 500
const SLOW = { on: 'sync', does: { delayMs: DELAY_MS } } as const
const MESSAGES = 5
let cluster: ProcessCluster
let faults: DiskFaults
let count = 0

const metricsOf = async (name: string): Promise<string> =>
  (await fetch(`${cluster.node(name).url}/metrics`)).text()

/** Seconds and number of what a histogram saw. */
function seen(text: string, metric: string) {
  const value = (part: string): number =>
    Number(new RegExp(`^parley_${metric}_${part} (\\S+)$`, 'm').exec(text)?.[1])
  return { sum: value('sum'), count: value('count') }
}

/** Of each node the mean in ms between two looks; none if nothing happened. */
function meanMs(before: string, after: string, metric: string): number {
  const [from, to] = [seen(before, metric), seen(after, metric)]
  return ((to.sum - from.sum) / (to.count - from.count)) * 1_000
}

const lookAll = async () =>
  new Map(
    await Promise.all(
      cluster.nodes.map(async ({ name }) => [name, await metricsOf(name)] as const),
    ),
  )

/**
 * Sends some messages, one at a time, through the leader. `null`: it was not the leader all the time,
 * so that what it measured is not the whole.
 */
async function costOf(leader: string) {
  const before = await lookAll()
  const client = await WireClient.connect(cluster.node(leader).url, 'ann', `device-${count}`)
  for (let sent = 0; sent < MESSAGES; count += 1) {
    const answer = await client.request(
      { t: 'msg:R', to: 'bob', msgId: `m${count}`, body: count },
      20_000,
    )
    if (answer === null || answer.error !== undefined) break
    sent += 1
  }
  client.close()
  const after = await lookAll()
  const commits = (text: string) => seen(text, 'raft_commit_duration_seconds').count
  if (commits(after.get(leader)!) - commits(before.get(leader)!) < MESSAGES) return null
  return {
    commitMs: meanMs(before.get(leader)!, after.get(leader)!, 'raft_commit_duration_seconds'),
    /** Of what it synced since; one that was under way then counts too. */
    syncMs: async (name: string) =>
      meanMs(before.get(name)!, await metricsOf(name), 'log_sync_duration_seconds'),
    metrics: after.get(leader)!,
  }
}

describe.skipIf(lacking('cc'))('[M-51] what a commit costs', () => {
  beforeAll(async () => {
    cluster = await ProcessCluster.create(3)
    faults = await DiskFaults.create(cluster)
    await Promise.all(
      cluster.nodes.map(({ name }) => cluster.start(name, { env: faults.environment(name) })),
    )
    await cluster.healthy()
  })
  afterAll(() => cluster.close())

  /** With so many slow followers, as soon as one leader held for the whole of it. */
  async function withSlow(followers: number) {
    return eventually(
      async () => {
        for (const { name } of cluster.nodes) await faults.set(name)
        const leader = await cluster.healthy()
        const others = cluster.nodes.map(({ name }) => name).filter((name) => name !== leader)
        const slow = others.slice(0, followers)
        for (const name of slow) await faults.set(name, SLOW)
        const cost = await costOf(leader)
        return cost === null ? null : { ...cost, leader, slow, others }
      },
      (found) => found !== null,
      120_000,
    ).then((found) => found!)
  }

  test('is what the faster half of the disks takes: one slow disk of three costs nothing', async () => {
    const { commitMs, syncMs, slow } = await withSlow(1)
    // Nobody waited for it: it may still be at the first of them.
    const late = await eventually(
      () => syncMs(slow[0]!),
      (ms) => ms > 0,
    )
    expect(late).toBeGreaterThan(DELAY_MS / 2)
    expect(commitMs).toBeLessThan(DELAY_MS)
  })

  test('two slow disks cost their time, and the nodes say that it is those: no other, no network', async () => {
    const { commitMs, syncMs, leader, slow, others, metrics } = await withSlow(2)
    expect(commitMs).toBeGreaterThanOrEqual(DELAY_MS)
    for (const name of slow) expect(await syncMs(name)).toBeGreaterThan(DELAY_MS / 2)
    expect(await syncMs(leader)).toBeLessThan(DELAY_MS / 2)
    const roundTrips = [...metrics.matchAll(/^parley_peer_round_trip_seconds\{.*\} (\S+)$/gm)]
    expect(roundTrips).toHaveLength(others.length)
    for (const [, seconds] of roundTrips) {
      expect(Number(seconds)).toBeGreaterThan(0)
      expect(Number(seconds) * 1_000).toBeLessThan(DELAY_MS)
    }
  })
})
