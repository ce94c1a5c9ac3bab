import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PeerRelays } from '../../chaos/processes/peer-relays.ts'
import { isAlive } from './control-file.ts'
import { DevCluster } from './dev-cluster.ts'
import type { DevEvent } from './dev-events.ts'
import type { DevNode } from './layout.ts'
import { fakeCommand, fakeNodes, temporaryDirectory } from './testing/fake-cluster.ts'

let directory: ReturnType<typeof temporaryDirectory>
let nodes: DevNode[]
let events: DevEvent[]
let cluster: DevCluster | null
let relays: PeerRelays | null

beforeEach(async () => {
  directory = temporaryDirectory()
  nodes = await fakeNodes(directory.path, 3)
  events = []
  cluster = null
  relays = null
})

afterEach(async () => {
  cluster?.killAll()
  await cluster?.stop()
  relays?.close()
  directory.remove()
})

async function startCluster(
  flags: Record<string, string[]> = {},
  drainMs = 5_000,
): Promise<DevCluster> {
  const made = new DevCluster({
    nodes,
    relays,
    command: (node) => fakeCommand(node, nodes, ...(flags[node.name] ?? [])),
    onEvent: (event) => events.push(event),
    drainMs,
  })
  cluster = made
  await made.start()
  return made
}

const pidOf = (made: DevCluster, name: string) =>
  made.nodes.find(({ id }) => id === name)?.pid ?? null

test('the first event says that all nodes are ready, with the leader and their pids', async () => {
  const made = await startCluster()
  expect(events).toEqual([
    {
      event: 'ready',
      leader: 'n1',
      term: 1,
      nodes: nodes.map(({ name, url }) => ({ id: name, url, pid: pidOf(made, name) })),
    },
  ])
  for (const { pid } of made.nodes) expect(isAlive(pid ?? 0)).toBe(true)
})

test('a killed node gets no chance to drain and stays down until start', async () => {
  const made = await startCluster()
  const pid = pidOf(made, 'n2')
  expect(await made.act('kill', 'n2')).toEqual({
    ok: true,
    action: 'kill',
    nodes: [{ id: 'n2', pid }],
  })
  expect(isAlive(pid ?? 0)).toBe(false)
  expect(existsSync(join(nodes[1]!.dataDirectory, 'drained'))).toBe(false)
  await delay(300)
  expect(pidOf(made, 'n2')).toBeNull()
  expect(await made.act('kill', 'n2')).toMatchObject({
    ok: false,
    message: 'n2 is down (start brings it back)',
  })
  const started = await made.act('start')
  expect(started).toEqual({
    ok: true,
    action: 'start',
    nodes: [{ id: 'n2', pid: pidOf(made, 'n2') }],
  })
  expect(events.slice(1)).toEqual([
    { event: 'exit', node: 'n2', pid, code: null, signal: 'SIGKILL', expected: true },
    { event: 'started', node: 'n2', pid: pidOf(made, 'n2') },
  ])
})

test('a stopped node drains; one that does not is killed after the time it was given', async () => {
  const made = await startCluster({ n3: ['--stubborn'] }, 300)
  expect(await made.act('stop', 'n2')).not.toHaveProperty('remark')
  expect(existsSync(join(nodes[1]!.dataDirectory, 'drained'))).toBe(true)
  expect(await made.act('stop', 'n3')).toHaveProperty('remark')
  expect(events.filter(({ event }) => event === 'exit')).toMatchObject([
    { node: 'n2', code: 0 },
    { node: 'n3', signal: 'SIGKILL' },
  ])
})

test('a paused node answers nobody until resume, and can be stopped while paused', async () => {
  const made = await startCluster()
  const ask = () => fetch(nodes[2]!.url, { signal: AbortSignal.timeout(300) }).then((r) => r.ok)
  expect(await made.act('pause', 'n3')).toMatchObject({ ok: true })
  await expect(ask()).rejects.toThrow('timeout')
  expect(await made.act('pause', 'n3')).toMatchObject({
    ok: false,
    message: 'n3 is paused (resume lets it go on)',
  })
  expect(await made.act('resume')).toMatchObject({ ok: true, nodes: [{ id: 'n3' }] })
  expect(await ask()).toBe(true)
  await made.act('pause', 'n3')
  expect(await made.act('stop', 'n3')).not.toHaveProperty('remark')
})

