// HTTP of real nodes, from their own description: GET /openapi.json tells what is called here.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectBackupAnswers } from '../backup/backup-answers.ts'
import { DocumentedHttp, type HttpCall, isAboutMembers, TOO_LARGE } from './documented-http.ts'
import { expectInspectAnswers } from './inspect-answers.ts'
import { onlyForOperators } from './operators-only.ts'
import { ProcessCluster } from './process-cluster.ts'
import { bearer, TOKEN_SECRET } from './token-of.ts'

const TOKENS = { tokenSecret: TOKEN_SECRET, flags: [] as string[] }
let cluster: ProcessCluster
let api: DocumentedHttp
const call = (...args: Parameters<DocumentedHttp['call']>) => api.call(...args)

beforeAll(async () => {
  cluster = await ProcessCluster.create(3)
  const secretFile = join(cluster.directory, 'push-secret')
  await writeFile(secretFile, TOKEN_SECRET, { mode: 0o600 })
  const webhook = ['--push-webhook-url', 'http://127.0.0.1:9/']
  TOKENS.flags = [...webhook, '--push-webhook-secret-file', secretFile]
  await cluster.startAll(TOKENS)
  await cluster.healthy()
  api = await DocumentedHttp.of(cluster)
})

afterAll(async () => {
  await cluster.close()
})

const key = (name: string) => ({ 'idempotency-key': name })
/** Routes that have a file of their own: `operate-http.ci.test.ts`. */
const isElsewhere = (route: string) =>
  route.startsWith('/v1/cluster/nodes/') || route === '/v1/cluster/upgrade'

test('[HT1] [HT3] [HT6] a backend makes a conversation, sends, and reads on any node', async () => {
  const route = '/v1/conversations'
  const made = { query: '?user=ann', headers: key('g1'), body: { members: ['bob'], name: 'x' } }
  const first = await call('POST', route, made)
  expect(first).toMatchObject({ status: 201, json: { duplicate: false } })
  expect(await call('POST', route, { ...made, node: 1 })).toMatchObject({ status: 200 })
  const other = { ...made, body: { members: ['eve'] } }
  expect(await call('POST', route, other)).toMatchObject({ status: 422 })
  expect(await call('POST', route, { ...made, body: {} })).toMatchObject({ status: 400 })
  expect(await call('POST', route, { ...made, query: '' })).toMatchObject({ status: 401 })
  expect(await call('POST', route, { ...made, body: TOO_LARGE })).toMatchObject({ status: 413 })
  const plain = { ...made, headers: { 'content-type': 'text/plain' } }
  expect(await call('POST', route, plain)).toMatchObject({ status: 415 })
  const id = (first.json['conversation'] as { id: string }).id

  const messages = '/v1/conversations/{id}/messages'
  const send = { id, query: '?user=ann', headers: key('m1'), body: { body: 'hello' } }
  const sent = await call('POST', messages, send)
  expect(sent).toMatchObject({ status: 201, json: { conv: id, msgId: 'm1', seq: 2 } })
  const again = await call('POST', messages, { ...send, node: 2 })
  expect(again).toMatchObject({ status: 200, json: { seq: 2, at: sent.json['at'] } })
  const refused: [number, Partial<HttpCall>][] = [
    [422, { body: { body: 'another' } }],
    [400, { headers: key('m2'), body: '{' }],
    [401, { query: '' }],
    [403, { query: '?user=eve', headers: key('m3') }],
    [404, { id: 'nowhere', headers: key('m4') }],
    [409, { headers: key('m5'), body: { body: 1, prev: 'never-sent' } }],
    [413, { body: TOO_LARGE }],
    [415, { headers: { 'content-type': 'text/plain' } }],
  ]
  for (const [status, more] of refused) {
    expect((await call('POST', messages, { ...send, ...more })).status).toBe(status)
  }

  // Its own write, on a node that may not have applied it yet.
  const mark = { 'parley-mark': sent.headers.get('parley-mark')! }
  const read = { id, query: '?user=bob', headers: mark, node: 1 }
  const page = await call('GET', messages, read)
  expect(page.json['events']).toMatchObject([{ seq: 1 }, { seq: 2, from: 'ann', body: 'hello' }])
  const back = await call('GET', messages, { ...read, query: '?user=bob&before=3&limit=1' })
  expect(back.json).toMatchObject({ events: [{ seq: 2 }], hasMore: true })
  const newest = { ...read, query: '?user=bob&after=1&read=linearizable', node: 2 }
  expect((await call('GET', messages, newest)).json).toMatchObject({ events: [{ seq: 2 }] })

  const one = '/v1/conversations/{id}'
  expect((await call('GET', one, read)).json).toMatchObject({ conversation: { id, head: 2 } })
  expect((await call('GET', '/v1/conversations', read)).json).toMatchObject({
    conversations: [{ id }],
  })
  const epoch = mark['parley-mark'].split('.')[0]!
  const ahead = { 'parley-mark': `${epoch}.zzzzzz` }
  for (const [path, own] of [
    [messages, true],
    [one, true],
    ['/v1/conversations', false],
  ] as const) {
    expect(await call('GET', path, { ...read, headers: ahead })).toMatchObject({ status: 503 })
    const wrong = { ...read, headers: { 'parley-mark': 'x' } }
    expect(await call('GET', path, wrong)).toMatchObject({ status: 400 })
    expect(await call('GET', path, { ...read, query: '' })).toMatchObject({ status: 401 })
    if (!own) continue
    expect(await call('GET', path, { ...read, query: '?user=eve' })).toMatchObject({ status: 403 })
    expect(await call('GET', path, { ...read, id: 'nowhere' })).toMatchObject({ status: 404 })
  }
})

