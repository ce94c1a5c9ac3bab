// Every refusal of docs/protocol.md that a node gives today, provoked over the wire.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'
import { type Frame, WireClient, type WireFailure } from '../workload/wire-client.ts'

interface Documented {
  readonly category: string
  readonly retryable: boolean
  readonly outcome: string
}

/** The page's own table of codes: what every refusal is held against. */
const DOCUMENTED = new Map<string, Documented>(
  [
    ...readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8').matchAll(
      /^\| `([A-Z_]+)`\s*\| (\w+)\s*\| (yes|no)\s*\| (\w+)\s*\|/gm,
    ),
  ].map(([, code, category, retryable, outcome]) => [
    code!,
    { category: category!, retryable: retryable === 'yes', outcome: outcome! },
  ]),
)

/** Codes of the closed list that nothing a client sends can bring about today, and why. */
const NOT_REACHABLE: Readonly<Record<string, string>> = {
  REJECTED_SPAM: 'takes a node with a moderation hook: identity.int.test.ts',
  RATE_LIMITED: 'rates are off in dev mode: identity.int.test.ts',
  NOT_LEADER: 'every node takes writes to the leader',
  NO_QUORUM: 'NO_LEADER comes first',
  DISK_FULL: 'takes disks that are full: node/disk',
  POSITION_UNRECOVERABLE: 'takes a cluster that was restored',
  SEQ_EXHAUSTED: 'takes 2^32 events of one user',
  INTERNAL: 'would be a bug',
}

const seen = new Map<string, WireFailure>()
let cluster: ProcessCluster

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(() => cluster.close())

const urlOf = (name: string) => cluster.node(name).url

/** Checks a refusal against the page, and keeps it. */
function refusal(frame: Frame | undefined, code: string): WireFailure {
  const error = frame?.error
  expect(error, `${code}: ${JSON.stringify(frame)}`).toBeDefined()
  const documented = DOCUMENTED.get(error!.code)
  expect(documented, `${error!.code} is not on the page`).toBeDefined()
  expect(error).toMatchObject({ code, ...documented })
  expect(error!.message).toMatch(/^\S.{9,}$/s)
  const known = ['code', 'category', 'message', 'retryable', 'outcome', 'retryAfterMs', 'leader']
  expect(Object.keys(error!).filter((key) => !known.includes(key))).toEqual([])
  seen.set(code, error!)
  return error!
}

