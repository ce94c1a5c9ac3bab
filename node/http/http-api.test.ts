import { describe, expect, it, vi } from 'vitest'
import { Packr } from 'msgpackr'
import { encodeBody, wireError } from '#protocol'
import type { RequestHead } from '../gateway/client-listener.ts'
import { accepted, type Outcome } from '../gateway/testing/fake-backend.ts'
import { fixture } from '../gateway/testing/fixture.ts'
import { httpRequest } from '../gateway/testing/memory-connection.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { view } from '../gateway/testing/samples.ts'
import { CONVERSATION_ROUTES } from './conversation-routes.ts'
import { HttpApi, type HttpApiOptions } from './http-api.ts'
import { defineHttpMetrics } from '../metrics/http-metrics.ts'
import { MetricsRegistry } from '../metrics/metrics-registry.ts'
import { MESSAGE_ROUTES } from './message-routes.ts'
import { MAX_CALL_BYTES } from './request-frame.ts'
import type { Route } from './route.ts'

interface Call {
  readonly headers?: Record<string, string>
  readonly content?: Uint8Array | string
  readonly head?: Partial<RequestHead>
}

const JSON_TYPE = { 'content-type': 'application/json' }

function api(more: Partial<HttpApiOptions> = {}) {
  const logger = new RecordingLogger()
  const routes = [...CONVERSATION_ROUTES, ...MESSAGE_ROUTES]
  const http = new HttpApi({
    routes,
    version: '0',
    logger,
    metrics: defineHttpMetrics(new MetricsRegistry()),
    ...more,
  })
  const { gateway, backend } = fixture(
    {},
    { onRequest: (request, context) => http.handle(request, context) },
  )
  backend.answer = (submission) => accepted(submission)
  const call = async (method: string, path: string, { headers, content, head }: Call = {}) => {
    const url = new URL(path, 'http://node')
    const request = httpRequest({
      method,
      path: url.pathname,
      query: url.searchParams,
      ...(headers === undefined ? {} : { headers }),
      ...(content === undefined ? {} : { content }),
      ...head,
    })
    const answer = await gateway.handlers.onRequest(request)
    return { ...answer, json: JSON.parse(answer.body || '{}') as Record<string, unknown> }
  }
  const post = (fields: unknown, headers: Record<string, string> = {}) =>
    call('POST', '/v1/conversations/c1/messages?user=ann', {
      headers: { ...JSON_TYPE, ...headers },
      content: typeof fields === 'string' ? fields : JSON.stringify(fields),
    })
  return { call, post, backend, gateway, logger }
}