test('[HT7] the feed: all conversations in one order, from any node, over a restart', async () => {
  const [one, two] = await Promise.all(
    ['ann', 'cid'].map(async (user) => {
      const body = { members: ['bob'] }
      const made = await call('POST', '/v1/conversations', { query: `?user=${user}`, body })
      return (made.json['conversation'] as { id: string }).id
    }),
  )
  const say = (id: string, user: string, text: string) =>
    call('POST', '/v1/conversations/{id}/messages', {
      ...{ id, query: `?user=${user}`, body: { body: text } },
    })
  for (let at = 0; at < 10; at += 1) {
    await Promise.all([say(one!, 'ann', `a${at}`), say(two!, 'cid', `c${at}`)])
  }
  const feed = async (node: number, after: string, more = '') => {
    const query = `?${after === '' ? '' : `after=${encodeURIComponent(after)}`}${more}`
    const { json } = await call('GET', '/v1/events', { node, query })
    return json as { events: Record<string, unknown>[]; next: string; hasMore: boolean }
  }
  const all = async (node: number, until: number) => {
    const events: Record<string, unknown>[] = []
    for (let after = ''; events.length < until;) {
      const page = await feed(node, after, '&limit=7&waitMs=1000')
      events.push(...page.events)
      after = page.next
    }
    return events
  }
  const { events } = await feed(0, '', '&limit=200')
  expect(events.filter(({ conv }) => conv === one).map(({ seq }) => seq)).toEqual(
    Array.from({ length: 11 }, (_, at) => at + 1),
  )
  expect(events.filter(({ body }) => /^[ac]\d$/.test(String(body))).length).toBe(20)
  expect(await all(1, events.length)).toEqual(events)
  await cluster.kill('n3')
  await cluster.start('n3', TOKENS)
  await cluster.healthy()
  expect(await all(2, events.length)).toEqual(events)
  // Its cursor goes on where another node stood, and waits for what comes.
  const middle = events[15]!['cursor'] as string
  expect((await feed(2, middle, '&limit=200')).events).toEqual(events.slice(16))
  const coming = feed(1, 'now', '&waitMs=20000')
  const late = await say(one!, 'ann', 'late')
  expect((await coming).events).toMatchObject([{ conv: one, seq: late.json['seq'], body: 'late' }])
  expect((await feed(1, 'now')).events).toEqual([])

  const epoch = middle.split('.')[0]!
  const wrong = {
    400: ['x', 'now&limit=0', 'now&waitMs=x'],
    410: ['other.5'],
    503: [`${epoch}.zzzz`],
  }
  for (const [status, cursors] of Object.entries(wrong)) {
    for (const after of cursors) {
      const answer = await call('GET', '/v1/events', { query: `?after=${after}` })
      expect(answer.status, after).toBe(Number(status))
    }
  }
  expect(await call('GET', '/v1/events', { headers: { authorization: 'Bearer x' } })).toMatchObject(
    { status: 401 },
  )
  const user = { headers: bearer({ sub: 'ann' }) }
  expect(await call('GET', '/v1/events', user)).toMatchObject({ status: 403 })
  const service = { headers: bearer({ sub: 'shop', role: 'service' }) }
  expect(await call('GET', '/v1/events', service)).toMatchObject({ status: 200 })
})

