// What operators call about members, from the description of the nodes; on any node.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DocumentedHttp, isAboutMembers } from './documented-http.ts'
import { ProcessCluster } from './process-cluster.ts'
import { bearer, TOKEN_SECRET } from './token-of.ts'

const admin = bearer({ sub: 'op', role: 'admin' })
/** Answers that need a cluster in a state of its own: tests of that state bring them about. */
const ELSEWHERE = [
  ...['POST /v1/cluster/leadership-transfers 409', 'POST /v1/cluster/members 412'],
  'DELETE /v1/cluster/members/{id} 409',
  ...[200, 412].map((status) => `POST /v1/cluster/members/{id}/replacement ${status}`),
]
let cluster: ProcessCluster
let api: DocumentedHttp
const call = (...args: Parameters<DocumentedHttp['call']>) => api.call(...args)

beforeAll(async () => {
  cluster = await ProcessCluster.create(3)
  cluster.headers = () => admin
  await cluster.startAll({ dev: false, tokenSecret: TOKEN_SECRET })
  await cluster.healthy()
  api = await DocumentedHttp.of(cluster)
})
afterAll(() => cluster.close())

test('[AD13] leadership moves, whichever node is asked', async () => {
  const route = '/v1/cluster/leadership-transfers'
  const headers = bearer({ sub: 'op', role: 'admin' })
  const moved = await call('POST', route, { headers, body: {} })
  expect(moved).toMatchObject({ status: 200, json: { gapMs: expect.any(Number) } })
  expect(moved.json['to']).not.toBe(moved.json['from'])
  const back = { headers, body: { to: moved.json['from'] }, node: 2 }
  expect(await call('POST', route, back)).toMatchObject({
    status: 200,
    json: { from: moved.json['to'] },
  })
  const wrong = await call('POST', route, { headers, body: { to: 7 } })
  expect(wrong).toMatchObject({ status: 400, json: { code: 'INVALID_MESSAGE' } })
  const nobody = { ...back, body: { to: 'n9' }, node: 1 }
  expect(await call('POST', route, nobody)).toMatchObject({
    ...{ status: 404, json: { code: 'UNKNOWN_MEMBER' } },
  })
})

test('[AD6] whatever is posted by operators is refused alike where it is wrong', async () => {
  const answers = await api.wrongPosts(isAboutMembers)
  expect(answers).not.toEqual([])
  for (const { route, came, expected } of answers) expect([route, came]).toEqual([route, expected])
})

test('[MR9] [MR10] the members are shown by any node, and changed only if they are the same', async () => {
  const members = '/v1/cluster/members'
  const views = await Promise.all(
    [0, 1, 2].map((node) => call('GET', members, { headers: admin, node })),
  )
  const tags = views.map(({ json }) => json['configuration'])
  expect(tags).toEqual([tags[0], tags[0], tags[0]])
  const [n1, n2] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]]
  const post = (body: object, more: object = {}) =>
    call('POST', members, { headers: { ...admin, ...more }, body, node: 1 })
  const itself = { name: n1.name, peer: n1.peerAddress, url: n1.url }
  const same = { 'if-match': `"${tags[0] as string}"` }
  expect(await post(itself, same)).toMatchObject({ status: 200, json: { configuration: tags[0] } })
  expect(await post({ ...itself, peer: n2.peerAddress })).toMatchObject({
    status: 409,
    json: { code: 'NAME_TAKEN' },
  })
  for (const wrong of [
    { name: 'a b' },
    { peer: 'nowhere' },
    { peer: 'a:0' },
    { url: 'ftp://a:1' },
    { url: 'http://a:1/x' },
    { instead: 1 },
  ]) {
    expect(await post({ ...itself, ...wrong })).toMatchObject({ status: 400 })
  }
  const other = { ...admin, 'if-match': '"0"' }
  const one = `${members}/{id}`
  const fenced = await call('DELETE', one, { id: 'n3', headers: other, node: 2 })
  expect(fenced).toMatchObject({ status: 412, json: { code: 'CONFIGURATION_CHANGED' } })
  // Done is done, whoever did it.
  expect(await call('DELETE', one, { id: 'n9', headers: admin })).toMatchObject({ status: 200 })
  const replacement = `${one}/replacement`
  const well = await call('POST', replacement, { id: 'n3', headers: admin, body: {} })
  expect(well).toMatchObject({
    status: 409,
    json: { code: 'UNSAFE', detail: expect.stringContaining('has its data') },
  })
  expect(await call('POST', replacement, { id: 'n3', headers: admin, body: [] })).toMatchObject({
    status: 400,
  })
  const nobody = await call('POST', replacement, { id: 'n9', headers: admin, body: {} })
  expect(nobody).toMatchObject({ status: 404, json: { code: 'UNKNOWN_MEMBER' } })
  for (const [status, headers] of [
    [401, { authorization: 'Bearer nonsense' }],
    [403, bearer({ sub: 'eve' })],
  ] as const) {
    expect(await call('GET', members, { headers })).toMatchObject({ status })
    expect(await call('DELETE', one, { id: 'n3', headers })).toMatchObject({ status })
    expect(await call('GET', '/v1/cluster/preflight', { headers })).toMatchObject({ status })
  }
})

test('[MR9] whether a node may be stopped is one question, to any node', async () => {
  const ask = (query: string, node = 0) =>
    call('GET', '/v1/cluster/preflight', { query, headers: admin, node })
  const { json } = await ask('?action=stop&node=n2', 2)
  expect(json).toMatchObject({ verdict: 'ok', action: 'stop', node: 'n2', next: [] })
  expect(json['reasons']).toContainEqual(expect.objectContaining({ code: 'noneToSpare' }))
  for (const query of ['', '?action=eat&node=n2', '?action=stop']) {
    expect(await ask(query), query).toMatchObject({ status: 400 })
  }
  await cluster.kill('n3')
  const isSeen = async () => (await ask('?action=stop&node=n2')).json['verdict']
  await expect.poll(isSeen).toBe('refuse')
  await cluster.kill('n2')
  const calls = [
    call('POST', '/v1/cluster/leadership-transfers', { headers: admin, body: { to: 'n2' } }),
    call('POST', '/v1/cluster/members', {
      headers: admin,
      body: { name: 'n4', peer: 'h:1', url: 'http://h:2' },
    }),
    call('DELETE', '/v1/cluster/members/{id}', { id: 'n3', headers: admin }),
    call('POST', '/v1/cluster/members/{id}/replacement', { id: 'n3', headers: admin, body: {} }),
  ]
  await Promise.all(calls)
  const isLost = async () => (await call('GET', '/v1/cluster/members', { headers: admin })).status
  await expect.poll(isLost).toBe(503)
  const late = await Promise.all([
    ask('?action=stop&node=n1'),
    call('POST', '/v1/cluster/leadership-transfers', { headers: admin, body: {} }),
    call('POST', '/v1/cluster/members', {
      headers: admin,
      body: { name: 'n4', peer: 'h:1', url: 'http://h:2' },
    }),
    call('DELETE', '/v1/cluster/members/{id}', { id: 'n3', headers: admin }),
    call('POST', '/v1/cluster/members/{id}/replacement', { id: 'n3', headers: admin, body: {} }),
  ])
  expect(late.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503])
})

test('[HT6] every documented answer about members was seen', () => {
  const unseen = api.unseen(isAboutMembers).filter((name) => !ELSEWHERE.includes(name))
  expect(unseen).toEqual([])
})