test('a cut outlasts the end and the start of a node, until heal', async () => {
  relays = await PeerRelays.listen(
    nodes.map(({ name, peerAddress: address, peerListen: behind }) => ({ name, address, behind })),
  )
  const made = await startCluster()
  const cuts = () => nodes.map(({ name }) => made.cutOff(name))
  expect(await made.act('heal')).toMatchObject({ ok: false, message: 'no node is cut off' })
  expect(await made.act('partition', 'n3')).toEqual({
    ...{ ok: true, action: 'partition', from: ['n1', 'n2'], oneWay: false },
    nodes: [{ id: 'n3', pid: pidOf(made, 'n3') }],
  })
  expect(await made.act('partition', 'n3')).toMatchObject({
    message: 'that cut is there already (heal takes it back)',
  })
  await made.act('kill', 'n3')
  await made.act('start', 'n3')
  expect(cuts()).toEqual([['n3'], ['n3'], ['n1', 'n2']])
  expect(await made.act('heal', 'n3')).toMatchObject({ ok: true, nodes: [{ id: 'n3' }] })
  expect(cuts()).toEqual([[], [], []])
  await made.act('partition', 'leader', { others: 'n2', oneWay: true })
  expect(cuts()).toEqual([['n2'], ['n1'], []])
  expect([relays.isCut('n1', 'n2'), relays.isCut('n2', 'n1')]).toEqual([true, false])
  expect(await made.act('partition', 'n9')).toMatchObject({ ok: false, usage: true })
  expect(await made.act('heal', 'n3')).toMatchObject({ message: 'n3 is not cut off', usage: false })
  expect(await made.act('heal')).toMatchObject({ nodes: [{ id: 'n1' }, { id: 'n2' }] })
  expect(events.filter(({ event }) => ['partitioned', 'healed'].includes(event))).toEqual([
    { event: 'partitioned', nodes: ['n3'], from: ['n1', 'n2'], oneWay: false },
    { event: 'healed', nodes: ['n3'] },
    { event: 'partitioned', nodes: ['n1'], from: ['n2'], oneWay: true },
    { event: 'healed', nodes: ['n1', 'n2'] },
  ])
})

test('an unknown node is a mistake in the command, an action that fits nobody is not', async () => {
  const made = await startCluster()
  expect(await made.act('kill', 'n9')).toEqual({
    ok: false,
    action: 'kill',
    message: 'there is no node n9: there are n1, n2, n3',
    usage: true,
  })
  expect(await made.act('start')).toMatchObject({
    ok: false,
    message: 'no node is down',
    usage: false,
  })
})

test('a node that ends while starting fails the start with the end of its log, and stops the others', async () => {
  await expect(startCluster({ n2: ['--broken'] })).rejects.toThrow(/n2 ended.*the disk is on fire/s)
  expect(cluster?.nodes.map(({ pid }) => pid)).toEqual([null, null, null])
  expect(events).toEqual([])
})

test('a node that ends by itself is reported as nobody’s wish', async () => {
  const made = await startCluster()
  process.kill(pidOf(made, 'n3') ?? 0, 'SIGKILL')
  await expect
    .poll(() => events.at(-1))
    .toMatchObject({ event: 'exit', node: 'n3', expected: false })
})

test('when the supervisor is killed its nodes drain and end', async () => {
  const script = `
    import { DevCluster } from ${JSON.stringify(fileURLToPath(new URL('dev-cluster.ts', import.meta.url)))}
    const { nodes, commands } = JSON.parse(process.argv[1])
    const cluster = new DevCluster({
      nodes,
      relays: null,
      command: (node) => commands[node.name],
      onEvent: (event) => console.log(JSON.stringify(event)),
    })
    await cluster.start()`
  const commands = Object.fromEntries(nodes.map((node) => [node.name, fakeCommand(node, nodes)]))
  const supervisor = spawn(
    process.execPath,
    ['--input-type=module', '-e', script, JSON.stringify({ nodes, commands })],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const line = await new Promise<string>((resolve) =>
    supervisor.stdout.once('data', (data) => resolve(String(data))),
  )
  const ready = JSON.parse(line) as Extract<DevEvent, { event: 'ready' }>
  supervisor.kill('SIGKILL')
  for (const { id, pid } of ready.nodes) {
    await expect.poll(() => isAlive(pid)).toBe(false)
    expect(readFileSync(join(directory.path, id, 'drained'), 'utf8')).toBe(String(pid))
  }
})