test('[HT5] a token says who calls; a service sends as any user, a viewer not at all', async () => {
  const made = await call('POST', '/v1/conversations', {
    ...{ headers: bearer({ sub: 'ann' }), body: { members: ['bob'] } },
  })
  expect(made).toMatchObject({
    status: 201,
    json: { conversation: { members: [{ user: 'ann' }, {}] } },
  })
  const { id } = made.json['conversation'] as { id: string }
  const send = (name: string, role: string, query = '') =>
    call('POST', '/v1/conversations/{id}/messages', {
      ...{ id, query, headers: bearer({ sub: name, role }), body: { body: name } },
    })
  expect(await send('ann', 'user')).toMatchObject({ status: 201, json: { seq: 2 } })
  expect(await send('shop', 'service', '?user=bob')).toMatchObject({
    status: 201,
    json: { seq: 3 },
  })
  expect(await send('shop', 'service')).toMatchObject({ status: 403, json: { code: 'NOT_MEMBER' } })
  expect(await send('eve', 'user', '?user=bob')).toMatchObject({ status: 401 })
  expect(await send('bob', 'viewer')).toMatchObject({ status: 403, json: { code: 'FORBIDDEN' } })
  expect(await send('ann', 'king')).toMatchObject({ status: 401 })
  const read = { id, headers: bearer({ sub: 'bob', role: 'viewer' }) }
  const page = await call('GET', '/v1/conversations/{id}/messages', read)
  expect(page.json['events']).toMatchObject([{ seq: 1 }, { from: 'ann' }, { from: 'bob' }])
})

test('[HT6] [PU7] a device subscribes to be called, with a token that is its own', async () => {
  const route = '/v1/push/subscriptions'
  expect((await call('GET', '/v1/push')).json).toMatchObject({ kinds: ['webhook'] })
  const headers = bearer({ sub: 'ann', device: 'phone' })
  const body = { device: 'phone', kind: 'webhook', endpoint: 'token' }
  const query = '?device=phone'
  for (const [method, more] of [
    ['POST', { body }],
    ['DELETE', { query }],
  ] as const) {
    expect(await call(method, route, { ...more, headers })).toMatchObject({ status: 200 })
    expect(await call(method, route, more)).toMatchObject({ status: 401 })
    const other = bearer({ sub: 'ann', device: 'laptop' })
    expect(await call(method, route, { ...more, headers: other })).toMatchObject({ status: 403 })
  }
  expect(await call('DELETE', route, { headers })).toMatchObject({ status: 400 })
  const web = { ...body, kind: 'web', keys: { p256dh: 'x', auth: 'y' } }
  expect(await call('POST', route, { headers, body: web })).toMatchObject({
    status: 400,
    json: { code: 'UNSUPPORTED' },
  })
  expect(await call('POST', route, { headers, body: TOO_LARGE })).toMatchObject({ status: 413 })
  const plain = { headers: { ...headers, 'content-type': 'text/plain' }, body: '{}' }
  expect(await call('POST', route, plain)).toMatchObject({ status: 415 })
})

test('[HT6] what machines ask', async () => {
  for (const route of ['/livez', '/readyz', '/metrics', '/v1/cluster', '/openapi.json']) {
    expect(await call('GET', route)).toMatchObject({ status: 200 })
  }
  expect((await call('GET', '/readyz', { query: '?exclude=none' })).status).toBe(400)
  expect((await call('GET', '/v1/cluster/log', { query: '?limit=0' })).status).toBe(400)
  const { replication } = (await call('GET', '/v1/cluster')).json
  expect(replication).toEqual({ voters: 3, majority: 2, mayFail: 1 })
})

