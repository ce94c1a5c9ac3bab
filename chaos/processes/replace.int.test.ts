import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { ProcessCluster } from './process-cluster.ts'

let cluster: ProcessCluster
afterEach(() => cluster.close())

const SMALL = ['--log-segment-bytes', '65536', '--checkpoint-bytes', '100000']

async function fill(url: string, from: number, count: number): Promise<void> {
  const client = await WireClient.connect(url, 'ann', 'ann-phone')
  const body = 'x'.repeat(500)
  for (let at = from; at < from + count; at += 50) {
    const sends = Array.from({ length: 50 }, (_, more) =>
      client.request({ t: 'msg:R', to: `bob${more % 7}`, msgId: `m${at + more}`, body }),
    )
    for (const answer of await Promise.all(sends)) expect(answer?.error).toBeUndefined()
  }
  client.close()
}

const hashes = async () =>
  new Set(
    (await Promise.all(cluster.nodes.map(({ name }) => cluster.state(name)))).map(
      (state) => (state as unknown as { stateHash: string }).stateHash,
    ),
  )

describe('a member without its data', () => {
  test('[K1] an emptied directory comes back under a new id, by a snapshot, and votes', async () => {
    cluster = await ProcessCluster.create(3)
    await cluster.startAll({ flags: SMALL })
    const leader = await cluster.healthy()
    await fill(cluster.node(leader).url, 0, 2_000)
    const lost = cluster.nodes.find(({ name }) => name !== leader)!
    const before = (await cluster.state(leader))!.members.find(({ name }) => name === lost.name)!.id
    await cluster.kill(lost.name)
    await rm(lost.data, { recursive: true })
    await fill(cluster.node(leader).url, 2_000, 2_000)
    await cluster.start(lost.name, { flags: SMALL })
    await cluster.healthy()
    await cluster.converged()
    const state = (await cluster.state(leader))!
    const now = state.members.filter(({ name }) => name === lost.name)
    expect(now).toHaveLength(1)
    expect(now[0]).toMatchObject({ role: 'voter' })
    expect(now[0]!.id).not.toBe(before)
    expect((await hashes()).size).toBe(1)
    const output = await readFile(join(cluster.directory, `${lost.name}.log`), 'utf8')
    expect(output).toContain('snapshot.installed')

    // It counts: with the third node down, the two go on.
    const other = cluster.nodes.find(({ name }) => name !== leader && name !== lost.name)!
    await cluster.kill(other.name)
    await fill(cluster.node(lost.name).url, 4_000, 50)
    await cluster.start(other.name, { flags: SMALL })
    await cluster.healthy()
    await cluster.converged()
    expect((await hashes()).size).toBe(1)
  })
})