async function set(settings: object): Promise<void> {
  const changed = await fetch(`${urlOf('n1')}/v1/cluster/settings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(settings),
  })
  expect(changed.status, await changed.text()).toBe(200)
}

async function setUp(name: string, node = 'n1') {
  const client = await WireClient.connect(urlOf(node), name, `${name}-phone`)
  const created = await client.ask({ t: 'conv:R', op: 'create', msgId: 'c', members: [] })
  return { client, conv: created.conversation.id as string }
}

test('what the frame alone shows', async () => {
  const { client, conv } = await setUp('frank')
  refusal(await client.ask({ t: 'msg:R', conv, msgId: 'not an id', body: 1 }), 'INVALID_MESSAGE')
  refusal(await client.ask({ t: 'dance:R' }), 'UNSUPPORTED')
  const body = 'x'.repeat(70_000)
  refusal(await client.ask({ t: 'msg:R', conv, msgId: 'm', body }), 'PAYLOAD_TOO_LARGE')
  const from = client.received.length
  client.sendRaw('{"t":')
  refusal(await client.until((frame) => client.received.indexOf(frame) >= from), 'INVALID_MESSAGE')
  await client.leave()
})

test('what the log decides', async () => {
  const { client, conv } = await setUp('lola')
  const send = (more: object) => client.ask({ t: 'msg:R', conv, msgId: 'm1', body: 1, ...more })
  await client.say({ conv }, 'm1', 1)
  refusal(await send({ body: 2 }), 'PAYLOAD_MISMATCH')
  refusal(await send({ msgId: 'm2', replyTo: 99 }), 'UNKNOWN_REPLY')
  refusal(await send({ msgId: 'm3', prev: 'unheard-of' }), 'OUT_OF_ORDER')
  await client.ask({ t: 'cancel:R', conv, msgId: 'm4' })
  refusal(await send({ msgId: 'm4' }), 'CANCELLED')
  refusal(await send({ msgId: 'm5', conv: 'g_unknown' }), 'GROUP_NOT_FOUND')
  const other = await setUp('otto', 'n2')
  refusal(await send({ msgId: 'm6', conv: other.conv }), 'NOT_MEMBER')
  const leave = { t: 'conv:R', op: 'role', user: 'lola', role: 'member' }
  refusal(await client.ask({ ...leave, conv, msgId: 'm7' }), 'FORBIDDEN')
  const direct = await client.say({ to: 'otto' }, 'm8', 1)
  await other.client.ask({ t: 'conv:R', op: 'block', user: 'lola', msgId: 'b' })
  refusal(await send({ msgId: 'm9', conv: direct.conv }), 'USER_BLOCKED')
  await Promise.all([client.leave(), other.client.leave()])
})

test('who may come in', async () => {
  for (const hello of [{}, { token: 'made up' }, { user: 'eve', token: 'made up' }]) {
    const client = await WireClient.open(urlOf('n1'))
    const answer = await client.ask({ t: 'hello:R', v: [1, 1], device: 'd', ...hello })
    refusal(answer, 'AUTHENTICATION_FAILED')
    expect((await client.closed).code).toBe(1008)
  }
  const newer = await WireClient.open(urlOf('n1'))
  const answer = await newer.ask({ t: 'hello:R', v: [2, 9], device: 'd', user: 'eve' })
  refusal(answer, 'UNSUPPORTED')
  expect((await newer.closed).code).toBe(4004)
  const first = await WireClient.connect(urlOf('n1'), 'eve', 'd')
  const second = await WireClient.connect(urlOf('n1'), 'eve', 'd')
  expect((await first.closed).code).toBe(4002)
  refusal(first.received.at(-1), 'REPLACED')
  await second.leave()
})

test('more than the node takes at once', async () => {
  const { client, conv } = await setUp('olga')
  const most = client.hello.limits.inflight as number
  const count = client.hello.limits.framesPerMessage as number
  expect(count).toBeGreaterThan(most)
  const writes = Array.from({ length: count }, (_, n) => ({
    ...{ t: 'msg:R', id: `w${n}`, conv, msgId: `w${n}`, body: n },
  }))
  client.send(writes)
  const answers = await Promise.all(writes.map(({ id }) => client.until((one) => one.id === id)))
  const refused = answers.filter(({ error }) => error !== undefined)
  expect(refused).toHaveLength(count - most)
  for (const answer of refused) refusal(answer, 'OVERLOADED')
  await client.leave()
})

test('a group holds as many members as the settings say, and not one more', async () => {
  const most = 50
  await set({ groupMembers: most })
  const members = Array.from({ length: most - 2 }, (_, n) => `member-${n}`)
  const client = await WireClient.connect(urlOf('n1'), 'grete', 'g0')
  const created = await client.ask({ t: 'conv:R', op: 'create', msgId: 'c', members })
  const conv = created.conversation.id as string
  const add = (user: string) => client.ask({ t: 'conv:R', op: 'add', conv, msgId: user, user })
  expect((await add('last')).error).toBeUndefined()
  refusal(await add('one-more'), 'GROUP_FULL')
  const full = await client.ask({ t: 'conv:R', op: 'get', conv })
  expect(full.conversation.members).toHaveLength(most)
  await client.leave()
})

test('a node that goes away answers what still comes', async () => {
  const { client, conv } = await setUp('dora', 'n3')
  // It may not close the session before this is answered, and cannot answer it yet.
  client.send({ t: 'pull:R', id: 'p', conv, after: 0, limit: 1, mark: farMark(client) })
  const ended = cluster.signal('n3', 'SIGTERM')
  await client.until(({ t }) => t === 'goaway:N')
  let answer: Frame
  do answer = await client.ask({ t: 'ping:R' })
  while (answer.error === undefined)
  refusal(answer, 'DRAINING')
  refusal(await client.until(({ id }) => id === 'p'), 'BEHIND')
  expect((await client.closed).code).toBe(1012)
  await ended
  expect(cluster.node('n3').exit).toEqual({ code: 0, signal: null })
  await cluster.start('n3')
  await cluster.healthy()
})

test('without a majority', async () => {
  const leader = await cluster.healthy()
  const followers = cluster.nodes.filter(({ name }) => name !== leader)
  const { client, conv } = await setUp('nina', leader)
  await client.say({ conv }, 'm1', 1)
  for (const { name } of followers) await cluster.signal(name, 'SIGSTOP')
  const send = (msgId: string) => client.ask({ t: 'msg:R', conv, msgId, body: msgId })
  refusal(await send('unknown'), 'OUTCOME_UNKNOWN')
  await client.until(({ t, leader: now }) => t === 'leader:N' && now === null)
  refusal(await send('none'), 'NO_LEADER')
  const page = { t: 'pull:R', conv, after: 0, limit: 9 }
  refusal(await client.ask({ ...page, read: 'linearizable' }), 'NO_LEADER')
  expect((await client.ask(page)).error).toBeUndefined()
  for (const { name } of followers) await cluster.signal(name, 'SIGCONT')
  await cluster.healthy()
  const body = (msgId: string) => client.say({ conv }, msgId, msgId)
  const [unknown, none] = [await body('unknown'), await body('none')]
  expect(none.seq).not.toBe(unknown.seq)
  const events = (await client.ask({ ...page, read: 'linearizable' })).events as Frame[]
  expect(events.filter(({ msgId }) => msgId === 'unknown')).toHaveLength(1)
  await client.leave()
})

test('a write of before the window', async () => {
  await set({ windowMs: 1_000 })
  const { client, conv } = await setUp('wendy')
  const since = client.hello.now as number
  const write = (msgId: string) => client.ask({ t: 'msg:R', conv, msgId, body: 1, since })
  let answer: Frame
  let n = 0
  do answer = await write(`m${(n += 1)}`)
  while (answer.error === undefined)
  refusal(answer, 'WINDOW_EXPIRED')
  await client.leave()
})

test('every code of the page was seen, or is known to be out of reach', () => {
  expect(DOCUMENTED.size).toBe(28)
  expect([...seen.keys(), ...Object.keys(NOT_REACHABLE)].sort()).toEqual(
    [...DOCUMENTED.keys()].sort(),
  )
})

/** A mark that no node has reached: opaque to a client, but a client may come with anything. */
function farMark(client: WireClient): string {
  const mark = client.received.findLast((frame) => frame.mark !== undefined)!.mark as string
  return `${mark}zzz`
}