test('[AD6] [AD7] [HT6] an operator changes settings and revokes tokens; nobody else does', async () => {
  const admin = { headers: bearer({ sub: 'op', role: 'admin' }) }
  const routes: [string, string, object][] = [
    ['GET', '/v1/cluster', {}],
    ['GET', '/v1/cluster/self', {}],
    ['GET', '/v1/cluster/log', {}],
    ['GET', '/v1/cluster/settings', {}],
    ['POST', '/v1/cluster/settings', { body: { windowMs: 7_200_000 } }],
    ['POST', '/v1/cluster/revocations', { body: { user: 'mallory', device: 'phone' } }],
    ['GET', '/v1/cluster/erasures', {}],
    ['POST', '/v1/cluster/erasures', { body: { user: 'mallory' } }],
  ]
  for (const [method, route, more] of routes) {
    const user = { ...more, headers: bearer({ sub: 'eve' }) }
    const wrong = { ...more, headers: { authorization: 'Bearer nonsense' } }
    expect(await call(method, route, user)).toMatchObject({ status: 403 })
    expect(await call(method, route, wrong)).toMatchObject({ status: 401 })
    expect(await call(method, route, { ...more, ...admin })).toMatchObject({ status: 200 })
  }
  const bad: [string, unknown][] = [
    ['settings', { windowMs: 1 }],
    ['settings', { windowMs: '1h' }],
    ['settings', { colour: 1 }],
    ['settings', {}],
    ['settings', '[]'],
    ['revocations', {}],
    ['erasures', { user: 'a b' }],
    ['revocations', { user: 'x', device: 'a b' }],
    ['revocations', { user: 'x', before: Date.now() + 3_600_000 }],
  ]
  for (const [route, body] of bad) {
    const answer = await call('POST', `/v1/cluster/${route}`, { ...admin, body })
    expect(answer, JSON.stringify(body)).toMatchObject({
      status: 400,
      json: { code: 'INVALID_MESSAGE' },
    })
  }
  for (const name of ['settings', 'revocations', 'erasures']) {
    const route = `/v1/cluster/${name}`
    expect(await call('POST', route, { ...admin, body: TOO_LARGE })).toMatchObject({ status: 413 })
    const headers = { ...admin.headers, 'content-type': 'text/plain' }
    expect(await call('POST', route, { headers, body: '{}' })).toMatchObject({ status: 415 })
  }
  for (const node of [0, 1, 2]) {
    const values = async () => {
      const { json } = await call('GET', '/v1/cluster/settings', { ...admin, node })
      const settings = json['settings'] as { name: string; value: number }[]
      return settings.find(({ name }) => name === 'windowMs')?.value
    }
    await expect.poll(values).toBe(7_200_000)
  }
})

test('[MT1] [MT2] [MT3] [MT4] an operator follows one message, without what it says', async () => {
  const admin = { headers: bearer({ sub: 'op', role: 'admin' }) }
  const as = (user: string) => ({ query: `?user=${user}`, headers: key(`tr-${user}`) })
  const { json } = await call('POST', '/v1/conversations', {
    ...{ ...as('tia'), body: { members: ['udo'] } },
  })
  const { id } = json['conversation'] as { id: string }
  const messages = '/v1/conversations/{id}/messages'
  const sent = await call('POST', messages, { id, ...as('udo'), body: { body: 'sssecret' } })
  const seq = sent.json['seq'] as number
  const route = '/v1/cluster/conversations/{id}/trace'
  for (const query of [`?seq=${seq}`, '?msgId=tr-udo', '?msgId=tr-udo&from=udo']) {
    const told = await call('GET', route, { ...admin, id, query: `${query}&read=linearizable` })
    expect(told.json).toMatchObject({
      ...{ found: true, kind: 'message', seq, from: 'udo', bodyBytes: 9, changes: [] },
      log: { index: expect.any(Number), term: expect.any(Number) },
      ...{ members: 2, delivered: 0, receipts: [{ user: 'tia', delivered: false, read: false }] },
    })
    expect(JSON.stringify(told.json)).not.toContain('sssecret')
  }
  const none = await call('GET', route, { ...admin, id, query: '?msgId=tr-udo&from=tia' })
  expect(none.json).toMatchObject({ found: false, firstSeq: 1, head: seq, searchedFrom: 1 })
  expect((await call('GET', route, { ...admin, id: 'c_none', query: '?seq=1' })).status).toBe(404)
  expect((await call('GET', route, { ...admin, id })).status).toBe(400)
  await onlyForOperators(api, route, id, `?seq=${seq}`)
})

