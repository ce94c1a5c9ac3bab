// Push to the absent on real nodes, judged by a webhook that takes the calls.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PushDevice } from '#client/push'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'
import { eventually, taken } from './mission-clients.ts'
import { PushReceiver } from './push-receiver.ts'

const SECRET = 'a secret of more than thirty-two bytes'
/** Longer than a device that left is taken for one that may be back at once. */
const AWAY_MS = 4_000
let cluster: ProcessCluster
let receiver: PushReceiver
let flags: string[]

beforeAll(async () => {
  receiver = await PushReceiver.start(SECRET)
  cluster = await ProcessCluster.create(3)
  const secretFile = join(cluster.directory, 'push-secret')
  await writeFile(secretFile, SECRET)
  flags = ['--push-webhook-url', receiver.url, '--push-webhook-secret-file', secretFile]
  await cluster.startAll({ flags })
  await cluster.healthy()
})

afterAll(async () => {
  await cluster.close()
  receiver.close()
})

const urlOf = (at: number) => cluster.nodes[at]!.url
let count = 0

/** As an application on the device says it. */
const subscribe = (user: string, device: string) =>
  new PushDevice({ urls: [urlOf(1)], user, device }).subscribeWebhook(`token-${device}`)

/** As a service without a session says it, at any node that has a leader. */
async function say(from: string, to: string, node = cluster.running[0]!): Promise<void> {
  const alice = await WireClient.connect(node.url, from, `${from}-sends`)
  count += 1
  await taken(alice, { t: 'msg:R', to, msgId: `m${count}`, body: 'hi' })
  alice.close()
}

test('[M-15] once per absence, for a device that is away; none for one that is there', async () => {
  await subscribe('bob', 'b-away')
  await subscribe('bob', 'b-here')
  const here = await WireClient.connect(urlOf(2), 'bob', 'b-here')
  await sleep(AWAY_MS)
  for (let i = 0; i < 3; i += 1) await say('alice', 'bob')
  await eventually(
    () => receiver.of('bob'),
    (calls) => calls.length > 0,
  )
  await sleep(AWAY_MS)
  expect(receiver.of('bob')).toEqual([
    { user: 'bob', device: 'b-away', token: 'token-b-away', key: receiver.calls[0]!.key },
  ])

  // It comes, takes what there is, and goes: what comes then is another absence.
  const back = await WireClient.connect(urlOf(0), 'bob', 'b-away')
  const page = await taken(back, { t: 'sync:R', after: 0, limit: 100 })
  await taken(back, { t: 'ack:R', acks: [], inbox: page['next'] })
  await say('alice', 'bob')
  await sleep(AWAY_MS)
  expect(receiver.of('bob'), 'it is there').toHaveLength(1)
  back.close()
  await eventually(
    () => receiver.of('bob'),
    (calls) => calls.length > 1,
  )
  await sleep(AWAY_MS)
  const [first, second, ...more] = receiver.of('bob')
  expect(more).toEqual([])
  expect(second!.device).toBe('b-away')
  expect(second!.key).not.toBe(first!.key)
  expect(receiver.wrong).toEqual([])
  here.close()
})

test('[M-15] a leader killed in the midst of a call repeats it at most once, with the same key', async () => {
  await subscribe('carol', 'c-away')
  await sleep(AWAY_MS)
  const leader = await cluster.healthy()
  receiver.silent = true
  await say(
    'alice',
    'carol',
    cluster.nodes.find(({ name }) => name !== leader)!,
  )
  await eventually(
    () => receiver.of('carol'),
    (calls) => calls.length > 0,
  )
  receiver.silent = false
  await cluster.kill(leader)
  await eventually(
    () => receiver.of('carol'),
    (calls) => calls.length > 1,
    40_000,
  )
  // And a failover after its end repeats nothing.
  await cluster.start(leader, { flags })
  await cluster.healthy()
  const next = (await cluster.leader())!
  await cluster.kill(next)
  await say('alice', 'dave')
  await cluster.start(next, { flags })
  await cluster.healthy()
  await sleep(12_000)
  const keys = receiver.of('carol').map(({ key }) => key)
  expect(keys).toEqual([keys[0], keys[0]])
  expect(receiver.wrong).toEqual([])
})
