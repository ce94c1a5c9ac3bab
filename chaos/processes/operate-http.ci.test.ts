// What operators call, on real nodes with tokens, from their own description.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DocumentedHttp, type HttpCall } from './documented-http.ts'
import { ProcessCluster } from './process-cluster.ts'
import { bearer, TOKEN_SECRET } from './token-of.ts'

let cluster: ProcessCluster
let api: DocumentedHttp
const call = (...args: Parameters<DocumentedHttp['call']>) => api.call(...args)

beforeAll(async () => {
  cluster = await ProcessCluster.create(3)
  await cluster.startAll({ tokenSecret: TOKEN_SECRET })
  await cluster.healthy()
  api = await DocumentedHttp.of(cluster)
})
afterAll(() => cluster.close())

test('[AD13] [DR2] nodes are drained and taken back, and the last one that serves is not', async () => {
  const route = '/v1/cluster/nodes/{id}/drain'
  const headers = bearer({ sub: 'op', role: 'admin' })
  const ask = (method: string, id: string, more: Partial<HttpCall> = {}) =>
    call(method, route, { headers, id, ...more })
  expect(await ask('POST', 'n2', { body: { dryRun: true } })).toMatchObject({
    ...{ status: 200, json: { phase: 'serving', refuges: ['n1', 'n3'] } },
  })
  expect(await ask('POST', 'n2', { body: { dryRun: 7 } })).toMatchObject({ status: 400 })
  for (const id of ['n2', 'n3']) {
    expect((await ask('POST', id, { body: {} })).status).toBe(200)
    await expect.poll(async () => (await ask('GET', id)).json['phase']).toBe('drained')
  }
  await expect.poll(async () => (await ask('POST', 'n1', { body: {} })).json['code']).toBe('UNSAFE')
  for (const id of ['n2', 'n3']) {
    expect(await ask('DELETE', id)).toMatchObject({ status: 200, json: { phase: 'serving' } })
  }
  for (const method of ['GET', 'POST', 'DELETE']) {
    const body = method === 'POST' ? { body: {} } : {}
    expect(await ask(method, 'n9', body)).toMatchObject({ status: 404 })
    for (const [status, authorization] of [
      [401, 'Bearer nonsense'],
      [403, bearer({ sub: 'eve' }).authorization],
    ] as const) {
      expect(await ask(method, 'n2', { ...body, headers: { authorization } })).toMatchObject({
        status,
      })
    }
  }
  await cluster.healthy()
})

test('[AD13] [A9] the level of an upgrade is shown and raised by whichever node is asked', async () => {
  const route = '/v1/cluster/upgrade'
  const headers = bearer({ sub: 'op', role: 'admin' })
  const shown = { status: 200, json: { level: 2, most: 2, waitingFor: [] } }
  for (const node of [0, 1, 2]) {
    expect(await call('GET', route, { headers, node })).toMatchObject(shown)
    expect(await call('POST', route, { headers, node, body: {} })).toMatchObject(shown)
  }
  expect(await call('POST', route, { headers, body: { dryRun: 1 } })).toMatchObject({ status: 400 })
  const nonsense = { authorization: 'Bearer nonsense' }
  expect(await call('GET', route, { headers: nonsense })).toMatchObject({ status: 401 })
  const user = { headers: bearer({ sub: 'eve' }) }
  expect(await call('GET', route, user)).toMatchObject({ status: 403 })
})

test('[AD26] [MT1] each node tells what any other knows of a message', async () => {
  const route = '/v1/cluster/nodes/{id}/trace'
  const headers = bearer({ sub: 'op', role: 'admin' })
  const made = await call('POST', '/v1/conversations', {
    ...{ query: '?user=ann', body: { members: ['bob'] } },
    headers: { ...bearer({ sub: 'backend', role: 'service' }), 'idempotency-key': 'g1' },
  })
  const { id: conv } = made.json['conversation'] as { id: string }
  const which = `?conversation=${conv}&msgId=g1&from=ann`
  const found = { found: true, conv, seq: 1, msgId: 'g1' }
  for (const node of [0, 1, 2]) {
    const ask = () => call('GET', route, { headers, node, id: 'n2', query: which })
    await expect.poll(ask, { timeout: 30_000 }).toMatchObject({ status: 200, json: found })
  }
  const cases: [number, Partial<HttpCall>][] = [
    [200, { query: `?conversation=${conv}&seq=9` }],
    [400, { query: `?conversation=${conv}` }],
    [400, { query: `?conversation=${conv}&seq=1&msgId=g1` }],
    [400, { query: '?seq=1' }],
    [401, { headers: { authorization: 'Bearer nonsense' } }],
    [403, { headers: bearer({ sub: 'eve' }) }],
    [404, { query: '?conversation=c_none&seq=1' }],
    [404, { id: 'n9' }],
  ]
  for (const [status, more] of cases) {
    expect(await call('GET', route, { headers, id: 'n3', query: which, ...more })).toMatchObject({
      status,
    })
  }
})

test('[AD26] each node tells what any other says of itself, until it is down', async () => {
  const path = '/v1/cluster/nodes/{id}'
  const routes = ['', '/self', '/log', '/metrics'].map((part) => `${path}${part}`)
  const headers = bearer({ sub: 'op', role: 'admin' })
  for (const route of routes) {
    for (const node of [0, 1, 2]) {
      const ask = async () => (await call('GET', route, { headers, node, id: 'n2' })).status
      await expect.poll(ask, { timeout: 30_000 }).toBe(200)
    }
    for (const [status, more] of [
      [401, { id: 'n2', headers: { authorization: 'Bearer nonsense' } }],
      [403, { id: 'n2', headers: bearer({ sub: 'eve' }) }],
      [404, { id: 'n9', headers }],
    ] as const) {
      expect(await call('GET', route, more)).toMatchObject({ status })
    }
  }
  expect(await call('GET', path, { headers, id: 'n3' })).toMatchObject({ json: { node: 'n3' } })
  const log = { headers, id: 'n3', query: '?limit=0' }
  expect(await call('GET', `${path}/log`, log)).toMatchObject({ status: 400 })
  await cluster.kill('n3')
  const trace = `${path}/trace`
  for (const route of [...routes, trace]) {
    const query = route === trace ? '?conversation=c_1&seq=1' : ''
    const ask = async () => (await call('GET', route, { headers, id: 'n3', query })).status
    await expect.poll(ask, { timeout: 30_000 }).toBe(503)
  }
  expect(api.unseen((route) => [...routes, trace].includes(route))).toEqual([])
})
