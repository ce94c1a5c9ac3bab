// What a caller should never send over HTTP, to every call that a node describes.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { ProcessCluster } from './process-cluster.ts'
import { bearer, TOKEN_SECRET, tokenOf } from './token-of.ts'

interface Described {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: object
  readonly security?: readonly object[]
}
interface Call extends Described {
  readonly method: string
  readonly path: string
}

let cluster: ProcessCluster
let url: string
let calls: Call[]
let conv: string
let alice: WireClient
let pid: number | undefined
const said: string[] = []

beforeAll(async () => {
  cluster = await ProcessCluster.create(1)
  await cluster.startAll({ tokenSecret: TOKEN_SECRET })
  await cluster.healthy()
  const node = cluster.node('n1')
  url = node.url
  pid = node.process?.pid
  const described = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Described>>
  }
  calls = Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, of]) => ({ ...of, path, method: method.toUpperCase() })),
  )
  alice = await WireClient.connect(url, 'alice', 'a1')
  const made = await alice.ask({ t: 'conv:R', op: 'create', msgId: 'c', members: ['bob'] })
  conv = made['conversation'].id as string
  await say()
})
afterAll(() => cluster.close())

/** In between: nobody else notices anything. */
async function say(): Promise<void> {
  const msgId = `said-${said.length}`
  await alice.say({ conv }, msgId, { msgId })
  said.push(msgId)
}

interface Sent {
  readonly query?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array
}

async function send({ method, path }: Call, { query = '', headers, body }: Sent = {}) {
  const at = path.replace('{id}', encodeURIComponent(conv)).replace('{user}', 'alice')
  const init = {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: body as string }),
    signal: AbortSignal.timeout(20_000),
  }
  const response = await fetch(`${url}${at}${query}`, init)
  const text = await response.text()
  return { status: response.status, type: response.headers.get('content-type') ?? '', text }
}

