// What a client should never send, and what a node must survive and answer.
import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect as dial, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'
import { type Frame, WireClient, type Subprotocol } from '../workload/wire-client.ts'

const SUBPROTOCOLS: readonly Subprotocol[] = ['parley.v1.json', 'parley.v1.msgpack']

let cluster: ProcessCluster
let url: string
let pids: (number | undefined)[]
/** A member of `conv` who says something in between; all of it must be there in the end. */
let alice: WireClient
let conv: string
const said: string[] = []

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
  pids = cluster.nodes.map(({ process: child }) => child?.pid)
  url = cluster.node('n1').url
  alice = await WireClient.connect(url, 'alice', 'a1')
  const created = await alice.ask({ t: 'conv:R', op: 'create', msgId: 'c', members: ['bob'] })
  conv = created.conversation.id as string
})
afterAll(() => cluster.close())

async function say(): Promise<void> {
  const msgId = `said-${said.length}`
  await alice.say({ conv }, msgId, { msgId })
  said.push(msgId)
}

/** Four kinds of writes have one kind of answer. */
function answerOf(t: string): string {
  return /^(edit|recall|react):R$/.test(t) ? 'msg:A' : t.replace(':R', ':A')
}

/** The status of a plain HTTP call. */
function http(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{ status: number; type: string; body: string }> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options
    const { port } = new URL(url)
    const call = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        const type = response.headers['content-type'] ?? ''
        resolve({ status: response.statusCode ?? 0, type, body: text })
      })
    })
    call.on('error', reject)
    call.end(body)
  })
}

const HEAD = /\r\n\r\n/
/** What comes back for raw bytes until the other side closes, it is `enough`, or for `waitMs`. */
function raw(
  bytes: string | Uint8Array,
  { waitMs = 15_000, enough = /$^/ }: { waitMs?: number; enough?: RegExp } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const socket = dial({ host: '127.0.0.1', port: Number(new URL(url).port) })
    let text = ''
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(text)
    }
    const timer = setTimeout(done, waitMs)
    socket.on('data', (data) => {
      text += String(data)
      if (enough.test(text)) done()
    })
    socket.on('error', done).on('close', done)
    socket.write(bytes)
  })
}

