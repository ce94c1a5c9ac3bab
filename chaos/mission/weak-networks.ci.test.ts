import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChatClient, type ClientPorts, defaultPorts } from '#client'
import { FrameRelay } from '../processes/frame-relay.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'
import { readAll } from './mission-clients.ts'

const MESSAGES = 20
let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(() => cluster.close())

test('[M-21] three of ten frames lost and a round trip of two seconds: nothing lost, nothing doubled', async () => {
  const relays = await Promise.all(cluster.nodes.map(({ url }) => FrameRelay.to(url, 1_000)))
  for (const relay of relays) relay.filter = () => Math.random() >= 0.3
  /** Every node as it names itself is reached through its relay. */
  const openSocket: ClientPorts['openSocket'] = (url, subprotocol) => {
    const at = cluster.nodes.findIndex((node) => url.includes(new URL(node.url).host))
    const through = url.replace(new URL(cluster.nodes[at]!.url).host, new URL(relays[at]!.url).host)
    return defaultPorts().openSocket(through, subprotocol)
  }
  const options = { urls: cluster.nodes.map(({ url }) => url), connectTimeoutMs: 60_000 }
  const connect = (user: string) =>
    ChatClient.connect({
      ...options,
      user,
      device: 'phone',
      ports: { ...defaultPorts(), openSocket },
    })
  const [ann, ben] = await Promise.all([connect('ann'), connect('ben')])
  try {
    const seen: unknown[] = []
    // From its cursor, so that it does not matter when the stream has begun.
    void (async () => {
      for await (const { body } of ben.messages({ after: 'cursor' })) seen.push(body)
    })()
    const room = ann.direct('ben')
    const bodies = Array.from({ length: MESSAGES }, (_, at) => `message ${at}`)
    const sent = await Promise.all(bodies.map((body) => room.send(body).sent))
    await expect.poll(() => seen.length, { timeout: 180_000 }).toBeGreaterThanOrEqual(MESSAGES)
    expect(seen).toEqual(bodies)
    const conv = sent[0]!.conversation
    const reader = await WireClient.connect(cluster.nodes[0]!.url, 'ben', 'reader')
    const stored = (await readAll(reader, conv)).flatMap(({ events }) => events)
    expect(stored.map(({ body }) => body)).toEqual(bodies)
    reader.close()
    const lost = relays.reduce((sum, relay) => sum + relay.lost, 0)
    expect(lost).toBeGreaterThan(MESSAGES / 2)
  } finally {
    ann.close()
    ben.close()
    for (const relay of relays) relay.close()
  }
})
