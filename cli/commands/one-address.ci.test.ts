// An operator whose machine reaches one node of three, as where each has an address for operators of its own.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { ProcessCluster } from '../../chaos/processes/process-cluster.ts'
import { untar } from '../debug/tar.ts'
import { parley } from '../dev/testing/dev-process.ts'

const PATIENT = ['--node-timeout', '20s']

let cluster: ProcessCluster
let directory: string
let first: string

const ask = (command: string, ...args: string[]) =>
  parley([command, '--url', first, ...PATIENT, ...args], directory)
const get = async (path: string) => {
  const response = await fetch(new URL(path, first))
  return { status: response.status, text: await response.text() }
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-one-address-'))
  cluster = await ProcessCluster.create(3)
  const ports = await freePorts(3)
  first = `http://127.0.0.1:${ports[0]}`
  await Promise.all(
    cluster.nodes.map(({ name }, at) =>
      cluster.start(name, { flags: ['--admin-listen', `127.0.0.1:${ports[at]}`] }),
    ),
  )
  const isReady = async () => {
    if ((await get('/readyz')).status !== 200) throw new Error('n1 is not ready')
  }
  await vi.waitFor(isReady, { timeout: 60_000, interval: 50 })
}, 120_000)
afterAll(async () => {
  await cluster?.close()
  await rm(directory, { recursive: true, force: true })
})

test('status shows every node, and through whom it knows', async () => {
  const { code, stdout } = await ask('status', '--wait', 'healthy')
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^HEALTHY/) })
  expect(stdout).toMatch(/^n1 +voter +(leader|follower) +[^\n]*free \(\d+ %\) +0$/m)
  for (const name of ['n2', 'n3']) {
    const row = new RegExp(
      `^${name} +voter +(leader|follower) .*reached through n1 only, http`,
      'm',
    )
    expect(stdout).toMatch(row)
  }
  const said = JSON.parse((await ask('status', '--wait', 'healthy', '--json')).stdout) as {
    nodes: object[]
  }
  expect(said.nodes).toMatchObject([
    { name: 'n1', up: true, through: null },
    { name: 'n2', up: true, ready: true, through: 'n1' },
    { name: 'n3', up: true, ready: true, through: 'n1' },
  ])
})

test('doctor examines every node, and a bundle holds all of them', async () => {
  const said = await ask('doctor', '--json', '--sample', '200ms')
  const { missing, findings } = JSON.parse(said.stdout) as {
    missing: string[]
    findings: { check: string }[]
  }
  expect(missing).toEqual([])
  expect(findings.map(({ check }) => check)).not.toContain('node-down')
  const file = join(directory, 'bundle.tar.gz')
  const made = await ask('debug', '--output', file, '--sample', '200ms')
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/ · n1, n2, n3\n$/) })
  expect(made.stderr).not.toContain('not in it')
  const files = new Map(
    untar(gunzipSync(await readFile(file))).map(({ name, content }) => [
      name,
      Buffer.from(content).toString(),
    ]),
  )
  for (const name of ['n1', 'n2', 'n3']) {
    expect(files.get(`log/${name}.ndjson`)).toContain('"event":"node.started"')
    expect(files.get('capture.json')).toContain(`parley_node_info{node=\\"${name}\\"`)
  }
  expect((await parley(['status', '--bundle', file], directory)).stdout).toContain('through n1')
})

test('a message is followed on every node', async () => {
  const message = ['--as', 'ann', '--to', 'bob', '--id', 'm1', '--json', 'hi']
  const sent = await parley(['send', '--url', cluster.nodes[0]!.url, ...message], directory)
  const { conversation } = JSON.parse(sent.stdout) as { conversation: string }
  const words = ['m1', '--conversation', conversation, '--as', 'ann']
  const text = async () => (await ask('trace', ...words)).stdout
  await expect.poll(text, { timeout: 30_000 }).toMatch(/^n3 +yes +yes .*reached through n1 only$/m)
  expect(await text()).toMatch(/^n1 +yes +yes +\d+$/m)
  const { stdout } = await ask('trace', '--json', ...words)
  expect((JSON.parse(stdout) as { nodes: object[] }).nodes).toMatchObject([
    { node: 'n1', through: null, trace: { found: true, seq: 1 } },
    { node: 'n2', through: 'n1', trace: { found: true, seq: 1 } },
    { node: 'n3', through: 'n1', trace: { found: true, seq: 1 } },
  ])
})

test('[AD26] a node tells what another one says of itself', async () => {
  const view = await get('/v1/cluster/nodes/n2')
  expect(JSON.parse(view.text)).toMatchObject({ node: 'n2', ready: true })
  expect(JSON.parse((await get('/v1/cluster/nodes/n1')).text)).toMatchObject({ node: 'n1' })
  const self = JSON.parse((await get('/v1/cluster/nodes/n2/self')).text) as { settings: object }
  expect(self.settings).toMatchObject({ name: 'n2' })
  const { lines } = JSON.parse((await get('/v1/cluster/nodes/n3/log?limit=2')).text) as {
    lines: string[]
  }
  expect(lines).toHaveLength(2)
  expect(JSON.parse(lines[0]!)).toMatchObject({ node: 'n3' })
  expect((await get('/v1/cluster/nodes/n3/log?limit=0')).status).toBe(400)
  const metrics = await get('/v1/cluster/nodes/n2/metrics')
  expect(metrics.text).toMatch(/^parley_node_info\{node="n2"/m)
  // Far from what an answer between nodes may hold: a member more adds 1 %.
  expect(JSON.stringify(metrics.text).length).toBeLessThan(200_000)
  expect(await get('/v1/cluster/nodes/n9')).toMatchObject({
    ...{ status: 404, text: expect.stringContaining('UNKNOWN_MEMBER') },
  })
})

test('who is down is down here too, and the reason is the one that counts', async () => {
  await cluster.kill('n3')
  await expect
    .poll(async () => (await get('/v1/cluster/nodes/n3')).status, { timeout: 30_000 })
    .toBe(503)
  const { code, stdout } = await ask('status', '--json')
  expect(code).toBe(3)
  const said = JSON.parse(stdout) as { verdict: string; nodes: object[] }
  expect(said.nodes).toMatchObject([
    { name: 'n1', up: true },
    { name: 'n2', up: true, through: 'n1' },
    { name: 'n3', up: false, state: 'down', through: null },
  ])
})