describe('a message by HTTP', () => {
  it('[HT1] is the command of its frame; the first result is 201, a copy 200', async () => {
    const { post, backend } = api()
    const first = await post({ body: { a: 1 }, replyTo: 3 }, { 'idempotency-key': 'k1' })
    expect(first).toMatchObject({ status: 201, json: { conv: 'c1', msgId: 'k1', seq: 1, at: 7 } })
    expect(first.json).not.toHaveProperty('t')
    expect(first.json).not.toHaveProperty('id')
    expect(backend.submissions[0]?.submission).toMatchObject({
      user: 'ann',
      device: 'http',
      conv: 'c1',
      msgId: 'k1',
      replyTo: 3,
      body: encodeBody({ a: 1 }),
    })
    backend.answer = (submission) => ({ ...accepted(submission), duplicate: true }) as Outcome
    expect((await post({ body: 1 }, { 'idempotency-key': '"k1"' })).status).toBe(200)
    expect(backend.submissions[1]?.submission.msgId).toBe('k1')
  })

  it('[HT1] gets a key if it has none, told in every answer', async () => {
    const { call, post, backend } = api()
    const answer = await post({ body: 'x' })
    const key = answer.headers?.['idempotency-key']
    expect(key).toMatch(/^[\w-]{22}$/)
    expect(answer.json['msgId']).toBe(key)
    backend.answer = () => ({ error: wireError('OUTCOME_UNKNOWN', 'no answer in time') })
    const refused = [
      ...[await post({ body: 'x' }), await post('{'), await post({}, { 'content-type': 'x/y' })],
      await call('POST', '/v1/conversations/c1/messages'),
      await call('POST', '/v1/conversations?user=ann'),
    ]
    backend.submit = () => {
      throw new Error('broken')
    }
    refused.push(await post({ body: 'x' }))
    expect(refused.map(({ status }) => status)).toEqual([503, 400, 415, 401, 415, 500])
    for (const { headers } of refused) {
      expect(headers?.['idempotency-key']).toMatch(/^[\w-]{22}$/)
    }
  })

  it('[HT2] fails with a problem, its code, its status, and when to come back', async () => {
    const { post, backend } = api()
    backend.answer = () => ({ error: wireError('OUTCOME_UNKNOWN', 'no answer in time') })
    expect(await post({ body: 'x' })).toMatchObject({
      status: 503,
      contentType: 'application/problem+json',
      headers: { 'retry-after': '1' },
      json: { code: 'OUTCOME_UNKNOWN', retryable: true, outcome: 'unknown', status: 503 },
    })
    backend.answer = () => ({ error: wireError('OVERLOADED', 'busy', { retryAfterMs: 2_100 }) })
    expect((await post({ body: 'x' })).headers).toMatchObject({ 'retry-after': '3' })
    backend.answer = ({ msgId }) => ({
      ok: false,
      msgId,
      code: 'NOT_MEMBER',
      message: 'no',
      now: 1,
    })
    expect(await post({ body: 'x' })).toMatchObject({
      status: 403,
      json: { code: 'NOT_MEMBER', detail: 'no', retryable: false, outcome: 'notApplied' },
    })
  })

  it.each([
    ['no JSON', '{"body":', 400, 'INVALID_MESSAGE'],
    ['no object', '[1]', 400, 'INVALID_MESSAGE'],
    ['two objects', '{"body":1},{"body":2}', 400, 'INVALID_MESSAGE'],
    ['nothing', '', 400, 'INVALID_MESSAGE'],
    ['no body field', '{}', 400, 'INVALID_MESSAGE'],
    ['a wrong field', '{"body":1,"replyTo":"x"}', 400, 'INVALID_MESSAGE'],
    ['another receiver', '{"body":1,"to":"bob"}', 400, 'INVALID_MESSAGE'],
    [
      'a body above the limit',
      JSON.stringify({ body: 'x'.repeat(65_536) }),
      413,
      'PAYLOAD_TOO_LARGE',
    ],
    ['a call above the limit', `{"x":"${'x'.repeat(MAX_CALL_BYTES)}"}`, 413, 'PAYLOAD_TOO_LARGE'],
  ])('[HT3] refuses %s', async (_, content, status, code) => {
    const { post, backend } = api()
    expect(await post(content)).toMatchObject({ status, json: { code } })
    expect(backend.submissions).toEqual([])
  })

  it('[HT3] wants a content type and a key that can be a msgId', async () => {
    const { post, backend } = api()
    const text = await post({ body: 1 }, { 'content-type': 'text/plain' })
    expect(text).toMatchObject({ status: 415, json: { code: 'UNSUPPORTED' } })
    const key = await post({ body: 1 }, { 'idempotency-key': 'no spaces' })
    expect(key).toMatchObject({ status: 400, json: { code: 'INVALID_MESSAGE' } })
    expect(key.json['detail']).toContain('msgId')
    expect(backend.submissions).toEqual([])
  })

  it('[HT3] is as its path says, whatever its body says', async () => {
    const { post, backend } = api()
    for (const body of [
      '{"body":1,"conv":"other","msgId":"m","id":7}',
      '{"body":1,"\\u0063onv":"other","msgI\\u0064":"m"}',
    ]) {
      expect((await post(body, { 'idempotency-key': 'k' })).status).toBe(201)
      expect(backend.submissions.at(-1)?.submission).toMatchObject({ conv: 'c1', msgId: 'k' })
    }
  })

  it('[HT3] as msgpack keeps the bytes of its body', async () => {
    const { call, backend } = api()
    const packr = new Packr({ useRecords: false, variableMapSize: true })
    // A float that the node's own encoder would have written as an integer.
    const body = Uint8Array.of(0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0)
    const fields = Buffer.concat([Uint8Array.of(0x81), packr.pack('body'), body])
    const headers = { 'content-type': 'application/msgpack', 'idempotency-key': 'k' }
    const path = '/v1/conversations/c%2F1/messages?user=ann'
    expect((await call('POST', path, { headers, content: fields })).status).toBe(201)
    expect(backend.submissions[0]?.submission).toMatchObject({
      conv: 'c/1',
      body: Buffer.from(body),
    })
    for (const content of [
      Uint8Array.of(),
      Uint8Array.of(0x90),
      Uint8Array.of(0xdf, 255, 255, 255, 255),
      Uint8Array.of(0x8f, 1),
      Buffer.concat([fields, Uint8Array.of(1)]),
    ]) {
      expect((await call('POST', path, { headers, content })).status, content.join()).toBe(400)
    }
    expect(backend.submissions.length).toBe(1)
    // What the call says comes last, and of equal keys the last counts.
    const other = packr.pack({ t: 'conv:R', conv: 'other', body: 1 })
    expect((await call('POST', path, { headers, content: other })).status).toBe(201)
    expect(backend.submissions[1]?.submission).toMatchObject({ conv: 'c/1' })
  })
})

