// Nodes are restarted and upgraded one after the other while people write: nobody notices.
import { execFileSync } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { main } from '../../cli/main.ts'
import { ProcessCluster, type StartOptions } from './process-cluster.ts'
import { EARLIER_VERSION, lacking } from './requirements.ts'
import { SteadyLoad } from './steady-load.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const USERS = 20
const EVERY_MS = 20

let cluster: ProcessCluster
let urls: string[]
beforeEach(async () => {
  cluster = await ProcessCluster.create(3)
  urls = cluster.nodes.map(({ url }) => url)
})
afterEach(() => cluster.close())

/** SIGTERM, exit code 0, and up again. */
async function restart(name: string, options: StartOptions = {}): Promise<void> {
  await cluster.signal(name, 'SIGTERM')
  const { code } = await cluster.ended(name)
  if (code !== 0) throw new Error(`${name} ended with ${code}\n${await cluster.output(name)}`)
  await cluster.start(name, options)
}

async function judge(load: SteadyLoad, what: string): Promise<void> {
  const report = await load.stop()
  console.log(
    `${what}: ${report.sent} messages, ${report.perSecond} a second; longest time without a tick ${report.longestGapMs} ms, slowest tick ${report.slowestMs} ms`,
  )
  expect(report.failures).toEqual([])
  expect(await load.faults(urls[0]!)).toEqual([])
  expect(report.sent).toBeGreaterThan(500)
}

async function progress(load: SteadyLoad): Promise<void> {
  const from = load.ticks
  await expect.poll(() => load.ticks, { timeout: 60_000 }).toBeGreaterThan(from + 50)
}

describe('a rolling restart', () => {
  /** What an operator's command would do, for `parley roll` to call. */
  let server: Server
  beforeEach(async () => {
    server = createServer((request, response) => {
      restart(request.url!.slice(1)).then(
        () => response.end(),
        (error: Error) => response.writeHead(500).end(error.message),
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => void server.close())

  test('[DR1] [DR2] parley roll loses, doubles and refuses nothing under load', async () => {
    await cluster.startAll()
    await cluster.healthy()
    const load = await SteadyLoad.start(urls, USERS, EVERY_MS)
    await progress(load)
    const { port } = server.address() as AddressInfo
    const call = 'fetch(process.argv[1]).then(({ ok }) => process.exit(ok ? 0 : 1))'
    const command = [process.execPath, '-e', call, `http://127.0.0.1:${port}/{node}`]
    const code = await main(['roll', '--url', urls.join(','), '--json', '--', ...command])
    expect(code).toBe(0)
    await progress(load)
    await judge(load, 'rolling restart')
    for (const { name } of cluster.nodes) {
      const output = await cluster.output(name)
      expect(output).toContain('exit 0 null')
      expect(output).toMatch(/"phase":"drained".*"event":"node.drain"/)
    }
  })
})

describe.skipIf(lacking('history'))('a rolling upgrade from an earlier version', () => {
  const admin = async (path: string, body: object) => {
    const answers = urls.map(async (url) => {
      const headers = { 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body: JSON.stringify(body) }
      const response = await fetch(`${url}${path}`, init)
      return { status: response.status, json: (await response.json()) as Record<string, unknown> }
    })
    return Promise.all(answers)
  }

  async function earlierProgram(): Promise<string> {
    const directory = join(cluster.directory, 'earlier')
    await mkdir(directory)
    const archive = execFileSync('git', ['-C', ROOT, 'archive', EARLIER_VERSION], {
      maxBuffer: 256 << 20,
    })
    execFileSync('tar', ['-x', '-C', directory], { input: archive })
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
    return join(directory, 'cli', 'main.ts')
  }

  test('[A9] [PF6] both ways and back, with what is new held back until it is finalized', async () => {
    const cli = await earlierProgram()
    await cluster.startAll({ cli })
    await cluster.healthy()
    const load = await SteadyLoad.start(urls, USERS, EVERY_MS)
    await progress(load)
    const isNew = { amendWithinMs: 60_000 }
    const held = async () => {
      for (const { status, json } of await admin('/v1/cluster/settings', isNew)) {
        // Of the earlier version 400: it knows no such setting.
        expect([400, 503]).toContain(status)
        if (status === 503) expect(json).toMatchObject({ code: 'BEHIND', retryable: true })
      }
    }
    const namesBy = async (order: 'leader first' | 'leader last') => {
      const leader = await cluster.healthy()
      const others = cluster.nodes.map(({ name }) => name).filter((name) => name !== leader)
      return order === 'leader first' ? [leader, ...others] : [...others, leader]
    }
    const roll = async (order: 'leader first' | 'leader last', options: StartOptions) => {
      for (const name of await namesBy(order)) {
        await restart(name, options)
        await cluster.healthy()
        await held()
      }
      await progress(load)
    }
    await roll('leader last', {})
    // Nothing was finalized: the earlier version takes over its data again.
    await roll('leader last', { cli })
    await roll('leader first', {})

    const [finalized] = await admin('/v1/cluster/upgrade', {})
    expect(finalized).toMatchObject({ status: 200, json: { level: 2, waitingFor: [] } })
    await expect
      .poll(async () => (await admin('/v1/cluster/settings', isNew)).map(({ status }) => status), {
        timeout: 30_000,
      })
      .toEqual([200, 200, 200])
    await progress(load)

    // Now it does not: it says so, and ends, and the others go on.
    await cluster.signal('n3', 'SIGTERM')
    await cluster.start('n3', { cli })
    expect((await cluster.ended('n3', 60_000)).code).toBe(1)
    expect(await cluster.output('n3')).toMatch(/too old for it/)
    await cluster.start('n3')
    await cluster.healthy()
    await judge(load, 'rolling upgrade')
    await cluster.converged()
  })
})
