import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessCluster } from '../../chaos/processes/process-cluster.ts'
import { WireClient } from '../../chaos/workload/wire-client.ts'
import { parley } from '../dev/testing/dev-process.ts'

let cluster: ProcessCluster
const data = () => cluster.node('n1').data
const verify = (...words: readonly string[]) =>
  parley(['verify', data(), ...words], cluster.directory)

beforeAll(async () => {
  cluster = await ProcessCluster.started(1)
  const client = await WireClient.connect(cluster.node('n1').url, 'ann', 'ann-phone')
  for (let at = 0; at < 20; at++) {
    await client.request({ t: 'msg:R', to: 'bob', msgId: `m${at}`, body: 'hello' })
  }
  client.close()
})
afterAll(() => cluster.close())

describe('parley verify', () => {
  test('refuses the directory of a running node', async () => {
    const { code, stderr } = await verify()
    expect(code).toBe(5)
    expect(stderr).toMatch(/n1\/log is in use by a running node: stop it first/)
    expect((await cluster.state('n1'))?.ready).toBe(true)
  })

  test('says what a stopped node holds', async () => {
    await cluster.signal('n1', 'SIGTERM')
    const { code, stdout } = await verify()
    expect(stdout).toMatch(/^label +ok +node n1$/m)
    expect(stdout).toMatch(/^log +ok +entries 1–\d+, committed to \d+; 1 file, /m)
    expect(stdout).toMatch(/^store +ok +(the state at \d+; \d+ values|no checkpoint yet)/m)
    expect(stdout).toMatch(/^agreement +ok/m)
    expect(code).toBe(0)
    const json = JSON.parse((await verify('--json')).stdout) as Record<string, unknown>
    expect(json).toMatchObject({ schema: 1, ok: true, node: 'n1', findings: [] })
  })

  test('says what is damaged where, and what to do', async () => {
    const [name] = (await readdir(join(data(), 'log'))).filter((each) => each.startsWith('segment'))
    const path = join(data(), 'log', name!)
    const bytes = await readFile(path)
    await writeFile(path, Buffer.from(bytes).fill(0xff, 300, 310))
    const { code, stdout } = await verify()
    await writeFile(path, bytes)
    expect(code).toBe(3)
    expect(stdout).toMatch(/^log +DAMAGED/m)
    expect(stdout).toMatch(/segment-0000000001-\d+\.log at byte \d+: .*\n.*do not start the node/)
  })

  test('knows what is no data directory', async () => {
    const { code, stderr } = await parley(['verify', '/proc/self'], cluster.directory)
    expect(code).toBe(64)
    expect(stderr).toMatch(/no data directory of a node/)
  })
})
