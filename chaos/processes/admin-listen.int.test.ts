// Operators on an address of their own.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { main } from '../../cli/main.ts'
import { WireClient } from '../workload/wire-client.ts'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { ProcessCluster } from './process-cluster.ts'

const OPERATORS = ['/metrics', '/v1/cluster', '/v1/cluster/settings', '/v1/cluster/erasures']
const CLIENTS = ['/v1/conversations?user=ann']
const BOTH = ['/livez', '/readyz', '/openapi.json']

let cluster: ProcessCluster
let clients: string
let operators: string

beforeAll(async () => {
  cluster = await ProcessCluster.create(1)
  const [port] = await freePorts(1)
  operators = `http://127.0.0.1:${port}`
  clients = cluster.node('n1').url
  await cluster.startAll({ flags: ['--admin-listen', `127.0.0.1:${port}`] })
  for (;;) {
    const answer = await fetch(`${operators}/readyz`).catch(() => null)
    if (answer?.status === 200) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
})
afterAll(() => cluster.close())

const statusOf = async (url: string): Promise<number> => (await fetch(url)).status

test('[AD9] each address serves what is its own, both say how the node is', async () => {
  for (const path of [...OPERATORS, ...BOTH]) {
    expect([path, await statusOf(`${operators}${path}`)]).toEqual([path, 200])
  }
  for (const path of [...CLIENTS, ...BOTH]) {
    expect([path, await statusOf(`${clients}${path}`)]).toEqual([path, 200])
  }
  for (const path of OPERATORS) {
    expect([path, await statusOf(`${clients}${path}`)]).toEqual([path, 404])
  }
  for (const path of CLIENTS) {
    expect([path, await statusOf(`${operators}${path}`)]).toEqual([path, 404])
  }
  for (const [url, paths] of [
    [operators, OPERATORS],
    [clients, ['/v1/conversations']],
  ] as [string, string[]][]) {
    const described = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object }
    const known = Object.keys(described.paths)
    expect(known).toEqual(expect.arrayContaining(paths))
    expect(known.includes('/metrics')).toBe(url === operators)
  }
})

test('[AD9] clients connect to theirs alone; commands work with the other', async () => {
  await expect(WireClient.open(operators)).rejects.toThrow('HTTP 404')
  const client = await WireClient.connect(clients, 'ann', 'a1')
  await client.say({ to: 'bob' }, 'm1', 'hi')
  await client.leave()
  expect(await main(['status', '--url', operators])).toBe(0)
  // A foreign page may not call it either.
  const headers = { origin: 'https://evil.example' }
  expect((await fetch(`${operators}/v1/cluster`, { headers })).status).toBe(403)
})

test('[AD9] an address that is taken stops the start with a sentence', async () => {
  await cluster.signal('n1', 'SIGTERM')
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  await cluster.start('n1', { flags: ['--admin-listen', `127.0.0.1:${port}`] })
  expect((await cluster.ended('n1', 30_000)).code).toBe(1)
  expect(await cluster.output('n1')).toMatch(/cannot listen on 127/)
  other.close()
})