describe('reads by HTTP', () => {
  it('[HT4] gives a page and its mark', async () => {
    const { call, backend } = api()
    backend.state.events.set('c1', [])
    const path = '/v1/conversations/c1/messages?user=ann&limit=5'
    const answer = await call('GET', path)
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'parley-mark': 'e1.a' },
      json: { events: [], next: 0, upTo: 0, hasMore: false },
    })
    expect(await call('GET', '/v1/conversations/c2/messages?user=ann')).toMatchObject({
      status: 404,
      json: { code: 'GROUP_NOT_FOUND' },
    })
    for (const wrong of ['after=x', 'after=1&before=2', 'limit=0', 'after=-1']) {
      const { status, json } = await call('GET', `/v1/conversations/c1/messages?user=ann&${wrong}`)
      expect({ status, code: json['code'] }, wrong).toEqual({
        status: 400,
        code: 'INVALID_MESSAGE',
      })
    }
  })

  it.each([
    '/v1/conversations/c1/messages?user=ann',
    '/v1/conversations/c1?user=ann',
    '/v1/conversations?user=ann',
  ])('[HT4] %s waits for the mark it is given, else BEHIND', async (path) => {
    const { call, backend } = api()
    backend.state.events.set('c1', [])
    backend.state.conversations.set('c1', view('c1', 'ann'))
    const headers = { 'parley-mark': 'e1.b' }
    const waiting = call('GET', path, { headers })
    backend.apply(11)
    expect(await waiting).toMatchObject({ status: 200, headers: { 'parley-mark': 'e1.b' } })
    const late = call('GET', path, { headers: { 'parley-mark': 'e1.c' } })
    await Promise.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    backend.giveUp()
    expect(await late).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      json: { code: 'BEHIND', leader: { id: 'n2' } },
    })
    const wrong = await call('GET', path, { headers: { 'parley-mark': 'x' } })
    expect(wrong).toMatchObject({ status: 400, json: { code: 'INVALID_MESSAGE' } })
  })

  it('[HT3] shows conversations to members, and makes them under a key', async () => {
    const { call, backend } = api()
    backend.state.conversations.set('c1', view('c1', 'ann'))
    backend.state.conversations.set('d1', view('d1', 'ann'))
    expect((await call('GET', '/v1/conversations?user=ann')).json).toMatchObject({
      conversations: [{ id: 'c1' }, { id: 'd1' }],
    })
    expect(await call('GET', '/v1/conversations?user=ann&limit=x')).toMatchObject({ status: 400 })
    expect((await call('GET', '/v1/conversations/c1?user=ann')).json).toMatchObject({
      conversation: { id: 'c1' },
    })
    expect((await call('GET', '/v1/conversations/c1?user=bob')).status).toBe(403)
    const members = vi.spyOn(backend.state, 'conversation')
    await call('GET', '/v1/conversations/c1?user=ann&membersFrom=128')
    expect(members).toHaveBeenCalledWith('c1', 128)
    const wrong = await call('GET', '/v1/conversations/c1?user=ann&membersFrom=x')
    expect(wrong).toMatchObject({ status: 400, json: { code: 'INVALID_MESSAGE' } })
    const make = (fields: object) =>
      call('POST', '/v1/conversations?user=ann', {
        headers: { ...JSON_TYPE, 'idempotency-key': 'k' },
        content: JSON.stringify(fields),
      })
    expect(await make({ members: ['bob'] })).toMatchObject({ status: 201, json: { msgId: 'k' } })
    expect(await make({ op: 'direct', with: 'bob' })).toMatchObject({ status: 201 })
    expect(backend.submissions.map(({ submission }) => submission)).toMatchObject([
      { msgId: 'k', operation: { op: 'create', members: ['bob'] } },
      { msgId: 'k', operation: { op: 'direct', with: 'bob' } },
    ])
    expect(await make({ op: 'leave', conv: 'c1' })).toMatchObject({ status: 400 })
    expect(await make({ with: 'bob' })).toMatchObject({ status: 400 })
  })
})

