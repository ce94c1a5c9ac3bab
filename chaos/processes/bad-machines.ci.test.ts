// Nodes whose machine lies or was set up wrongly: told by what operators type, and nothing is lost.
import { once } from 'node:events'
import { cp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { parley } from '../../cli/dev/testing/dev-process.ts'
import { WireClient } from '../workload/wire-client.ts'
import { ProcessCluster } from './process-cluster.ts'

const PRELOAD = fileURLToPath(new URL('./preload/other-machine.mjs', import.meta.url))
const NAMES = ['n1', 'n2', 'n3']
const YEAR_MS = 365 * 86_400_000
const PATIENCE = { timeout: 60_000, interval: 200 }
const SAMPLE = ['--sample', '200ms', '--node-timeout', '20s']

let cluster: ProcessCluster

const run = (...args: string[]) => parley(args, cluster.directory)
const machine = (lies: object) => ({
  NODE_OPTIONS: `--import ${PRELOAD}`,
  PARLEY_TEST_MACHINE: JSON.stringify(lies),
})
const start = (name: string, env = {}): Promise<void> => {
  const file = (end: string) => join(cluster.directory, 'certs', end)
  const own = ['--peer-cert-file', file(`${name}.crt`), '--peer-key-file', file(`${name}.key`)]
  return cluster.start(name, { env, flags: [...own, '--peer-ca-file', file('ca.crt')] })
}
const restart = async (name: string, env = {}): Promise<void> => {
  await cluster.signal(name, 'SIGTERM')
  await start(name, env)
}

/** What `parley doctor` finds, `check` or `check of node`. */
async function found(): Promise<string[]> {
  const { stdout } = await run('doctor', '--json', '--url', cluster.node('n1').url, ...SAMPLE)
  const { findings } = JSON.parse(stdout) as { findings: { check: string; node: string | null }[] }
  return findings.map(({ check, node }) => (node === null ? check : `${check} of ${node}`))
}

const finds = (...expected: string[]): Promise<void> =>
  vi.waitFor(async () => expect(await found()).toEqual(expect.arrayContaining(expected)), PATIENCE)

async function say(through: string, ids: readonly string[]) {
  const client = await WireClient.connect(cluster.node(through).url, 'ann', 'a')
  try {
    const answers = []
    for (const id of ids) answers.push(await client.say({ to: 'bob' }, id, `body of ${id}`))
    return answers.map(({ seq, duplicate }) => ({ seq, duplicate: duplicate === true }))
  } finally {
    await client.leave()
  }
}

const stored = (seq: number) => ({ seq, duplicate: false })
const again = (seq: number) => ({ seq, duplicate: true })

beforeAll(async () => {
  cluster = await ProcessCluster.create(3)
  await run('certs', 'init')
  for (const name of NAMES) await run('certs', 'node', name)
  await Promise.all(NAMES.map((name) => start(name)))
  await cluster.healthy()
})
afterAll(() => cluster.close())

test('a certificate that is over keeps its node out, and a new one lets it in without a restart', async () => {
  await cluster.signal('n3', 'SIGTERM')
  await run('certs', 'renew', 'n3', '--days', '0.000001')
  const shown = async () => (await run('certs', 'show', 'certs/n3.crt')).stdout
  await vi.waitFor(async () => expect(await shown()).toContain('expired'), PATIENCE)
  await start('n3')
  await finds('certificate-expires of n3', 'not-ready of n3')
  expect(await cluster.output('n3')).toMatch(/certificate for peers expired .*parley certs renew/)
  expect(await cluster.output('n1')).toMatch(/its certificate \(CN=n3\) has expired: renew it with/)
  expect(await say('n1', ['m1'])).toEqual([stored(1)])
  // A short one again: it is let in, and told to be near its end.
  await run('certs', 'renew', 'n3', '--days', '10')
  cluster.node('n3').process!.kill('SIGHUP')
  await cluster.healthy()
  await finds('certificate-expires of n3')
  await cluster.converged()
})

/** Gives n3 the directory that a cluster of these founders made for it, and its own back in the end. */
async function withDataOf(founders: readonly string[], look: () => Promise<void>): Promise<void> {
  const other = await ProcessCluster.create(3)
  const { data } = cluster.node('n3')
  try {
    await Promise.all(founders.map((name) => other.start(name, { founders })))
    await other.healthy()
    await Promise.all(founders.map((name) => other.kill(name)))
    await cluster.signal('n3', 'SIGTERM')
    await rename(data, `${data}-kept`)
    await cp(other.node('n3').data, data, { recursive: true })
  } finally {
    await other.close()
  }
  await start('n3')
  await look()
  await cluster.kill('n3')
  await rm(data, { recursive: true })
  await rename(`${data}-kept`, data)
  await start('n3')
  await cluster.healthy()
  await cluster.converged()
}

test('the data of another cluster is let in nowhere, and left as it is', () =>
  withDataOf(NAMES, async () => {
    const advice = /n\d belongs to cluster \w+, n3 to \w+: .*the data directory of this cluster/
    await vi.waitFor(async () => expect(await cluster.output('n3')).toMatch(advice), PATIENCE)
    const status = await run('status', '--url', cluster.node('n1').url)
    expect(status).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('is of another cluster'),
    })
    expect(await say('n1', ['m1', 'm2'])).toEqual([again(1), stored(2)])
  }))

