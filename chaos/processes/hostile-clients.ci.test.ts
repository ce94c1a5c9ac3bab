// Clients that take more than they may, over real sockets, while one that does not is served.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { WebSocket } from 'ws'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { ProcessCluster } from './process-cluster.ts'
import { TOKEN_SECRET, tokenOf } from './token-of.ts'

const PATIENCE = { timeout: 40_000, interval: 100 }
const FAR = '203.0.113.7'
/** From behind a proxy on this machine, so that there are addresses to tell apart. */
const from = (address: string) => ({ 'x-forwarded-for': address })

let cluster: ProcessCluster
let url: string
let well: WireClient
const sockets: Socket[] = []

beforeAll(async () => {
  cluster = await ProcessCluster.create(1)
  const config = join(cluster.directory, 'node.yaml')
  await writeFile(
    config,
    `trustedProxies: 127.0.0.0/8
maxConnectionsPerAddress: 2
connectionRate: 4
requestRate: 20
frameRate: 50
byteRate: 256KiB
helloTimeout: 1s
`,
  )
  await cluster.startAll({ tokenSecret: TOKEN_SECRET, flags: ['--config', config] })
  await cluster.healthy()
  url = cluster.node('n1').url
  well = await WireClient.connect(url, 'ann', 'a')
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await well.leave()
  await cluster.close()
})

const webSocket = (address: string) =>
  new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'parley.v1.json', { headers: from(address) })

/** 101 or what the upgrade was refused with. */
function upgraded(client: WebSocket): Promise<number> {
  return new Promise((resolve) => {
    client.once('open', () => resolve(101))
    client.once('unexpected-response', (_, response) => {
      resolve(response.statusCode ?? 0)
      response.resume()
    })
    client.on('error', () => {})
  })
}

/** The close code and what was told last. */
function ended(client: WebSocket): Promise<{ code: number; told: Record<string, unknown> }> {
  let told: Record<string, unknown> = {}
  client.on('message', (data) => {
    const frames = JSON.parse((data as Buffer).toString()) as Record<string, unknown>[]
    told = [frames].flat().at(-1) ?? {}
  })
  return new Promise((resolve) => client.once('close', (code) => resolve({ code, told })))
}

const stillServed = async (msgId: string) => {
  expect(await well.say({ to: 'bob' }, msgId, 'hi')).toMatchObject({ msgId })
}

const refusals = async (limit: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = new RegExp(`^parley_client_refusals_total\\{limit="${limit}"\\} (\\d+)$`, 'm')
  return Number(line.exec(text)?.[1])
}

test('[GW19] connections of one address are bounded, and so is the time without a hello', async () => {
  const clients = Array.from({ length: 4 }, () => webSocket(FAR))
  const ends = clients.map(ended)
  const codes = await Promise.all(clients.map(upgraded))
  expect(codes.toSorted((a, b) => a - b)).toEqual([101, 101, 429, 429])
  expect(await upgraded(webSocket('203.0.113.8'))).toBe(101)
  for (const [at, end] of ends.entries()) {
    if (codes[at] === 101) expect(await end).toMatchObject({ code: 1008 })
  }
  expect(await refusals('address_connections')).toBe(2)
  await stillServed('m1')
})

test('[GW19] connections and calls of one address come at a bounded rate', async () => {
  const calls = await Promise.all(
    Array.from({ length: 40 }, () => fetch(`${url}/livez`, { headers: from('203.0.113.9') })),
  )
  const refused = calls.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThan(5)
  expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await refused[0]!.json()).toMatchObject({ code: 'RATE_LIMITED', retryable: true })
  await vi.waitFor(async () => {
    const client = webSocket('203.0.113.10')
    await upgraded(client)
    client.terminate()
    expect(await refusals('connection_rate')).toBeGreaterThan(0)
  }, PATIENCE)
  await stillServed('m2')
})

test.each([
  ['frames', 'frame_rate', () => JSON.stringify({ t: 'ping:R', id: 1 }), 3_000],
  ['bytes', 'byte_rate', () => JSON.stringify({ t: 'x', id: 1, pad: 'x'.repeat(200_000) }), 30],
])('[GW28] a flood of %s is refused, told, and ended', async (_, limit, frame, count) => {
  const client = webSocket(`203.0.113.${20 + limit.length}`)
  expect(await upgraded(client)).toBe(101)
  const end = ended(client)
  client.send(
    JSON.stringify({
      t: 'hello:R',
      id: 0,
      v: [1, 1],
      token: tokenOf({ sub: 'eve' }),
      device: limit,
    }),
  )
  await once(client, 'message')
  for (let at = 0; at < count; at += 1) client.send(frame())
  const { code, told } = await end
  expect({ code, told }).toMatchObject({
    code: 1013,
    told: { t: 'error:N', error: { code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) } },
  })
  expect(await refusals(limit)).toBeGreaterThan(0)
  await stillServed(`flood-${limit}`)
})

test('a call that comes drop by drop is ended, and so is a socket that says nothing', async () => {
  const { hostname, port } = new URL(url)
  const slow = connect(Number(port), hostname)
  const silent = connect(Number(port), hostname)
  sockets.push(slow, silent)
  await Promise.all([once(slow, 'connect'), once(silent, 'connect')])
  slow.write('GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n')
  const dripping = setInterval(() => slow.write('x-a: b\r\n'), 200)
  for (const socket of [slow, silent]) socket.on('error', () => {}).resume()
  await Promise.all([once(slow, 'close'), once(silent, 'close')])
  clearInterval(dripping)
  await stillServed('m3')
})
