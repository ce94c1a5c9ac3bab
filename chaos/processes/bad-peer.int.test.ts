// What the peer port must survive and say: strangers, wrong introductions, damage.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'
import { frame, HELLO, type PeerAnswer, PING, PONG, RAFT, REFUSED, sayToPeer } from './raw-peer.ts'
import { WireClient } from '../workload/wire-client.ts'

let cluster: ProcessCluster
let pids: (number | undefined)[]
let clusterId: string
let epoch: string
const said: string[] = []

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
  pids = cluster.nodes.map(({ process: child }) => child?.pid)
  const state = (await cluster.state('n1')) as unknown as { clusterId: string; epoch: string }
  clusterId = state.clusterId
  epoch = state.epoch
})
afterAll(() => cluster.close())

const hello = (more: object = {}) => ({
  protocol: { min: 1, max: 1 },
  features: { version: '', levels: { min: 1, max: 2 }, level: 1 },
  ...{ clusterId, epoch, raftId: '00000000deadbeef', name: 'n9' },
  ...more,
})

const say = (
  node: string,
  bytes: Uint8Array,
  until: { readonly waitMs?: number; readonly enough?: number } = {},
): Promise<PeerAnswer> => sayToPeer(cluster.node(node).peerAddress, bytes, until)

/** Lines of a node's log since `from`, parsed. */
async function linesSince(node: string, from: number): Promise<Record<string, unknown>[]> {
  // What was said has its line after the answer went out.
  await sleep(100)
  const output = (await cluster.output(node)).slice(from)
  return output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
}

const lengthOfLog = async (node: string) => (await cluster.output(node)).length

async function stillWorks(): Promise<void> {
  const client = await WireClient.connect(cluster.node('n1').url, 'alice', 'a')
  const msgId = `m${said.length}`
  await client.say({ to: 'bob' }, msgId, msgId)
  said.push(msgId)
  await client.leave()
}

describe('a wrong introduction is refused with what to do, in one line of the log', () => {
  test.each([
    ['another cluster', { clusterId: 'f'.repeat(32) }, 'WRONG_CLUSTER', /belongs to cluster f+/],
    ['another epoch', { epoch: '0'.repeat(16) }, 'WRONG_EPOCH', /members replace n9/],
    ['a newer protocol', { protocol: { min: 3, max: 4 } }, 'VERSION', /upgrade the older node/],
    [
      'levels above what this one can do',
      { features: { version: '9.0.0', levels: { min: 1, max: 99 }, level: 99 } },
      'VERSION',
      /older version after the upgrade was finalized/,
    ],
    ['an older protocol', { protocol: { min: 0, max: 0 } }, 'VERSION', /upgrade the older node/],
  ])('%s', async (_, more, code, words) => {
    const from = await lengthOfLog('n2')
    const twice = Buffer.concat([frame(HELLO, hello(more)), frame(HELLO, hello(more))])
    const { frames, ended } = await say('n2', twice)
    expect(ended).toBe(true)
    expect(frames).toHaveLength(1)
    expect(frames[0]!.kind).toBe(REFUSED)
    expect(JSON.parse(frames[0]!.body)).toMatchObject({
      code,
      message: expect.stringMatching(words),
    })
    const lines = await linesSince('n2', from)
    expect(lines.filter(({ event }) => event === 'peer.refused')).toHaveLength(1)
    await stillWorks()
  })

  test.each([
    ['the node itself', 'n2', 'WRONG_PEER', /itself/],
    ['another member', 'n3', 'WRONG_NAME', /n9 gives the Raft id of n3/],
  ])('the Raft id of %s', async (_, owner, code, words) => {
    const id = (await cluster.state('n2'))!.members.find(({ name }) => name === owner)!.id
    const raftId = /^[0-9a-f]{16}$/.test(id) ? id : BigInt(id).toString(16).padStart(16, '0')
    const { frames, ended } = await say('n2', frame(HELLO, hello({ raftId })))
    expect(ended).toBe(true)
    expect(frames).toHaveLength(1)
    const message = expect.stringMatching(words) as string
    expect(JSON.parse(frames[0]!.body)).toMatchObject({ code, message })
    await stillWorks()
  })

  test('a peer that keeps coming with the wrong introduction does not fill the log', async () => {
    const from = await lengthOfLog('n3')
    const wrong = frame(HELLO, hello({ clusterId: 'e'.repeat(32) }))
    await Promise.all(Array.from({ length: 30 }, () => say('n3', wrong)))
    const lines = await linesSince('n3', from)
    expect(lines.filter(({ event }) => event === 'peer.refused')).toHaveLength(1)
  })
})

describe('what is no introduction ends the connection', () => {
  const malformed: readonly [string, () => Uint8Array][] = [
    ['text', () => Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an endless length', () => Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3])],
    ['a length of nothing', () => Buffer.alloc(64)],
    ['a wrong checksum', () => frame(HELLO, hello()).map((byte, at) => (at === 5 ? ~byte : byte))],
    ['no JSON', () => frame(HELLO, Buffer.from('{"protocol":'))],
    ['null', () => frame(HELLO, Buffer.from('null'))],
    ['nothing in it', () => frame(HELLO, {})],
    ['a Raft id that is none', () => frame(HELLO, hello({ raftId: 'zz' }))],
    ['a name that is none', () => frame(HELLO, hello({ name: 7 }))],
    ['a frame before it', () => frame(RAFT, Buffer.alloc(100))],
    ['an unknown kind before it', () => frame(200, Buffer.alloc(10))],
  ]
  test.each(malformed)('%s', async (_, bytes) => {
    const { frames, ended } = await say('n1', bytes())
    expect(ended).toBe(true)
    expect(frames).toEqual([])
    expect(await cluster.output('n1')).toContain('"event":"peer.protocol"')
  })

  test('nothing at all: given up after three seconds', async () => {
    const { ended } = await say('n1', Buffer.alloc(0))
    expect(ended).toBe(true)
    await stillWorks()
  })
})

test('damage behind a good introduction ends that connection alone', async () => {
  const good = frame(HELLO, hello())
  const greeted = Buffer.concat([good, frame(PING, Buffer.alloc(0))])
  const { frames, ended } = await say('n1', greeted, { enough: 2 })
  expect(frames.map(({ kind }) => kind)).toEqual([HELLO, PONG])
  expect(ended).toBe(false)
  for (let seed = 0; seed < 200; seed += 1) {
    const kind = seed % 16
    const body = Buffer.from(
      Array.from({ length: seed % 60 }, (_, at) => (seed * 31 + at * 7) % 256),
    )
    await say('n1', Buffer.concat([good, frame(kind, body), Buffer.from('garbage')]), {
      waitMs: 20,
    })
  }
  await stillWorks()
})

test('after all of it every node runs, is ready, and nothing is lost', async () => {
  expect(cluster.nodes.map(({ process: child }) => child?.pid)).toEqual(pids)
  await cluster.healthy()
  await cluster.converged()
  const reader = await WireClient.connect(cluster.node('n3').url, 'alice', 'reader')
  const { conv } = await reader.say({ to: 'bob' }, 'last', 'last')
  const page = await reader.ask({ t: 'pull:R', conv, after: 0, limit: 100 })
  expect(page.events.map(({ msgId }: { msgId: string }) => msgId)).toEqual([...said, 'last'])
  expect((await cluster.state('n1'))!.members).toHaveLength(3)
  for (const { name } of cluster.nodes) {
    const output = await cluster.output(name)
    expect(output).not.toMatch(/"level":"(error|fatal)"|"level":[56]0|\n\s+at /)
  }
})