test('[AD8] [AD11] an erased user leaves stubs behind, the same on every node', async () => {
  const admin = { headers: bearer({ sub: 'op', role: 'admin' }) }
  const as = (user: string) => `?user=${user}`
  const group = { query: as('gus'), headers: key('ge'), body: { members: ['hal'] } }
  const { json } = await call('POST', '/v1/conversations', group)
  const { id } = json['conversation'] as { id: string }
  const messages = '/v1/conversations/{id}/messages'
  for (const [name, user] of Object.entries({ e1: 'gus', e2: 'hal', e3: 'gus' })) {
    await call('POST', messages, { id, query: as(user), headers: key(name), body: { body: name } })
  }
  const left = '/v1/cluster/erasures/{user}'
  const gus = { ...admin, id: 'gus', query: '?read=linearizable', node: 1 }
  expect((await call('GET', left, gus)).json).toEqual({
    ...{ user: 'gus', pending: false, next: null, conversations: [{ conv: id, bodies: 2 }] },
  })
  expect((await call('GET', left, { ...gus, query: `?after=0.${id}` })).json).toMatchObject({
    conversations: [{ bodies: 2 }],
  })
  expect(await call('GET', left, { ...gus, query: '?after=~' })).toMatchObject({ status: 400 })
  await call('POST', '/v1/cluster/erasures', { ...admin, body: { user: 'gus' } })
  const pending = async () =>
    (await call('GET', '/v1/cluster/erasures', admin)).json['users'] as string[]
  await expect.poll(pending).not.toContain('gus')
  for (const node of [0, 1, 2]) {
    const query = `${as('hal')}&read=linearizable`
    const page = await call('GET', messages, { id, query, node })
    const events = page.json['events'] as { body?: unknown; expired?: boolean; from: string }[]
    const said = events.slice(1).map(({ from, body, expired }) => [from, body, expired])
    const stub = ['gus', undefined, true]
    expect(said).toEqual([stub, ['hal', 'e2', undefined], stub])
  }
  expect((await call('GET', left, gus)).json).toMatchObject({ pending: false, conversations: [] })
  expect(await call('GET', left, { ...admin, id: 'a b' })).toMatchObject({ status: 400 })
  await onlyForOperators(api, left, 'gus')
})

test('[AD12] an operator reads all that a conversation keeps, page by page, on any node', async () => {
  const admin = { headers: bearer({ sub: 'op', role: 'admin' }) }
  const group = { query: '?user=ida', headers: key('gx'), body: { members: ['jon'] } }
  const { json } = await call('POST', '/v1/conversations', group)
  const { id } = json['conversation'] as { id: string }
  for (let at = 0; at < 5; at += 1) {
    const send = { id, query: '?user=ida', headers: key(`x${at}`), body: { body: at } }
    await call('POST', '/v1/conversations/{id}/messages', send)
  }
  const route = '/v1/cluster/conversations/{id}/export'
  const lines: Record<string, unknown>[] = []
  for (let after = 0, node = 0, hasMore = true; hasMore; node += 1) {
    const query = `?limit=4&read=linearizable&after=${after}`
    const page = await call('GET', route, { ...admin, id, query, node: node % 3 })
    lines.push(...page.lines.slice(0, -1).map((line) => JSON.parse(line) as typeof page.json))
    after = page.json['next'] as number
    hasMore = page.json['hasMore'] as boolean
  }
  expect(lines.map(({ t }) => t)).toEqual(['conv:A', ...Array<string>(6).fill('msg:N')])
  expect(lines.slice(2).map(({ seq, body }) => [seq, body])).toEqual(
    [0, 1, 2, 3, 4].map((at) => [at + 2, at]),
  )
  for (const query of ['after=-1', 'after=7', 'limit=0', 'limit=1001', 'members=x']) {
    const answer = await call('GET', route, { ...admin, id, query: `?${query}` })
    expect(answer, query).toMatchObject({ status: 400, json: { code: 'INVALID_MESSAGE' } })
  }
  expect(await call('GET', route, { ...admin, id: 'nowhere' })).toMatchObject({ status: 404 })
  await onlyForOperators(api, route, id)
})

test('[IC1] [IC4] [WB1] an operator looks at conversations and lags, on any node, and at bodies on purpose', async () => {
  await expectInspectAnswers(api)
})