describe.each(SUBPROTOCOLS)('%s', (subprotocol) => {
  const open = (device: string) => WireClient.connect(url, 'alice', device, { subprotocol })

  const NAMES = [1, true, {}, [], '', 'a b', 'é', 'x'.repeat(200), [['a']]]
  const INTEGERS = ['1', true, 1.5, -1, 2 ** 53, {}, [], [1]]
  const FLAGS = ['true', 1, {}, []]
  const CHOICES = [1, true, {}, [], '', 'nonsense', 'PUSH']
  const TEXTS = [1, true, {}, [], 'x'.repeat(300)]
  const wrong: readonly [object, Record<string, readonly unknown[]>][] = [
    [
      { t: 'msg:R', conv: 'c', msgId: 'm', body: 1 },
      {
        conv: NAMES,
        msgId: NAMES,
        prev: NAMES,
        replyTo: [...INTEGERS, 0],
        since: INTEGERS,
        large: FLAGS,
      },
    ],
    [
      { t: 'msg:R', to: 'u', msgId: 'm', body: 1 },
      { to: NAMES, conv: ['c'] },
    ],
    [
      { t: 'pull:R', conv: 'c', after: 0, limit: 1 },
      {
        ...{ conv: NAMES, after: INTEGERS, before: [1], limit: [...INTEGERS, 0, 1001] },
        ...{ read: CHOICES, mark: [...TEXTS, 'no mark', '.', 'e.!'] },
      },
    ],
    [
      { t: 'conv:R', op: 'create', msgId: 'm', members: [] },
      {
        ...{ op: CHOICES, msgId: NAMES, name: TEXTS, meta: ['x'.repeat(20_000)] },
        members: [1, 'u', {}, [1], [''], ['a b'], [[]], Array.from({ length: 1001 }, () => 'u')],
      },
    ],
    [{ t: 'conv:R', op: 'direct', msgId: 'm', with: 'u' }, { with: NAMES }],
    [
      { t: 'conv:R', op: 'list' },
      { limit: [...INTEGERS, 0, 1001], after: [...TEXTS, '', 'x', '1.', '.c', '-1.c', '1.a b'] },
    ],
    [
      { t: 'conv:R', op: 'get', conv: 'c' },
      { conv: NAMES, membersFrom: INTEGERS },
    ],
    [
      { t: 'conv:R', op: 'receipts', conv: 'c', seq: 1 },
      { conv: NAMES, seq: [...INTEGERS, 0] },
    ],
    [
      { t: 'conv:R', op: 'remove', msgId: 'm', conv: 'c', user: 'u' },
      { conv: NAMES, user: NAMES, msgId: NAMES, prev: NAMES, since: INTEGERS },
    ],
    [
      { t: 'conv:R', op: 'leave', msgId: 'm', conv: 'c' },
      { conv: NAMES, msgId: NAMES },
    ],
    [
      { t: 'conv:R', op: 'set', msgId: 'm', conv: 'c' },
      {
        ...{ conv: NAMES, name: TEXTS, history: FLAGS, meta: ['x'.repeat(20_000)] },
        retention: [1, true, 'x', [], {}, { maxCount: 0 }, { maxAgeMs: -1 }, { preset: 'none' }],
      },
    ],
    [
      { t: 'conv:R', op: 'block', msgId: 'm', user: 'u' },
      { user: NAMES, conv: [...NAMES, 'c'] },
    ],
    [{ t: 'conv:R', op: 'unblock', msgId: 'm', user: 'u' }, { user: NAMES }],
    [
      { t: 'edit:R', conv: 'c', msgId: 'm', seq: 1, body: 1 },
      { conv: NAMES, msgId: NAMES, seq: [...INTEGERS, 0], prev: NAMES, since: INTEGERS },
    ],
    [
      { t: 'recall:R', conv: 'c', msgId: 'm', seq: 1 },
      { conv: NAMES, msgId: NAMES, seq: [...INTEGERS, 0], prev: NAMES, since: INTEGERS },
    ],
    [
      { t: 'react:R', conv: 'c', msgId: 'm', seq: 1, reaction: '+1', on: true },
      { conv: NAMES, msgId: NAMES, seq: [...INTEGERS, 0], reaction: TEXTS, on: FLAGS },
    ],
    [
      { t: 'ack:R', acks: [] },
      {
        acks: [
          ...[1, 'x', true, {}, [1], [{}], [[]]],
          ...INTEGERS.map((upTo) => [{ conv: 'c', upTo, kind: 'read' }]),
          ...NAMES.map((of) => [{ conv: of, upTo: 1, kind: 'read' }]),
          ...CHOICES.map((kind) => [{ conv: 'c', upTo: 1, kind }]),
          Array.from({ length: 1001 }, () => ({ conv: 'c', upTo: 1, kind: 'read' })),
        ],
        inbox: INTEGERS,
      },
    ],
    [
      { t: 'sync:R', after: 0, limit: 1 },
      {
        ...{ after: INTEGERS, limit: [...INTEGERS, 0, 1001], ack: INTEGERS, bodies: CHOICES },
        positions: [1, 'x', {}, [1], [{}], [{ conv: 'a b', seq: 1 }], [{ conv: 'c', seq: -1 }]],
        mark: [...TEXTS, 'no mark', '.', 'e.!'],
      },
    ],
    [
      { t: 'signal:R', to: 'u', name: 'typing', body: 1, n: 1 },
      {
        ...{ to: NAMES, conv: ['c'], name: TEXTS, n: INTEGERS, ttlMs: INTEGERS },
        body: ['x'.repeat(5_000)],
      },
    ],
    [
      { t: 'conv:R', op: 'add', msgId: 'm', conv: 'c', user: 'u' },
      { user: NAMES, role: [...CHOICES, 'owner'] },
    ],
    [
      { t: 'conv:R', op: 'role', msgId: 'm', conv: 'c', user: 'u', role: 'member' },
      { role: CHOICES },
    ],
    [
      { t: 'cancel:R', conv: 'c', msgId: 'm' },
      { conv: NAMES, msgId: NAMES },
    ],
    [{ t: 'ping:R' }, { inbox: INTEGERS }],
    [
      { t: 'hello:R', v: [1, 1], device: 'd' },
      { v: [1, 'x', {}, [1], [1, 1, 1], [2, 1], [-1, 1]], device: NAMES },
    ],
  ]

  test('the page of the protocol names no other request and no other operation', async () => {
    const page = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
    const named = new Set([...page.matchAll(/\b([a-z]+:R)\b/g)].map(([, name]) => name))
    named.delete('x:R')
    expect(new Set(wrong.map(([frame]) => (frame as { t: string }).t))).toEqual(named)
    const table = page.slice(page.indexOf('| `op` '), page.indexOf('| conv:A'))
    const operations = [...table.matchAll(/^\| (`[a-z`, ]+`) +\|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/[a-z]+/g)].map(([op]) => op),
    )
    const tried = wrong.flatMap(([frame]) => ('op' in frame ? [frame.op as string] : []))
    expect(new Set(tried)).toEqual(new Set(operations.filter((op) => op !== 'op')))
  })

  test('every field with every wrong kind of value is refused by name, under its id', async () => {
    const client = await open('fields')
    let count = 0
    for (const [frame, fields] of wrong) {
      for (const [field, values] of Object.entries(fields)) {
        for (const value of values) {
          const answer = await client.ask({ ...(frame as { t: string }), [field]: value })
          const what = `${JSON.stringify(frame)} with ${field} ${JSON.stringify(value).slice(0, 50)}`
          expect(answer.error, what).toBeDefined()
          expect(answer.t, what).toBe(answerOf((frame as { t: string }).t))
          const codes = ['INVALID_MESSAGE', 'UNSUPPORTED', 'PAYLOAD_TOO_LARGE']
          expect(codes, `${what}: ${answer.error!.code}`).toContain(answer.error!.code)
          expect(answer.error!.message, what).toContain(field)
          expect(answer.error!.outcome).toBe('notApplied')
          count += 1
        }
      }
      const required = Object.keys(frame).filter(
        (key) => !['t', 'id', 'after', 'conv', 'to'].includes(key),
      )
      for (const field of required) {
        const { [field]: _, ...rest } = frame as Record<string, unknown>
        const answer = await client.ask(rest as { t: string })
        expect(answer.error?.message, `without ${field}`).toContain(field)
      }
    }
    expect(count).toBeGreaterThan(500)
    await client.leave()
    await say()
  })

  test('unknown frames, frames of the node, frames without an id, things that are no frames', async () => {
    const client = await open('frames')
    for (const t of ['dance:R', 'msg:N', 'hello:A', 'msg', '', 'x'.repeat(1000), '__proto__:R']) {
      const from = client.received.length
      client.send({ t, id: 1 })
      const answer = await client.until((frame) => client.received.indexOf(frame) >= from, t)
      expect(answer.error?.code).toMatch(/UNSUPPORTED|INVALID_MESSAGE/)
    }
    for (const id of [undefined, null, -1, 1.5, '', 'x'.repeat(65), {}, [], true, 2 ** 53]) {
      const from = client.received.length
      client.send({ t: 'ping:R', id })
      const answer = await client.until((frame) => client.received.indexOf(frame) >= from)
      expect(answer).toMatchObject({ t: 'error:N', error: { code: 'INVALID_MESSAGE' } })
    }
    for (const nothing of [null, 1, 'text', true, [[]], [null, 1], {}]) {
      const from = client.received.length
      client.send(nothing)
      const answer = await client.until((frame) => client.received.indexOf(frame) >= from)
      expect(answer).toMatchObject({ t: 'error:N', error: { code: 'INVALID_MESSAGE' } })
    }
    const late = await client.ask({ t: 'hello:R', v: [1, 1], user: 'alice', device: 'x' })
    expect(late).toMatchObject({ t: 'hello:A', error: { code: 'INVALID_MESSAGE' } })
    const extra = await client.ask({ t: 'ping:R', more: { than: ['is', 'known'] } })
    expect(extra.error).toBeUndefined()
    const tooMany = Array.from({ length: 1025 }, (_, id) => ({ t: 'ping:R', id: `p${id}` }))
    client.send(tooMany)
    const refused = await client.until(({ error }) => error?.code === 'PAYLOAD_TOO_LARGE')
    expect(refused.t).toBe('error:N')
    await client.leave()
    await say()
  })

  test('5,000 garbage messages: each is answered, nobody else notices', async () => {
    const random = lcg(7)
    const binary = subprotocol === 'parley.v1.msgpack'
    let client = await open('garbage')
    let sent = 0
    let answered = 0
    while (sent < 5_000) {
      const count = 250
      for (let n = 0; n < count; n += 1) client.sendRaw(garbage(random, binary))
      sent += count
      await client.ask({ t: 'ping:R' })
      answered += client.received.filter(({ t, error }) => t === 'error:N' && error).length
      await client.leave()
      client = await open('garbage')
      await say()
    }
    expect(answered).toBe(sent)
    await client.leave()
  })

  test('the wrong kind of message, one that is too large, one before hello', async () => {
    const client = await open('kinds')
    client.sendRaw(
      subprotocol === 'parley.v1.json' ? Buffer.from([0xff, 0xfe]) : '{"t":"ping:R","id":1}',
    )
    await client.until(({ t, error }) => t === 'error:N' && error?.code === 'INVALID_MESSAGE')
    const from = client.received.length - 1
    client.sendRaw(Buffer.alloc(1024 * 1024, 0x20))
    await client.until((frame) => frame.t === 'error:N' && client.received.indexOf(frame) > from)
    expect(client.isClosed).toBe(false)
    client.sendRaw(Buffer.alloc(1024 * 1024 + 1, 0x20))
    expect((await client.closed).code).toBe(1009)
    const mute = await open('mute')
    mute.sendRaw(Buffer.from([0xff, 0xfe]), false)
    expect((await mute.closed).code).toBe(1007)
    for (const early of [{ t: 'ping:R', id: 1 }, { t: 'nonsense' }, 17]) {
      const stranger = await WireClient.open(url, { subprotocol })
      stranger.send(early)
      expect((await stranger.closed).code).toBe(1008)
      expect(stranger.received[0]!.error?.code).toMatch(/INVALID_MESSAGE|UNSUPPORTED/)
    }
    await say()
  })
})

test('who is no member learns and changes nothing', async () => {
  const eve = await WireClient.connect(url, 'eve', 'e1')
  await say()
  const asks: { t: string; [field: string]: unknown }[] = [
    { t: 'msg:R', msgId: 'e1', body: 1 },
    { t: 'pull:R', after: 0, limit: 9 },
    { t: 'pull:R', after: 1_000_000, limit: 9 },
    { t: 'pull:R', before: 9007199254740991, limit: 9, read: 'linearizable' },
    { t: 'conv:R', op: 'get' },
    { t: 'conv:R', op: 'add', msgId: 'e2', user: 'eve' },
    { t: 'conv:R', op: 'remove', msgId: 'e3', user: 'alice' },
    { t: 'conv:R', op: 'role', msgId: 'e4', user: 'eve', role: 'owner' },
    { t: 'conv:R', op: 'set', msgId: 'e5', name: 'mine' },
    { t: 'conv:R', op: 'leave', msgId: 'e6' },
  ]
  for (const ask of asks) {
    for (const [id, code] of [
      [conv, 'NOT_MEMBER'],
      ['g_never_made', 'GROUP_NOT_FOUND'],
    ] as const) {
      const answer = await eve.ask({ ...ask, conv: id })
      expect(answer.error, JSON.stringify(ask)).toMatchObject({ code, outcome: 'notApplied' })
      const { mark: _, ...shown } = answer
      expect(Object.keys(shown).sort()).toEqual(['error', 'id', 't'])
    }
  }
  expect((await eve.ask({ t: 'conv:R', op: 'list' })).conversations).toEqual([])
  expect(eve.received.filter(({ t }) => t === 'msg:N')).toEqual([])
  await eve.leave()
})

test('upgrades that are not granted: wrong origin, host, path, subprotocol', async () => {
  const { host } = new URL(url)
  const refused = (options: Parameters<typeof WireClient.open>[1]) =>
    WireClient.open(url, options).then(
      () => 'granted',
      (error: Error) => error.message,
    )
  for (const origin of ['https://evil.example', 'null', `http://${host}.evil.example`, 'file://']) {
    expect(await refused({ headers: { origin } })).toBe('HTTP 403')
    expect((await http('/v1/cluster', { headers: { origin } })).status).toBe(403)
  }
  expect(await refused({ headers: { origin: `http://${host}` } })).toBe('granted')
  for (const name of ['evil.example', '127.0.0.1', '127.0.0.1:1', 'localhost:1', '[::1', 'a b']) {
    expect(await refused({ headers: { host: name } }), name).toMatch(/HTTP 40[03]/)
    expect((await http('/readyz', { headers: { host: name } })).status, name).toBeGreaterThan(399)
  }
  for (const path of ['/', '/v1/ws/', '/v1/WS', '/v1/wsx', '/v2/ws', '//v1/ws', '/v1/%77s']) {
    expect(await refused({ path }), path).toBe('HTTP 404')
  }
  expect(await refused({ subprotocol: null })).toBe('HTTP 400')
  expect(await refused({ subprotocol: 'parley.v9' as Subprotocol })).toBe('HTTP 400')
  for (const none of ['', 'Host:\r\n']) {
    expect(await raw(`GET /livez HTTP/1.1\r\n${none}\r\n`, { enough: HEAD })).toMatch(
      /^HTTP\/1\.1 40[03] /,
    )
  }
  const head = `GET /v1/ws HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\n`
  const offers = 'Sec-WebSocket-Protocol: parley.v1.json\r\n'
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  for (const rest of [
    `Upgrade: h2c\r\n${offers}`,
    `Upgrade: websocket\r\n${offers}\r\n`,
    `Upgrade: websocket\r\nSec-WebSocket-Version: 7\r\n${key}${offers}`,
    `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n${offers}`,
  ]) {
    expect(await raw(`${head}${rest}\r\n`), rest).toMatch(/^HTTP\/1\.1 4\d\d /)
  }
  await say()
})

test('HTTP: unknown routes, wrong methods, what is no HTTP', async () => {
  const nothing = await http('/v1/unknown', { method: 'POST', body: '{"a":1}' })
  expect(nothing).toMatchObject({ status: 404, type: 'application/problem+json' })
  expect(JSON.parse(nothing.body)).toMatchObject({ status: 404, code: 'UNSUPPORTED' })
  for (const path of ['/', '/constructor', '/__proto__', '/livez/', '/../livez/x', '/%00']) {
    expect((await http(path)).status, path).toBe(404)
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    expect((await http('/v1/cluster', { method })).status, method).toBe(405)
  }
  expect((await http('/livez', { headers: { cookie: 'x'.repeat(20_000) } })).status).toBe(431)
  expect(await raw('\u0000\u0001 garbage\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/)
  expect(await raw('GET // HTTP/1.1\r\nHost: x\r\n\r\n', { enough: HEAD })).toMatch(
    /^HTTP\/1\.1 40[03]/,
  )
  expect(await raw(`CONNECT evil:1 HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`)).toBe('')
  const endless = `POST /livez HTTP/1.1\r\nHost: ${new URL(url).host}\r\nTransfer-Encoding: chunked\r\n\r\n`
  await raw(`${endless}fffffff\r\n${'x'.repeat(200_000)}`, { waitMs: 500 })
  await say()
})

test('connections that begin and say nothing more cost nobody anything', async () => {
  const sockets: Socket[] = []
  const halves = ['', 'G', 'GET /v1/ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Up']
  const frames = [Buffer.from([0x82]), Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 15, 255, 255])]
  for (let n = 0; n < 300; n += 1) {
    const socket = dial({ host: '127.0.0.1', port: Number(new URL(url).port) })
    socket.on('error', () => {})
    socket.write(halves[n % 3]!)
    sockets.push(socket)
  }
  const silent = await Promise.all(Array.from({ length: 50 }, () => WireClient.open(url)))
  for (let n = 0; n < 20; n += 1) {
    await say()
    const quick = await WireClient.connect(url, 'alice', 'quick')
    quick.sendRaw(frames[n % 2]!)
    await quick.leave()
  }
  // Hello has to come within 5 s.
  for (const one of silent) expect((await one.closed).code).toBe(1008)
  for (const socket of sockets) socket.destroy()
})

test('a length that no message has ends the connection at its header', async () => {
  const head = [
    ...['GET /v1/ws HTTP/1.1', `Host: ${new URL(url).host}`, 'Connection: Upgrade'],
    ...[
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: parley.v1.json',
    ],
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ].join('\r\n')
  const lie = Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4])
  const answer = await raw(Buffer.concat([Buffer.from(`${head}\r\n\r\n`), lie]))
  expect(answer).toMatch(/^HTTP\/1\.1 101/)
  expect(answer).toContain('\u0003')
  await say()
})

test('after all of it every node runs, is ready, and has everything that was acknowledged', async () => {
  expect(cluster.nodes.map(({ process: child }) => child?.pid)).toEqual(pids)
  await cluster.healthy()
  await cluster.converged()
  for (const node of cluster.nodes) {
    const reader = await WireClient.connect(node.url, 'alice', 'reader')
    const events: Frame[] = []
    for (let page: Frame, after = 0; ; after = page.next as number) {
      page = await reader.ask({ t: 'pull:R', conv, after, limit: 100, read: 'linearizable' })
      events.push(...(page.events as Frame[]))
      if (page.hasMore !== true) break
    }
    expect(events.slice(1).map(({ msgId }) => msgId)).toEqual(said)
    await reader.leave()
  }
  for (const { name } of cluster.nodes) {
    const output = await cluster.output(name)
    expect(output).not.toMatch(/"level":"(error|fatal)"|"level":[56]0|\n\s+at /)
  }
})

/** Small and repeatable. */
function lcg(seed: number): () => number {
  let state = seed
  return () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32
}

/** Never a valid frame: for JSON what no JSON begins with, for msgpack a type that is never used. */
function garbage(random: () => number, binary: boolean): Uint8Array | string {
  const length = Math.floor(random() * 300)
  const bytes = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))
  if (binary) return Buffer.concat([Buffer.from([0xc1]), bytes])
  return random() < 0.5 ? `}${bytes.toString('latin1')}` : Buffer.concat([Buffer.from('%'), bytes])
}
