// A real cluster of `parley dev`, cut in two by its commands.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChatClient } from '#client'
import { DevProcess, type Outcome, parley } from './testing/dev-process.ts'
import { temporaryDirectory } from './testing/fake-cluster.ts'
import { freeDevPort } from './testing/free-dev-port.ts'

const directory = temporaryDirectory()
const PATIENCE = { timeout: 60_000, interval: 200 }
let dev: DevProcess
let urls: Map<string, string>

beforeAll(async () => {
  dev = new DevProcess(directory.path, ['--port', String(await freeDevPort())])
  urls = new Map((await dev.ready()).nodes.map(({ id, url }) => [id, url]))
})

afterAll(async () => {
  await dev.stop()
  directory.remove()
})

const run = (...words: string[]): Promise<Outcome> => parley(words, directory.path)
const runAt = (node: string, ...words: string[]): Promise<Outcome> =>
  parley([...words, '--url', urls.get(node)!], directory.path)
const say = (node: string, text: string) =>
  runAt(node, 'send', '--as', 'alice', '--to', 'bob', text)
const shownBy = async (node: string): Promise<string> =>
  (await runAt(node, 'tail', '--as', 'bob', '--no-follow')).stdout
const stateOf = async (node: string) => {
  const response = await fetch(`${urls.get(node)}/v1/cluster`)
  return (await response.json()) as { leader: string | null; term: number; ready: boolean }
}

test('a leader that is cut off is replaced within seconds, and has everything once it is healed', async () => {
  expect((await say('n1', 'before')).code).toBe(0)
  // Of the other nodes it hears from the one that it is connected to.
  const first = urls.get((await stateOf('n1')).leader!)!
  const chat = await ChatClient.connect({ urls: [first], user: 'alice', device: 'laptop' })
  const { stdout, code } = await run('dev', 'partition', '--json')
  expect({ stdout, code }).toMatchObject({ code: 0 })
  const { oldLeader, newLeader, leaderAfterMs, from } = JSON.parse(stdout) as {
    readonly oldLeader: string
    readonly newLeader: string
    readonly leaderAfterMs: number
    readonly from: readonly string[]
  }
  expect(from).toContain(newLeader)
  expect(leaderAfterMs).toBeLessThan(10_000)
  expect(dev.events).toContainEqual({
    ...{ event: 'partitioned', nodes: [oldLeader], oneWay: false },
    from: [...urls.keys()].filter((id) => id !== oldLeader),
  })
  expect(await say(newLeader, 'during')).toMatchObject({ code: 0 })
  await chat.direct('bob').send('moved').sent
  expect(chat.state).toMatchObject({ state: 'connected', leader: newLeader })
  expect(chat.state).not.toMatchObject({ node: oldLeader })
  chat.close()
  // Whom nobody hears leads nobody, and does not come back by being started anew either.
  await expect.poll(async () => (await stateOf(oldLeader)).leader, PATIENCE).toBeNull()
  expect((await run('dev', 'kill', oldLeader)).code).toBe(0)
  expect(await run('dev', 'start', oldLeader)).toMatchObject({
    ...{ code: 0, stdout: expect.stringContaining(`${oldLeader} not ready yet`) },
  })
  expect(await run('dev', 'heal')).toMatchObject({
    ...{ code: 0, stdout: expect.stringMatching(/^joined again n1 .*, n2 .*, n3 \(pid \d+\)/) },
  })
  await expect.poll(async () => (await stateOf(oldLeader)).ready, PATIENCE).toBe(true)
  expect(await say(oldLeader, 'after')).toMatchObject({ code: 0 })
  for (const node of urls.keys()) {
    const texts = [...(await shownBy(node)).matchAll(/alice: (\S+)/g)].map(([, text]) => text)
    expect(texts).toEqual(['before', 'during', 'moved', 'after'])
  }
})

test('a leader that nobody hears is replaced as well, without any node being told to end', async () => {
  const { leader } = await stateOf('n1')
  const cut = await run('dev', 'partition', 'leader', '--one-way', '--json')
  expect(JSON.parse(cut.stdout)).toMatchObject({ oldLeader: leader, oneWay: true })
  const { newLeader } = JSON.parse(cut.stdout) as { newLeader: string }
  expect(await say(newLeader, 'unheard')).toMatchObject({ code: 0 })
  expect(await run('dev', 'heal', leader!)).toMatchObject({ code: 0 })
  await expect.poll(async () => (await run('status')).code, PATIENCE).toBe(0)
})

test('nodes outlive a supervisor that stands still, and go on once it does', async () => {
  const before = await stateOf('n1')
  dev.child.kill('SIGSTOP')
  // Longer than nodes that hear nothing keep a connection.
  await sleep(5_000)
  dev.child.kill('SIGCONT')
  await expect.poll(async () => (await run('status')).code, PATIENCE).toBe(0)
  expect((await stateOf('n1')).term).toBeGreaterThanOrEqual(before.term)
  expect(await say('n2', 'still')).toMatchObject({ code: 0 })
  expect(dev.events.filter((event) => event.event === 'exit' && !event.expected)).toEqual([])
})
