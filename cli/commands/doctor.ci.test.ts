// What an operator types while real nodes are in trouble.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from '../../chaos/processes/process-cluster.ts'
import { untar } from '../debug/tar.ts'
import { parley } from '../dev/testing/dev-process.ts'

const BODY = 'what-nobody-but-bob-may-read'
const SECRET = randomBytes(24).toString('hex')
/** Reading of ten seconds is no fault of a machine that others use as well. */
const PATIENT = ['--node-timeout', '20s']

let cluster: ProcessCluster
let directory: string
const tokens: Record<string, string> = {}

const path = (name: string): string => join(directory, name)
const run = (...args: string[]) => parley(args, directory)
const ask = (command: string, ...args: string[]) => {
  const where = ['--token-file', path('admin'), '--url', cluster.nodes[0]!.url]
  return run(command, ...where, ...PATIENT, ...args)
}

interface Report {
  readonly verdict: string
  readonly findings: { check: string; severity: string; node: string | null; evidence: string }[]
}

async function examined(...args: string[]): Promise<Report & { code: number | null }> {
  const { code, stdout } = await ask('doctor', '--json', '--sample', '200ms', ...args)
  return { ...(JSON.parse(stdout) as Report), code }
}

async function token(name: string, ...words: string[]): Promise<void> {
  const { stdout } = await run('token', '--key', path('secret'), '--user', name, ...words)
  tokens[name] = stdout.trim()
  await writeFile(path(name), stdout, { mode: 0o600 })
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-doctor-'))
  await writeFile(path('secret'), `${SECRET}\n`, { mode: 0o600 })
  await token('admin', '--role', 'admin')
  await token('ann')
  cluster = await ProcessCluster.create(3)
  cluster.headers = () => ({ authorization: `Bearer ${tokens['admin']}` })
  await cluster.startAll({ dev: false, flags: ['--token-secret-file', path('secret')] })
  await cluster.healthy()
})

afterAll(async () => {
  await cluster.close()
  await rm(directory, { recursive: true, force: true })
})

test('a message is followed over all nodes, and its body is nowhere', async () => {
  const words = ['--token-file', path('ann'), '--to', 'bob', '--id', 'm-1', '--json', BODY]
  const sent = await run('send', ...words, '--url', cluster.nodes[0]!.url)
  const { conversation } = JSON.parse(sent.stdout) as { conversation: string }
  await cluster.converged()
  const traced = await ask('trace', 'm-1', '--conversation', conversation, '--as', 'ann')
  expect(traced).toMatchObject({ code: 0, stderr: '' })
  expect(traced.stdout).toMatch(/^message m-1 of ann \(.+\) · d_\S+ · seq 1\n/)
  expect(traced.stdout).toMatch(/log +index \d+, term \d+\n/)
  expect(traced.stdout.match(/^n\d +yes +yes +\d+$/gm)).toHaveLength(3)
  expect(traced.stdout).not.toContain(BODY)
  const unknown = await ask('trace', 'm-2', '--conversation', conversation, '--as', 'ann')
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('no such message') })
})

test('a healthy cluster has no critical finding; its bundle holds no secret and no message', async () => {
  const healthy = await examined()
  expect(healthy).toMatchObject({ code: 0, verdict: 'healthy' })
  const file = path('bundle.tar.gz')
  const made = await ask('debug', '--output', file, '--sample', '200ms')
  expect(made).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^wrote .* · n1, n2, n3\n$/),
  })
  const files = untar(gunzipSync(await readFile(file)))
  const text = files.map(({ content }) => Buffer.from(content).toString()).join('\n')
  expect(text).toContain('node.started')
  expect(text).toContain('parley_raft_term')
  for (const hidden of [SECRET, BODY, ...Object.values(tokens)]) expect(text).not.toContain(hidden)
  const status = await run('status', '--bundle', file)
  expect(status).toMatchObject({ code: 0, stdout: expect.stringMatching(/^HEALTHY · can lose 1/) })
  expect((await run('doctor', '--bundle', file)).code).toBe(0)
  expect((await ask('debug', '--output', file)).code).toBe(5)
})

test('a node that is down is named; with two the majority is missed, and that is critical', async () => {
  const leader = await cluster.healthy()
  const others = cluster.nodes.map(({ name }) => name).filter((name) => name !== leader)
  await cluster.kill(others[0]!)
  const there = ['--url', cluster.node(leader).url]
  const waited = await ask('status', '--wait', 'available', '--timeout', '30s', ...there)
  expect(waited.code).toBe(0)
  const one = await examined(...there)
  expect(one).toMatchObject({ code: 0, verdict: 'degraded' })
  expect(one.findings).toContainEqual(
    expect.objectContaining({ check: 'node-down', node: others[0] }),
  )
  await cluster.kill(others[1]!)
  const two = await examined(...there)
  expect(two).toMatchObject({ code: 3, verdict: 'unavailable' })
  const [worst] = two.findings
  expect(worst).toMatchObject({ check: 'no-quorum', severity: 'critical' })
  expect(worst?.evidence).toMatch(/1 of 3 voters are there, 2 are needed; missing: n\d, n\d/)
  const late = ['--wait', 'healthy', '--timeout', '300ms', ...there]
  expect(await ask('status', ...late)).toMatchObject({
    ...{ code: 3, stderr: expect.stringContaining('not healthy after') },
  })
})
