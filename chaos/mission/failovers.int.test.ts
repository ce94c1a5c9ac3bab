// Answers that outlive the node that gave them.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'
import { eventually, readAll, taken } from './mission-clients.ts'

/** Checkpoints after every few messages, and no message stays in memory for long. */
const SMALL = { flags: ['--checkpoint-bytes', '20000', '--log-segment-bytes', '65536'] }
let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await ProcessCluster.create(3)
  await cluster.startAll(SMALL)
  await cluster.healthy()
})
beforeEach(async () => {
  for (const { name, process } of cluster.nodes)
    if (process === null) await cluster.start(name, SMALL)
  await cluster.healthy()
})
afterAll(() => cluster.close())

const send = (client: WireClient, to: string, msgId: string, body: unknown) =>
  taken(client, { t: 'msg:R', to, msgId, body })

async function bodiesIn(client: WireClient, conv: string) {
  const pages = await readAll(client, conv)
  return pages.flatMap(({ events }) => events.map(({ body }) => body))
}

/** A follower, from which a client hears of every leader. */
async function follower(): Promise<string> {
  const leader = await cluster.healthy()
  return cluster.nodes.find(({ name }) => name !== leader)!.name
}

test('[M-8] the leader killed after it committed: the next one answers the resend from the log', async () => {
  const leader = await cluster.healthy()
  const ann = await WireClient.connect(cluster.node(leader).url, 'm8-ann', 'phone')
  const first = await send(ann, 'm8-ben', 'm', 'once')
  const conv = first['conv'] as string
  await cluster.kill(leader)
  ann.close()
  const again = await WireClient.connect(cluster.running[0]!.url, 'm8-ann', 'tablet')
  const answer = await eventually(
    () => again.request({ t: 'msg:R', to: 'm8-ben', msgId: 'm', body: 'once' }),
    (one) => one !== null && one.error === undefined,
  )
  expect(answer).toMatchObject({ conv, seq: first['seq'], at: first['at'], duplicate: true })
  expect(await bodiesIn(again, conv)).toEqual(['once'])
  again.close()
})

test('[M-57] a copy is known after eviction, after a restart of all, and after a failover', async () => {
  const ann = await WireClient.connect(cluster.nodes[0]!.url, 'm57-ann', 'phone')
  const first = await send(ann, 'm57-ben', 'm', 'once')
  const conv = first['conv'] as string
  const isFirst = { conv, msgId: 'm', seq: 1, at: first['at'], duplicate: true }
  const filler = 'x'.repeat(20_000)
  for (let at = 0; at < 30; at += 1) await send(ann, 'm57-cy', `fill-${at}`, filler)
  expect(await send(ann, 'm57-ben', 'm', 'once')).toMatchObject(isFirst)
  ann.close()
  await Promise.all(cluster.nodes.map(({ name }) => cluster.kill(name)))
  for (const { name } of cluster.nodes) await cluster.start(name, SMALL)
  const leader = await cluster.healthy()
  const rested = await WireClient.connect(cluster.nodes[1]!.url, 'm57-ann', 'phone')
  expect(await send(rested, 'm57-ben', 'm', 'once')).toMatchObject(isFirst)
  rested.close()
  await cluster.kill(leader)
  await cluster.healthy()
  const last = await WireClient.connect(cluster.running[0]!.url, 'm57-ann', 'phone')
  expect(await send(last, 'm57-ben', 'm', 'once')).toMatchObject(isFirst)
  expect(await bodiesIn(last, conv)).toEqual(['once'])
  last.close()
})

test('[M-64] a follower takes writes and tells of the leader, and of the next one', async () => {
  const name = await follower()
  const client = await WireClient.connect(cluster.node(name).url, 'm64-ann', 'phone')
  const hello = await taken(client, { t: 'ping:R' })
  expect(hello.t).toBe('ping:A')
  const leader = (await cluster.leader())!
  /** The cluster may be between two leaders; a copy of what is stored has the place of the first. */
  const accept = (msgId: string, body: unknown) =>
    eventually(
      () => client.request({ t: 'msg:R', to: 'm64-ben', msgId, body }),
      (answer) => answer !== null && answer.error?.retryable !== true,
    )
  const accepted = await accept('m1', 1)
  expect(accepted).toMatchObject({ t: 'msg:A', seq: 1 })
  await cluster.kill(leader)
  const told = await eventually(
    () => client.pushed.findLast(({ t, leader: now }) => t === 'leader:N' && now !== null),
    (frame) => frame !== undefined && (frame['leader'] as { id: string }).id !== leader,
  )
  const next = told!['leader'] as { id: string; url: string }
  expect(cluster.node(next.id).url).toBe(next.url)
  // The session goes on: the gap is that of the cluster, not a new connection.
  expect(await accept('m2', 2)).toMatchObject({ t: 'msg:A', seq: 2 })
  expect(client.isClosed).toBe(false)
  client.close()
})

test('[M-61] without a majority nothing is acknowledged; what was is there when it comes back', async () => {
  const leader = await cluster.healthy()
  const ann = await WireClient.connect(cluster.node(leader).url, 'm61-ann', 'phone')
  const { conv } = await send(ann, 'm61-ben', 'kept', 'kept')
  const others = cluster.nodes.filter(({ name }) => name !== leader)
  await Promise.all(others.map(({ name }) => cluster.kill(name)))
  const lonely = await ann.request({ t: 'msg:R', to: 'm61-ben', msgId: 'lonely', body: 'lonely' })
  expect(lonely?.error).toMatchObject({ retryable: true })
  for (const { name } of others) await cluster.start(name, SMALL)
  await cluster.healthy()
  const again = await WireClient.connect(cluster.nodes[0]!.url, 'm61-ann', 'tablet')
  await send(again, 'm61-ben', 'lonely', 'lonely')
  expect(await bodiesIn(again, conv as string)).toEqual(['kept', 'lonely'])
  ann.close()
  again.close()
})
