import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isAlive } from '../dev/control-file.ts'
import { temporaryDirectory } from '../dev/testing/fake-cluster.ts'
import { DevProcess, parley } from '../dev/testing/dev-process.ts'
import { freeDevPort } from '../dev/testing/free-dev-port.ts'

let directory: ReturnType<typeof temporaryDirectory>
let port: number
let running: DevProcess[]

beforeEach(async () => {
  directory = temporaryDirectory()
  port = await freeDevPort()
  running = []
})

afterEach(async () => {
  for (const dev of running) await dev.stop()
  directory.remove()
})

function startDev(...args: string[]): DevProcess {
  const dev = new DevProcess(directory.path, args)
  running.push(dev)
  return dev
}

const run = (...args: string[]) => parley(args, directory.path)

test('kill the leader, look, and bring it back', async () => {
  const { leader, nodes } = await startDev('--port', String(port)).ready()
  expect(nodes.map(({ id, url }) => `${id} ${url}`)).toEqual(
    [0, 1, 2].map((i) => `n${i + 1} http://127.0.0.1:${port + i}`),
  )
  expect(await run('status')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^HEALTHY · /),
  })

  const killed = await run('dev', 'kill', 'leader', '--json')
  const result = JSON.parse(killed.stdout) as { newLeader: string; leaderAfterMs: number }
  expect(result).toMatchObject({ ok: true, action: 'kill', oldLeader: leader })
  expect(nodes.map(({ id }) => id).filter((id) => id !== leader)).toContain(result.newLeader)
  expect(result.leaderAfterMs).toBeGreaterThan(0)

  const status = await run('status')
  expect(status.code).toBe(3)
  expect(status.stdout).toMatch(
    new RegExp(`^DEGRADED · ${leader} does not answer · .*leader ${result.newLeader}`),
  )

  expect(await run('dev', 'start')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`^started ${leader} `)),
  })
  expect(await run('status')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^HEALTHY · /),
  })
})

test(
  'paused nodes are frozen until resume; two of three is too many',
  { timeout: 120_000 },
  async () => {
    const { leader } = await startDev('--port', String(port)).ready()
    const others = ['n1', 'n2', 'n3'].filter((id) => id !== leader)
    for (const id of others) expect((await run('dev', 'pause', id)).code).toBe(0)
    expect(await run('status')).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/^UNAVAILABLE · /),
    })
    expect((await run('dev', 'resume')).stdout).toMatch(/^resumed n\d .*, n\d /)
    await expect.poll(async () => (await run('status')).code).toBe(0)
  },
)

test('a second start says where the first one runs', async () => {
  const first = startDev('--port', String(port))
  await first.ready()
  const second = await run('dev')
  expect(second.code).toBe(1)
  expect(second.stderr).toContain(`process ${first.child.pid}, nodes at http://127.0.0.1:${port}, `)
})

test('a cluster is what its first start made it', async () => {
  const first = startDev('--port', String(port), '--nodes', '1')
  expect((await first.ready()).nodes).toHaveLength(1)
  expect((await first.stop()).code).toBe(0)
  const other = await run('dev', '--nodes', '3')
  expect(other).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('holds a cluster of 1 nodes'),
  })
  const again = await startDev().ready()
  expect(again.nodes).toMatchObject([{ url: `http://127.0.0.1:${port}` }])
})

test('a taken port is named before anything is started', async () => {
  const free = port
  port = await freeDevPort()
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(port + 101, '127.0.0.1', resolve))
  const { code, stderr } = await run('dev', '--port', String(port))
  expect(code).toBe(1)
  expect(stderr).toContain(`127.0.0.1:${port + 101} is taken by another program`)
  expect(existsSync(join(directory.path, '.parley', 'n1'))).toBe(false)

  // What did not come about settles nothing: the advice to take other ports can be followed.
  const { nodes } = await startDev('--port', String(free), '--nodes', '1').ready()
  await new Promise((resolve) => server.close(resolve))
  expect(nodes).toMatchObject([{ url: `http://127.0.0.1:${free}` }])
})

test(
  'after kill -9 of it the nodes end, a frozen one at the next start',
  { timeout: 120_000 },
  async () => {
    const first = startDev('--port', String(port))
    const { nodes } = await first.ready()
    await run('dev', 'pause', 'n2')
    first.child.kill('SIGKILL')
    await first.ended
    const pid = (id: string) => nodes.find((node) => node.id === id)?.pid ?? 0
    for (const id of ['n1', 'n3']) {
      await expect.poll(() => isAlive(pid(id))).toBe(false)
    }
    expect(isAlive(pid('n2'))).toBe(true)
    expect(await run('dev', 'kill')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no dev cluster runs'),
    })

    const again = await startDev().ready()
    expect(isAlive(pid('n2'))).toBe(false)
    expect(again.nodes).toHaveLength(3)
  },
)
