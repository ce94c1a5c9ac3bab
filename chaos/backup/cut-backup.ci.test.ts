// Backups that do not come through: the command says so, and leaves nothing that passes for one.
import { once } from 'node:events'
import { access, rm, symlink, writeFile } from 'node:fs/promises'
import {
  createServer,
  get,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parley } from '../../cli/dev/testing/dev-process.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'

/** Of a backup of more than twice as many. */
const PASSED_BYTES = 20_000

let cluster: ProcessCluster
let relay: Server
/** What becomes of a backup after its first bytes. */
let spoil: (answer: ServerResponse, rest: Buffer) => void

beforeAll(async () => {
  cluster = await ProcessCluster.started(1)
  const client = await WireClient.connect(cluster.node('n1').url, 'ann', 'a')
  for (let n = 0; n < 50; n += 1) await client.say({ to: 'bob' }, `m${n}`, `${n}`.repeat(500))
  await client.leave()
  relay = createServer((request, answer) => {
    const isBackup = request.url!.startsWith('/v1/cluster/backup')
    get(`${cluster.node('n1').url}${request.url}`, (said) => void pass(said, answer, isBackup))
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
})
afterAll(async () => {
  relay.closeAllConnections()
  relay.close()
  await cluster.close()
})

async function pass(said: IncomingMessage, answer: ServerResponse, isBackup: boolean) {
  const pieces: Buffer[] = []
  for await (const piece of said) pieces.push(piece as Buffer)
  const whole = Buffer.concat(pieces)
  answer.writeHead(said.statusCode!, { 'content-type': said.headers['content-type'] })
  if (!isBackup) {
    answer.end(whole)
    return
  }
  expect(whole.length).toBeGreaterThan(2 * PASSED_BYTES)
  answer.write(whole.subarray(0, PASSED_BYTES), () => spoil(answer, whole.subarray(PASSED_BYTES)))
}

const run = (...args: string[]) => parley(args, cluster.directory)
const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

test.each<[string, typeof spoil, RegExp, string?]>([
  ['cut off', (answer) => answer.destroy(), /did not come through \(terminated\)/],
  [
    'ended too early',
    (answer) => answer.end(),
    /did not come through \(.*its end marker is not there/,
  ],
  ['silent', () => {}, /nothing came for 1000 ms/, '1s'],
  [
    'with a bit turned over',
    (answer, rest) => {
      rest[100]! ^= 1
      answer.end(rest)
    },
    /did not come through \(.*a checksum is wrong/,
  ],
])('[BK11] a connection that is %s makes no backup', async (name, harm, said, timeout = '60s') => {
  spoil = harm
  const file = join(cluster.directory, `${name.replaceAll(' ', '-')}.backup`)
  const { port } = relay.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const taken = await run('backup', '--to', file, '--url', url, '--timeout', timeout)
  expect(taken).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(said) })
  expect(taken.stderr).toMatch(/partial is no backup.*again/)
  expect(await isThere(file)).toBe(false)
  const verified = await run('backup', 'verify', `${file}.partial`, '--no-report')
  expect(verified).toMatchObject({ code: 5, stdout: '' })
})

test('[BK11] a disk that is full takes no backup, and the message says which', async () => {
  const file = join(cluster.directory, 'full.backup')
  await symlink('/dev/full', `${file}.partial`)
  const taken = await run('backup', '--to', file, '--url', cluster.node('n1').url)
  expect(taken).toMatchObject({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringMatching(/the disk of \S+ is full after \d+ bytes: make room there/),
  })
  expect(await isThere(file)).toBe(false)
  await rm(`${file}.partial`)
  await writeFile(`${file}.partial`, 'what an earlier one left')
  // Typed again it takes the place of what is left.
  const again = await run('backup', '--to', file, '--url', cluster.node('n1').url)
  expect(again, again.stderr).toMatchObject({ code: 0 })
  expect(await isThere(`${file}.partial`)).toBe(false)
  expect((await run('backup', 'verify', file, '--no-report')).code).toBe(0)
})