describe('who calls', () => {
  it.each<[string, string, Call]>([
    ['nobody', '', {}],
    ['a scheme that is unknown', '?user=ann', { headers: { authorization: 'Basic abc' } }],
    ['a token where none is checked', '', { headers: { authorization: 'Bearer abc' } }],
    ['a user from elsewhere', '?user=ann', { head: { remote: '10.0.0.1:5000' } }],
  ])('[HT5] %s is turned away', async (_, query, more) => {
    const { call, backend } = api()
    const path = `/v1/conversations/c1/messages${query}`
    const answer = await call('POST', path, { content: '{"body":1}', ...more })
    expect(answer).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Bearer' },
      json: { code: 'AUTHENTICATION_FAILED' },
    })
    expect(backend.submissions).toEqual([])
  })

  it('[HT5] a name that is none is a wrong parameter', async () => {
    const { call } = api()
    const answer = await call('GET', '/v1/conversations?user=a%20b')
    expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_MESSAGE' } })
  })
})

describe('pages of other origins', () => {
  const head = { origin: 'https://chat.example.org' }
  const admin: Route = {
    method: 'GET',
    path: '/v1/cluster',
    doc: { operationId: 'x', summary: 'x', answers: {}, role: 'admin' },
    answer: () => ({ status: 200, contentType: 'application/json', body: '{}' }),
  }

  it('[HT8] are told what they may call, and may read the answers', async () => {
    const { call } = api()
    const asked = await call('OPTIONS', '/v1/conversations/c1/messages', { head })
    expect(asked).toMatchObject({
      ...{ status: 204, body: '' },
      headers: {
        'access-control-allow-origin': head.origin,
        'access-control-allow-methods': 'POST, GET',
        'access-control-allow-headers': expect.stringContaining('authorization') as unknown,
        vary: 'origin',
      },
    })
    const refused = await call('GET', '/v1/conversations/c1/messages', { head })
    expect(refused).toMatchObject({
      ...{ status: 401, json: { code: 'AUTHENTICATION_FAILED' } },
      headers: {
        'access-control-allow-origin': head.origin,
        'access-control-expose-headers': expect.stringContaining('parley-mark') as unknown,
        'www-authenticate': 'Bearer',
      },
    })
  })

  it('[HT8] hear nothing of what is for operators, and no others of any origin', async () => {
    const { call } = api({ routes: [admin, ...MESSAGE_ROUTES] })
    for (const [path, more] of [
      ['/v1/cluster', { head }],
      ['/v1/conversations/c1/messages', {}],
    ] as const) {
      for (const method of ['OPTIONS', 'GET']) {
        const { status, headers = {} } = await call(method, path, more)
        if (method === 'OPTIONS') expect(status).toBe(405)
        expect(Object.keys(headers).filter((name) => name.startsWith('access-'))).toEqual([])
      }
    }
  })
})

describe('the node', () => {
  it('[HT2] takes so many calls at one time and no more', async () => {
    const { post, backend } = api({ maxCalls: 1 })
    backend.answer = null
    const first = post({ body: 1 })
    expect(await post({ body: 2 })).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      json: { code: 'OVERLOADED' },
    })
    const { submission, done } = (await vi.waitUntil(() => backend.submissions[0]))!
    done(accepted(submission))
    expect((await first).status).toBe(201)
    backend.answer = (one) => accepted(one)
    expect((await post({ body: 2 })).status).toBe(201)
  })

  it('[HT2] that goes away says so', async () => {
    const { post, gateway } = api()
    gateway.close()
    expect(await post({ body: 1 })).toMatchObject({ status: 503, json: { code: 'DRAINING' } })
  })

  it('[HT2] says of a failure inside that it failed, and logs it', async () => {
    const { call, backend, logger } = api()
    backend.state.conversationsOf = () => Promise.reject(new Error('broken'))
    const answer = await call('GET', '/v1/conversations?user=ann')
    expect(answer).toMatchObject({ status: 500, json: { code: 'INTERNAL' } })
    expect(answer.body).not.toContain('broken')
    expect(logger.events).toEqual([])
  })
})