test('[AD10] a dry run of retention, on the leader, with the policy there is or another', async () => {
  const admin = { headers: bearer({ sub: 'op', role: 'admin' }) }
  const group = { query: '?user=kim', headers: key('gr'), body: { members: ['lou'] } }
  const { json } = await call('POST', '/v1/conversations', group)
  const { id } = json['conversation'] as { id: string }
  for (let at = 0; at < 4; at += 1) {
    const send = { id, query: '?user=kim', headers: key(`r${at}`), body: { body: 'four' } }
    await call('POST', '/v1/conversations/{id}/messages', send)
  }
  // Who leads may change between two calls.
  const ask = async (route: string, wanted: (status: number) => boolean, more: HttpCall) => {
    for (let node = 0; ; node = (node + 1) % 3) {
      const answer = await call('GET', route, { ...admin, id, ...more, node })
      if (wanted(answer.status)) return answer
    }
  }
  const onLeader = (route: string, query: string, more: HttpCall = {}) =>
    ask(route, (status) => status !== 503, { query, ...more })
  const one = '/v1/cluster/conversations/{id}/retention'
  const preset = '?maxCount=1&read=linearizable'
  expect((await onLeader(one, preset)).json).toMatchObject({
    ...{ conv: id, events: 4, stubs: 0, bytes: 15, oldestKept: { seq: 5 }, isWhole: true },
  })
  for (const query of ['', '?maxCount=0', '?maxAgeMs=1d', '?preset=all']) {
    expect(await onLeader(one, query), query).toMatchObject({ status: 400 })
  }
  expect(await onLeader(one, preset, { id: 'nowhere' })).toMatchObject({ status: 404 })
  const all = '/v1/cluster/retention'
  expect((await onLeader(all, '')).json).toEqual({ conversations: [], next: null })
  for (const route of [one, all]) {
    const elsewhere = await ask(route, (status) => status === 503, { query: preset })
    expect(elsewhere.json).toMatchObject({ code: 'NOT_LEADER', leader: { id: expect.any(String) } })
    expect(await onLeader(route, '?read=soon')).toMatchObject({ status: 400 })
    for (const [status, headers] of [
      [403, bearer({ sub: 'eve' })],
      [401, { authorization: 'Bearer nonsense' }],
    ] as const) {
      expect(await onLeader(route, preset, { headers })).toMatchObject({ status })
    }
  }
})

test('[BK1] [BK2] a backup is read from any node, and that it was verified is told', () =>
  expectBackupAnswers(cluster, api))

test('[AD6] whatever is posted by operators is refused alike where it is wrong', async () => {
  const answers = await api.wrongPosts(
    (route) => route.startsWith('/v1/cluster/') && !isAboutMembers(route),
  )
  expect(answers).not.toEqual([])
  for (const { route, came, expected } of answers) expect([route, came]).toEqual([route, expected])
})

test('[HT2] without a majority a write ends unknown, and its copy later is the only one', async () => {
  const group = { query: '?user=ann', headers: key('g2'), body: { members: ['bob'] } }
  const { json } = await call('POST', '/v1/conversations', group)
  const { id } = json['conversation'] as { id: string }
  await Promise.all([cluster.kill('n2'), cluster.kill('n3')])
  const send = { id, query: '?user=ann', headers: key('u1'), body: { body: 1 } }
  const messages = '/v1/conversations/{id}/messages'
  const lost = await call('POST', messages, send)
  expect(lost.status).toBe(503)
  expect(['OUTCOME_UNKNOWN', 'NO_LEADER', 'NO_QUORUM']).toContain(lost.json['code'])
  expect(lost.headers.get('idempotency-key')).toBe('u1')
  const late = { ...group, headers: key('g3') }
  expect(await call('POST', '/v1/conversations', late)).toMatchObject({ status: 503 })
  const backup = { headers: bearer({ sub: 'op', role: 'admin' }), query: '?read=linearizable' }
  expect(await call('GET', '/v1/cluster/backup', backup)).toMatchObject({ status: 503 })
  const push = '/v1/push/subscriptions'
  const device = { device: 'd', kind: 'webhook' }
  const subscribed = call('POST', push, { query: '?user=ann', body: device })
  expect(await call('DELETE', push, { query: '?user=ann&device=d' })).toMatchObject({ status: 503 })
  expect(await subscribed).toMatchObject({ status: 503 })
  await expect.poll(async () => (await call('GET', '/readyz')).status).toBe(503)
  await Promise.all([cluster.start('n2', TOKENS), cluster.start('n3', TOKENS)])
  await cluster.healthy()
  expect([200, 201]).toContain((await call('POST', messages, send)).status)
  expect(await call('POST', messages, { ...send, node: 1 })).toMatchObject({ status: 200 })
  const all = await call('GET', messages, { id, query: '?user=ann&read=linearizable' })
  expect((all.json['events'] as { msgId: string }[]).map(({ msgId }) => msgId)).toEqual([
    'g2',
    'u1',
  ])
})

test('[HT6] every documented answer of every route was seen', () => {
  const unseen = api.unseen((route) => !isAboutMembers(route) && !isElsewhere(route))
  expect(unseen).toEqual([])
})