test('[K1] nor does it serve clients where it needs nobody else to lead', () =>
  withDataOf(['n3'], async () => {
    const { url } = cluster.node('n3')
    const ready = async () => (await fetch(new URL('/readyz', url))).text()
    const advice = /refused: n1 and n2 are of cluster \w+, .* start n3 with its own/
    await vi.waitFor(async () => expect(await ready()).toMatch(advice), PATIENCE)
    const words = ['send', '--as', 'dora', '--to', 'bob', '--json']
    const there = await run(...words, '--url', url, '--id', 'x1', '--timeout', '1s', 'lost?')
    expect(there.code).not.toBe(0)
    const post = await fetch(new URL('/v1/conversations?user=ann', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'x2' },
      body: JSON.stringify({ members: ['bob'] }),
    })
    expect(post.status).toBe(503)
    // A client that knows the others as well finds them, and its message is where the rest is.
    const home = cluster.node('n1').url
    const seqs: number[] = []
    for (const urls of [`${url},${home}`, home]) {
      const { code, stdout, stderr } = await run(...words, '--url', urls, '--id', 'd1', 'here')
      expect(code, stderr).toBe(0)
      seqs.push((JSON.parse(stdout) as { seq: number }).seq)
    }
    expect(seqs).toEqual([1, 1])
    expect((await run('status', '--url', url)).code).toBe(3)
  }))

test('[DR1] a client that never leaves keeps no node that is to end', async () => {
  const socket = new WebSocket(
    `${cluster.node('n3').url.replace('http', 'ws')}/v1/ws`,
    'parley.v1.json',
  )
  await once(socket, 'open')
  const answered = once(socket, 'message')
  socket.send(JSON.stringify({ t: 'hello:R', id: 1, v: [1, 1], user: 'eve', device: 'e' }))
  expect(String((await answered)[0])).toContain('hello:A')
  // From here on it reads nothing and answers nothing, not even that the connection closes.
  socket.pause()
  await cluster.signal('n3', 'SIGTERM')
  expect(cluster.node('n3').exit).toEqual({ code: 0, signal: null })
  expect(await cluster.output('n3')).not.toContain('node.drain.limit')
  socket.terminate()
  await start('n3')
  await cluster.healthy()
})

test('[DR1] a second SIGTERM ends a node that drains at once', async () => {
  const drains = async () => (await cluster.output('n3')).split('"node.drain"').length
  const before = await drains()
  const client = await WireClient.connect(cluster.node('n3').url, 'eve', 'e')
  // Nobody answers what it says, and it is not sent away before that is sure.
  for (const name of ['n1', 'n2']) await cluster.signal(name, 'SIGSTOP')
  try {
    const unanswered = client.say({ to: 'bob' }, 'e1', 'who hears this?').catch(() => null)
    const child = cluster.node('n3').process!
    child.kill('SIGTERM')
    await vi.waitFor(async () => expect(await drains()).toBeGreaterThan(before), {
      ...{ timeout: 60_000, interval: 20 },
    })
    // Within half a second it would be taken for the first one's echo.
    await sleep(600)
    child.kill('SIGTERM')
    expect(await cluster.ended('n3')).toEqual({ code: 1, signal: null })
    expect((await cluster.output('n3')).split('"phase":"drained"')).toHaveLength(
      (await cluster.output('n3')).split('"phase":"leadership"').length - 1,
    )
    await unanswered
  } finally {
    for (const name of ['n1', 'n2']) await cluster.signal(name, 'SIGCONT')
  }
  await start('n3')
  await cluster.healthy()
})

test('a clock a year ahead, a disk that fills up and another version are told, and order and retries hold', async () => {
  await restart('n3', machine({ clockOffMs: YEAR_MS, freeShare: 0.05, version: '0.0.9' }))
  await cluster.healthy()
  await finds('clock-off of n3', 'disk-low of n3', 'versions-differ')
  expect((await run('transfer', 'n3', '--url', cluster.node('n1').url)).code).toBe(0)
  expect(await say('n1', ['m2', 'm3'])).toEqual([again(2), stored(3)])
  await restart('n3')
  await cluster.healthy()
  expect(await say('n3', ['m3', 'm4'])).toEqual([again(3), stored(4)])
})

test('a whole cluster, or a client, with its clock a year back loses and doubles nothing', async () => {
  for (const clockOffMs of [-YEAR_MS, 0]) {
    await Promise.all(NAMES.map((name) => restart(name, machine({ clockOffMs }))))
    await cluster.healthy()
    const next = clockOffMs === 0 ? 6 : 5
    const ids = [`m${next - 1}`, `m${next}`]
    expect(await say('n2', ids)).toEqual([again(next - 1), stored(next)])
  }
  const lies = machine({ clockOffMs: -YEAR_MS })
  for (const [name, value] of Object.entries(lies)) vi.stubEnv(name, value)
  try {
    const words = ['--as', 'cleo', '--to', 'bob', '--url', cluster.node('n1').url, '--json']
    const twice = [await run('send', ...words, '--id', 'c1', 'hi')]
    twice.push(await run('send', ...words, '--id', 'c1', 'hi'))
    expect(twice.map(({ code }) => code)).toEqual([0, 0])
    const seqs = twice.map(({ stdout }) => (JSON.parse(stdout) as { seq: number }).seq)
    expect(seqs).toEqual([1, 1])
  } finally {
    vi.unstubAllEnvs()
  }
})
