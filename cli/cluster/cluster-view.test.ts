import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { judge } from './cluster-status.ts'
import { askNode } from './cluster-view.ts'
import { collectViews } from './collect-views.ts'
import { statusText } from './status-table.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

async function serve(status: number, body: () => string): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end(body()))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const view = (more: object) =>
  JSON.stringify({
    ...{ clusterId: 'c', epoch: 'e', node: 'n1', leader: 'n1', term: 1, commit: 1, applied: 1 },
    ...{ ready: true, reasons: [], members: [], ...more },
  })
const ASK = { timeoutMs: 5_000 }

test('control characters of a node reach no terminal', async () => {
  const evil = 'n1\u001b[2J\u009b31m\u202e\r\nHEALTHY'
  const url: string = await serve(200, () =>
    view({
      ...{ node: evil, leader: evil, version: '\u001b]0;x\u0007', ready: false, reasons: [evil] },
      members: [{ name: evil, role: '\u001b[1m', url, state: evil }],
    }),
  )
  const text = statusText(judge(await collectViews([url], ASK)))
  // eslint-disable-next-line no-control-regex -- they are what must not be there
  expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
  expect(text.split('\n').filter((line) => line.startsWith('HEALTHY'))).toEqual([])
})

test('what is no view of a cluster is said to be none', async () => {
  const asked = async (status: number, body: string) =>
    askNode(await serve(status, () => body), ASK)
  for (const body of ['', '[]', 'null', '{"node":1}', view({ members: [null] })]) {
    expect(await asked(200, body)).toMatchObject({ view: null, failure: 'strange' })
  }
  for (const url of ['javascript:1', 'x', 'file:///etc/passwd']) {
    const answer = await asked(200, view({ members: [{ name: 'a', url }] }))
    expect(answer).toMatchObject({ view: null, failure: 'strange' })
  }
  expect(await asked(401, '{"detail":"no"}')).toMatchObject({ failure: 'refused', detail: 'no' })
  expect(await asked(404, '{"code":"UNSUPPORTED"}')).toMatchObject({ failure: 'elsewhere' })
  expect(await asked(200, 'x'.repeat(5 << 20))).toMatchObject({
    ...{ failure: 'silent', detail: expect.stringContaining('longer than') },
  })
})

test('who answers too late is silent, and nobody waits for him longer', async () => {
  const server = createServer(() => {})
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const answer = await askNode(url, { timeoutMs: 100 })
  expect(answer).toEqual({ view: null, failure: 'silent', detail: 'no answer within 100 ms' })
})

test('one address is enough: members are asked where the first says they are', async () => {
  const second = await serve(200, () => view({ node: 'n2', members: [] }))
  const first: string = await serve(200, () =>
    view({
      members: [
        { name: 'n1', role: 'voter', url: first },
        { name: 'n2', role: 'voter', url: second },
      ],
    }),
  )
  const answers = await collectViews([first], ASK)
  expect([...answers.keys()]).toEqual([first, second])
})

/** Answers by path; 404 to anything else. */
async function servePaths(paths: () => Readonly<Record<string, string>>): Promise<string> {
  const server = createServer((request, response) => {
    const body = paths()[request.url ?? '']
    response.writeHead(body === undefined ? 404 : 200).end(body ?? '{}')
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('who is not reached here is asked through a node that reaches it, and only then', async () => {
  const asked: string[] = []
  const elsewhere = await serve(404, () => '{"code":"UNSUPPORTED"}')
  const first: string = await servePaths(() => {
    const members = [
      { name: 'n1', role: 'voter', url: first, state: 'leader' },
      { name: 'n2', role: 'voter', url: elsewhere, state: 'follower' },
      // Behind the address of n1, which answers there.
      { name: 'n3', role: 'voter', url: first, state: 'follower' },
      { name: 'n4', role: 'voter', url: 'http://127.0.0.1:9', state: 'unreachable' },
      { name: 'n5', role: 'learner', url: 'http://127.0.0.1:9', state: 'follower' },
    ]
    const told = (name: string, node = name) => {
      asked.push(name)
      return view({ node, members })
    }
    return {
      '/v1/cluster': view({ members }),
      get '/v1/cluster/nodes/n2'() {
        return told('n2')
      },
      get '/v1/cluster/nodes/n3'() {
        return told('n3')
      },
      get '/v1/cluster/nodes/n4'() {
        return told('n4')
      },
      // Says that it is another one.
      get '/v1/cluster/nodes/n5'() {
        return told('n5', 'n2')
      },
    }
  })
  const answers = await collectViews([first], ASK)
  expect(new Set(asked)).toEqual(new Set(['n2', 'n3', 'n5']))
  expect(answers.get(elsewhere)).toMatchObject({ view: { node: 'n2' }, through: first })
  expect(answers.get(`${first} (n3)`)).toMatchObject({ view: { node: 'n3' }, through: first })
  const { nodes } = judge(answers)
  expect(nodes.map(({ name, up, through }) => [name, up, through])).toEqual([
    ['n1', true, null],
    ['n2', true, 'n1'],
    ['n3', true, 'n1'],
    ['n4', false, null],
    ['n5', false, null],
  ])
})
