import { expect, it } from 'vitest'
import { accepted } from '../gateway/testing/fake-backend.ts'
import { fixture } from '../gateway/testing/fixture.ts'
import { httpRequest } from '../gateway/testing/memory-connection.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { defineHttpMetrics } from '../metrics/http-metrics.ts'
import { MetricsRegistry } from '../metrics/metrics-registry.ts'
import type { PushSettings } from '../push/push-provider.ts'
import { CommandKind } from '../state-machine/commands.ts'
import { HttpApi } from './http-api.ts'
import { pushRoutes } from './push-routes.ts'

const SETTINGS: PushSettings = {
  providers: [{ kind: 'web', call: async () => ({ is: 'sent' }) }],
  vapidPublicKey: 'BKey',
  endpointFault: ({ endpoint }) =>
    endpoint.startsWith('https://push.example.org/') ? null : 'endpoint must be elsewhere',
}
const BODY = {
  device: 'phone',
  kind: 'web',
  endpoint: 'https://push.example.org/x',
  keys: { p256dh: `B${'a'.repeat(86)}=`, auth: `${'b'.repeat(22)}==` },
}

function api(settings: PushSettings | null) {
  const logger = new RecordingLogger()
  const http = new HttpApi({
    routes: pushRoutes(settings),
    version: '0',
    logger,
    metrics: defineHttpMetrics(new MetricsRegistry()),
  })
  const { gateway, backend } = fixture(
    {},
    { onRequest: (request, context) => http.handle(request, context) },
  )
  backend.answer = (submission) => accepted(submission)
  const call = async (method: string, path: string, json?: object) => {
    const url = new URL(path, 'http://node')
    const request = httpRequest({
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: { 'content-type': 'application/json' },
      ...(json === undefined ? {} : { content: JSON.stringify(json) }),
    })
    const { status, body } = await gateway.handlers.onRequest(request)
    return { status, json: JSON.parse(body) as Record<string, unknown> }
  }
  return { call, backend }
}

const SUBSCRIPTIONS = '/v1/push/subscriptions?user=ben'

it('[PU7] a device subscribes for itself, once, and ends it', async () => {
  const { call, backend } = api(SETTINGS)
  expect((await call('GET', '/v1/push')).json).toEqual({ kinds: ['web'], vapidPublicKey: 'BKey' })
  expect(await call('POST', SUBSCRIPTIONS, BODY)).toMatchObject({
    status: 200,
    json: { device: 'phone', kind: 'web' },
  })
  const target = {
    kind: 'web' as const,
    endpoint: BODY.endpoint,
    p256dh: `B${'a'.repeat(86)}`,
    auth: 'b'.repeat(22),
  }
  const device = { account: 'ben', ofDevice: 'phone' }
  expect(backend.submissions[0]?.submission).toMatchObject({
    kind: CommandKind.push,
    operation: { ...device, op: 'subscribe', target },
  })
  const kept = { device: 'phone', target, told: 3, claim: 'none' as const }
  backend.state.subscriptions.set('ben', [kept])
  expect((await call('POST', SUBSCRIPTIONS, BODY)).status).toBe(200)
  expect(backend.submissions).toHaveLength(1)
  expect((await call('DELETE', `${SUBSCRIPTIONS}&device=phone`)).status).toBe(200)
  expect(backend.submissions[1]?.submission).toMatchObject({
    operation: { ...device, op: 'unsubscribe', endpoint: null },
  })
})

it.each([
  ['no device', { device: '' }, 'INVALID_MESSAGE'],
  ['another kind', { kind: 'pigeon' }, 'INVALID_MESSAGE'],
  ['a kind that nobody carries', { kind: 'webhook' }, 'UNSUPPORTED'],
  ['no keys', { keys: null }, 'INVALID_MESSAGE'],
  ['a key of other bytes', { keys: { ...BODY.keys, auth: 'x' } }, 'INVALID_MESSAGE'],
  ['an endpoint that is no text', { endpoint: 7 }, 'INVALID_MESSAGE'],
  ['an endpoint somewhere else', { endpoint: 'https://10.0.0.1/' }, 'INVALID_MESSAGE'],
])('[PU7] with %s it is refused', async (_, change, code) => {
  const { call, backend } = api(SETTINGS)
  const answer = await call('POST', SUBSCRIPTIONS, { ...BODY, ...change })
  expect(answer).toMatchObject({ status: 400, json: { code } })
  expect(backend.submissions).toEqual([])
})

it('[PU7] a node that calls nobody says so', async () => {
  const { call } = api(null)
  expect((await call('GET', '/v1/push')).json).toEqual({ kinds: [], vapidPublicKey: null })
  expect((await call('POST', SUBSCRIPTIONS, BODY)).json).toMatchObject({ code: 'UNSUPPORTED' })
})
