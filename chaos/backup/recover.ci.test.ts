// Two of three disks are gone: what an operator types, and what clients see of it.
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ChatClient } from '#client'
import { parley } from '../../cli/dev/testing/dev-process.ts'
import { readAll } from '../mission/mission-clients.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'

let cluster: ProcessCluster
const clients: ChatClient[] = []
beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(async () => {
  for (const client of clients) client.close()
  await cluster.close()
})

const run = (...args: string[]) => parley(args, cluster.directory)
const SENT = 50

test('[BK9] [BK10] one survivor goes on alone: nothing it had is lost, and clients notice', async () => {
  const urls = cluster.nodes.map(({ url }) => url)
  const alice = await ChatClient.connect({ urls, user: 'alice', device: 'phone' })
  clients.push(alice)
  const room = alice.direct('bob')
  const results = []
  for (let n = 1; n <= SENT; n += 1) results.push(room.send(`m${n}`))
  const sent = await Promise.all(results.map((message) => message.sent))
  await cluster.converged()
  const before = (await cluster.state('n1'))!
  await cluster.kill('n1')
  const { data } = cluster.node('n1')
  const report = join(cluster.directory, 'n1.json')
  const plan = join(cluster.directory, 'plan.json')

  const collected = await run('recover', 'collect', '--data', data, '--to', report, '--json')
  expect(collected).toMatchObject({ code: 0 })
  expect(JSON.parse(collected.stdout)).toMatchObject({
    ...{ schema: 1, name: 'n1', clusterId: before.clusterId, epoch: before.epoch, store: 'whole' },
  })
  // The others are up: nothing has to be given up.
  expect(await run('recover', 'plan', report, '--to', plan)).toMatchObject({
    ...{ code: 5, stderr: expect.stringMatching(/n2, n3 answer and are not lost/) },
  })
  for (const name of ['n2', 'n3']) {
    await cluster.kill(name)
    await rm(cluster.node(name).data, { recursive: true, force: true })
  }
  const held = room.send('while nothing was up')
  const planned = await run('recover', 'plan', report, '--to', plan)
  expect(planned).toMatchObject({ code: 0, stdout: expect.stringContaining('may be lost') })
  const { newEpoch } = JSON.parse(await readFile(plan, 'utf8')) as { newEpoch: string }

  const apply = ['recover', 'apply', '--plan', plan, '--data', data]
  expect(await run(...apply)).toMatchObject({
    ...{ code: 0, stdout: expect.stringContaining('nothing was changed') },
  })
  const wrong = await run(...apply, '--i-accept-data-loss', '0'.repeat(32))
  expect(wrong).toMatchObject({ code: 5, stderr: expect.stringContaining('nothing was changed') })
  const other = await run('recover', 'apply', '--plan', plan, '--data', cluster.directory)
  expect(other).toMatchObject({ code: 5, stderr: expect.stringContaining('holds no log') })

  let noticed: string | null = null
  room.on('discontinuity', ({ epoch }) => (noticed = epoch))
  const accepted = [...apply, '--i-accept-data-loss', before.clusterId]
  const done = await run(...accepted)
  expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining(newEpoch) })
  // A second time it finds it done.
  expect(await run(...accepted, '--json')).toMatchObject({ code: 0 })
  await cluster.start('n1')
  await cluster.healthy()
  const now = (await cluster.state('n1'))!
  expect(now).toMatchObject({ epoch: newEpoch, replication: { voters: 1 } })
  expect(now.clusterId).not.toBe(before.clusterId)
  await vi.waitFor(() => expect(noticed).toBe(newEpoch), { timeout: 60_000 })
  expect(await held.sent).toMatchObject({ seq: SENT + 1, duplicate: false })
  const reader = await WireClient.connect(cluster.node('n1').url, 'bob', 'tablet')
  const pages = await readAll(reader, sent[0]!.conversation)
  expect(pages.flatMap(({ events }) => events.map(({ seq, body }) => [seq, body]))).toEqual([
    ...sent.map(({ seq }, at) => [seq, `m${at + 1}`]),
    [SENT + 1, 'while nothing was up'],
  ])
  await reader.leave()
})
