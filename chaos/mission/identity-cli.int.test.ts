// From a fresh key to a message: what an operator types, against a node outside dev mode.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

let directory: string
let cluster: ProcessCluster
let adminToken = ''

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

function parley(...words: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...words], { timeout: 30_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

const path = (name: string): string => join(directory, name)

async function tokenFile(name: string, ...words: string[]): Promise<string> {
  const { code, out, err } = await parley('token', '--key', path('key'), ...words)
  if (code !== 0) throw new Error(err)
  await writeFile(path(name), out, { mode: 0o600 })
  return path(name)
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-token-'))
  const made = await parley('token', 'keygen', path('key'))
  if (made.code !== 0) throw new Error(made.err)
  adminToken = await tokenFile('admin', '--user', 'ops', '--role', 'admin')
  const bearer = `Bearer ${(await readFile(adminToken, 'utf8')).trim()}`
  cluster = await ProcessCluster.create(1)
  cluster.headers = () => ({ authorization: bearer })
  await cluster.startAll({ dev: false, flags: ['--token-public-key-file', path('key.pub')] })
  await cluster.healthy()
})

afterAll(async () => {
  await cluster.close()
  await rm(directory, { recursive: true })
})

test('[NI6] a key is not written over, and its private half is for its owner only', async () => {
  expect((await stat(path('key'))).mode & 0o077).toBe(0)
  const before = await readFile(path('key'), 'utf8')
  const again = await parley('token', 'keygen', path('key'))
  expect(again).toMatchObject({ code: 5, err: expect.stringContaining('is there already') })
  expect(await readFile(path('key'), 'utf8')).toBe(before)
  const wrong = await parley('token', '--key', path('key.pub'), '--user', 'ann')
  expect(wrong).toMatchObject({ code: 64, err: expect.stringContaining('public key') })
  expect((await parley('token', '--key', path('key'))).err).toContain('--user is missing')
})

test('[NI1] [NI3] [AD6] a token speaks for its user, an admin’s operates the cluster', async () => {
  const url = ['--url', cluster.nodes[0]!.url]
  const ann = await tokenFile('ann', '--user', 'ann', '--ttl', '10m')
  const sent = await parley('send', '--token-file', ann, '--to', 'bob', 'hello', ...url)
  expect(sent).toMatchObject({ code: 0, out: expect.stringMatching(/^sent · d_.* · seq 1 · /) })
  const asBob = await parley('send', '--token-file', ann, '--as', 'bob', '--to', 'x', 'y', ...url)
  expect(asBob).toMatchObject({ code: 5, err: expect.stringContaining('AUTHENTICATION_FAILED') })
  const nobody = await parley('send', '--as', 'ann', '--to', 'bob', 'hello', ...url)
  expect(nobody).toMatchObject({ code: 5, err: expect.stringContaining('AUTHENTICATION_FAILED') })
  const bob = await tokenFile('bob', '--user', 'bob', '--role', 'viewer')
  const shown = await parley('tail', '--token-file', bob, '--no-follow', ...url)
  expect(shown).toMatchObject({ code: 0, out: expect.stringContaining('hello') })

  expect(await parley('status', '--token-file', adminToken, ...url)).toMatchObject({
    ...{ code: 0, out: expect.stringMatching(/^HEALTHY · /) },
  })
  const strangers = await parley('status', ...url)
  expect(strangers).toMatchObject({ code: 5, err: expect.stringContaining('role admin') })
  const settings = await parley('settings', 'groupMembers=77', '--token-file', adminToken, ...url)
  expect(settings).toMatchObject({ code: 0, out: expect.stringMatching(/groupMembers +77 /) })
  const wrong = await parley('settings', 'groupMembers=0', '--token-file', adminToken, ...url)
  expect(wrong).toMatchObject({ code: 5, err: expect.stringContaining('from 2 to') })

  const revoked = await parley('token', 'revoke', '--of', 'ann', '--token-file', adminToken, ...url)
  expect(revoked).toMatchObject({ code: 0, out: expect.stringMatching(/^revoked · ann · /) })
  const late = await parley('send', '--token-file', ann, '--to', 'bob', 'again', ...url)
  expect(late).toMatchObject({ code: 5, err: expect.stringContaining('revoked') })
})

test('[NI7] nodes that could check nobody are not started for everybody', async () => {
  const [port, peer] = (await freePorts(2)) as [number, number]
  const start = (listen: string, ...more: string[]) =>
    parley(
      ...['node', '--name', 'n1', '--listen', listen, '--peer-listen', `127.0.0.1:${peer}`],
      ...['--data', path('data'), '--initial-members', `n1=${listen}/127.0.0.1:${peer}`, ...more],
    )
  for (const more of [[], ['--dev']]) {
    const { code, err } = await start(`0.0.0.0:${port}`, ...more)
    expect({ code, err }).toMatchObject({ code: 5, err: expect.stringMatching(/other machines/) })
  }
  const keyless = await start(`127.0.0.1:${port}`, '--token-issuer', 'us')
  expect(keyless).toMatchObject({ code: 64, err: expect.stringContaining('without a key') })
  await expect(stat(path('data'))).rejects.toThrow('ENOENT')
})