/** Answered with what the caller did wrong, in words, and with nothing of the node's inside. */
function expectRefused(
  what: string,
  { status, type, text }: Awaited<ReturnType<typeof send>>,
  statuses: readonly number[] = [400, 401, 403, 404, 409, 413, 415, 422],
): void {
  const shown = `${what}: ${status} ${text.slice(0, 300)}`
  expect(statuses, shown).toContain(status)
  expect(type, shown).toBe('application/problem+json')
  const problem = JSON.parse(text) as Record<string, unknown>
  expect(problem, shown).toMatchObject({ status, code: expect.any(String) })
  expect((problem['detail'] as string).length, shown).toBeGreaterThan(10)
  expect(text, shown).not.toMatch(/\bat .*\.ts|node_modules|undefined|\[object/)
}

const named = ({ method, path }: Call): string => `${method} ${path}`
const guarded = (): Call[] => calls.filter(({ path }) => path.startsWith('/v1/'))

test('the description names what is tried here', () => {
  expect(guarded().length).toBeGreaterThan(12)
})

test('a page from elsewhere, or under a name that is not the node’s, is refused everywhere', async () => {
  for (const call of calls) {
    for (const origin of [
      'https://evil.example',
      'null',
      'http://127.0.0.1:1',
      `${url}.evil.example`,
    ]) {
      const headers = { origin, ...bearer({ sub: 'root', role: 'admin' }) }
      expectRefused(`${named(call)} from ${origin}`, await send(call, { headers }), [403])
    }
  }
  await say()
})

test('no token, a forged, an expired, one of another clock or of another role is refused', async () => {
  const now = Math.floor(Date.now() / 1_000)
  const admin = { sub: 'root', role: 'admin' }
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const good = tokenOf(admin)
  const tokens: Record<string, string> = {
    forged: tokenOf(admin, { secret: 'thirty-two bytes of another secret' }),
    unsigned: `${part({ alg: 'none' })}.${part({ ...admin, exp: now + 600 })}.`,
    'of another algorithm': tokenOf(admin, { head: { alg: 'HS512' } }),
    expired: tokenOf({ ...admin, iat: now - 7_200, exp: now - 3_600 }),
    'an hour early': tokenOf({ ...admin, iat: now + 3_600, nbf: now + 3_600, exp: now + 7_200 }),
    'without an end': tokenOf({ ...admin, exp: undefined }),
    altered: `${good.slice(0, good.lastIndexOf('.'))}x${good.slice(good.lastIndexOf('.'))}`,
    nonsense: 'nonsense',
    empty: '',
    long: 'x'.repeat(9_000),
  }
  for (const call of guarded().filter(({ security = [] }) => security.length > 0)) {
    for (const [name, token] of Object.entries(tokens)) {
      const body = call.method === 'POST' ? { body: '{"device":"d1"}' } : {}
      const sent = { headers: { authorization: `Bearer ${token}` }, query: '?user=alice', ...body }
      expectRefused(`${named(call)} ${name}`, await send(call, sent), [401, 400])
    }
    if (!call.path.startsWith('/v1/cluster')) continue
    for (const role of ['user', 'viewer', 'service']) {
      const sent = { headers: bearer({ sub: 'eve', role }) }
      expectRefused(`${named(call)} as ${role}`, await send(call, sent), [403])
    }
  }
  await say()
})

test('a stranger reads and writes nothing of a conversation', async () => {
  const headers = bearer({ sub: 'eve' })
  const json = { ...headers, 'idempotency-key': 'e1' }
  for (const call of guarded().filter(({ path }) => path.includes('{id}'))) {
    const body = call.method === 'POST' ? JSON.stringify({ body: 'evil' }) : undefined
    const sent = { headers: json, ...(body === undefined ? {} : { body }) }
    expectRefused(named(call), await send(call, sent), [403, 404])
    // Another user's name beside one's own token.
    expectRefused(named(call), await send(call, { ...sent, query: '?user=alice' }), [401, 403])
  }
  await say()
})

const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
const BODIES: readonly (string | Uint8Array)[] = [
  '',
  '{',
  'null',
  '[]',
  '17',
  '"text"',
  '{}}',
  '{"body":1}{"body":2}',
  '{"body":1,}',
  `{"body":${deep(65)}}`,
  `{"body":${deep(100_000)}}`,
  `{"members":${deep(50_000)}}`,
  '{"body":1e999999999,"members":["a"]}',
  '{"members":["\\ud800"],"user":"\\ud800","seq":1e400}',
  '{"members":[1,null,{}],"user":{},"device":[],"before":"now","windowMs":"x","kind":7}',
  '{"members":["x y"],"user":"x y","body":1,"prev":"\\u0000","since":-1,"windowMs":1e30}',
  '{"__proto__":{"user":"x"},"constructor":1,"toString":2}',
  '{"user":"","members":[""],"name":"","msgId":"","conv":"","op":"leave"}',
  `{"members":${JSON.stringify(Array.from({ length: 1_001 }, (_, n) => `u${n}`))},"user":"${'u'.repeat(129)}"}`,
  `{"name":"${'n'.repeat(300)}","members":[],"user":"é"}`,
  Uint8Array.of(0xff, 0xfe, 0x7b, 0x7d),
  Uint8Array.of(0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d),
]

test('no body breaks a call: each is refused in words, or was good after all', async () => {
  const headers = bearer({ sub: 'alice', role: 'admin' })
  let refused = 0
  for (const call of guarded().filter(({ method }) => method === 'POST')) {
    for (const [n, body] of BODIES.entries()) {
      for (const type of ['application/json', 'application/msgpack', 'text/plain']) {
        const key = `b${n}-${call.path.length}`
        const sent = { headers: { ...headers, 'content-type': type, 'idempotency-key': key }, body }
        const answer = await send(call, sent)
        if (answer.status < 300) continue
        const what = `${named(call)} ${type} ${String(body).slice(0, 60)}`
        expectRefused(what, answer)
        refused += 1
      }
    }
  }
  expect(refused).toBeGreaterThan(200)
  await say()
})

const VALUES = [
  '',
  '-1',
  '1.5',
  '1e3',
  '0x10',
  '99999999999999999999',
  'null',
  '%00',
  '%F0%9F%98%80',
  'a b',
  'x'.repeat(2_000),
]

test('no parameter or header breaks a call', async () => {
  const admin = bearer({ sub: 'alice', role: 'admin' })
  for (const call of guarded()) {
    for (const { name, in: place } of call.parameters ?? []) {
      for (const value of VALUES) {
        const what = `${named(call)} ${name}=${value.slice(0, 30)}`
        const body = call.method === 'POST' ? { body: '{' } : {}
        const isHeader = place === 'header'
        if (isHeader && value.includes('%')) continue
        const answer = await send(
          place === 'path' ? { ...call, path: call.path.replace(/\{\w+\}/, value || '%20') } : call,
          {
            ...body,
            headers: { ...admin, ...(isHeader ? { [name]: value } : {}) },
            ...(place === 'query' ? { query: `?${name}=${value}&${name}=1` } : {}),
          },
        )
        if (answer.status >= 300) expectRefused(what, answer, [400, 401, 403, 404, 409, 410, 415])
      }
    }
    // One segment more may be a call of its own.
    const nowhere = { ...call, path: `${call.path}/more/more` }
    expectRefused(named(call), await send(nowhere), [401, 404, 405])
  }
  await say()
})

test('after all of it the same process runs, is ready, and has everything once', async () => {
  await say()
  expect(cluster.node('n1').process?.pid).toBe(pid)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  const page = await alice.ask({ t: 'pull:R', conv, after: 0, limit: 1_000 })
  const bodies = (page['events'] as { kind: string; from: string; msgId: string }[])
    .filter(({ msgId }) => msgId.startsWith('said-'))
    .map(({ msgId }) => msgId)
  expect(bodies).toEqual(said)
  const foreign = (page['events'] as { from: string }[]).filter(({ from }) => from !== 'alice')
  expect(foreign).toEqual([])
  expect(await cluster.output('n1')).not.toMatch(/"event":"(http\.failed|node\.failed)"/)
})
