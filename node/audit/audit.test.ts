import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { adminRoutes } from '../admin/admin-api.ts'
import { type Credentials, type Identity, type Role, unauthenticated } from '../gateway/auth.ts'
import type { RequestHead } from '../gateway/client-listener.ts'
import { httpRequest } from '../gateway/testing/memory-connection.ts'
import { ManualClock } from '../gateway/testing/manual-clock.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { AuditFile } from '../host/audit-file.ts'
import { HttpApi } from '../http/http-api.ts'
import { isAudited } from '../http/audited-answer.ts'
import type { HttpCall, Route } from '../http/route.ts'
import { defineHttpMetrics } from '../metrics/http-metrics.ts'
import { MetricsRegistry } from '../metrics/metrics-registry.ts'
import { auditedDetails } from './audited-details.ts'
import { AuditTrail } from './audit-trail.ts'

/** Every route of an operator, as a node has it; what they do is not asked for. */
const ROUTES: readonly Route[] = adminRoutes({
  readiness: () => ({ ready: true, reasons: [] }),
  clusterView: () => ({}) as never,
  metrics: new MetricsRegistry(),
  self: { settings: {} as never, machine: () => null, recentLines: () => [] },
  logTimeMs: () => null,
} as never)
const OPERATED = ROUTES.filter(({ path }) => path.startsWith('/v1/cluster'))

/** They show what users wrote. */
const SHOWING = ['exportConversation', 'readConversation']

type Line = Record<string, unknown>

function operated(routes: readonly Route[], answer: Route['answer'] = () => OK) {
  const logger = new RecordingLogger()
  const clock = new ManualClock()
  const lines: Line[] = []
  const done: string[] = []
  const sink = {
    isFull: false,
    write: (line: string) => {
      if (sink.isFull) return Promise.reject(new Error('no space left on device'))
      lines.push(JSON.parse(line) as Line)
      return Promise.resolve()
    },
    reopen: () => (sink.isFull ? Promise.reject(new Error('still none')) : Promise.resolve()),
  }
  const audit = new AuditTrail({ node: 'n1', sink, clock, logger })
  const http = new HttpApi({
    routes: routes.map((route) => ({
      ...route,
      answer: (call: HttpCall) => {
        done.push(route.doc.operationId)
        return answer(call)
      },
    })),
    version: '0',
    logger,
    metrics: defineHttpMetrics(new MetricsRegistry()),
    audit,
  })
  const authenticator = {
    checksTokens: true,
    trustsKeyOf: () => true,
    authenticate: ({ token = '' }: Credentials): Identity | ReturnType<typeof unauthenticated> => {
      if (token === 'forged') return unauthenticated('The signature of this token is wrong.')
      const subject = `the ${token}`
      const more = { device: null, issuedAt: 0, expiresAt: 0, tokenId: `id of ${token}` }
      return { user: subject, subject, role: token as Role, ...more }
    },
  }
  const context = {
    clock,
    authenticator,
    options: { dev: false },
    metrics: { authFailures: { add: () => {} } },
  }
  const call = (
    route: Route,
    token: string | null,
    more: Partial<RequestHead> & { content?: string } = {},
  ) => {
    const request = httpRequest({
      method: route.method,
      path: route.path.replaceAll(/\{\w+\}/g, 'x'),
      remote: '10.0.0.7:50000',
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      ...more,
    })
    return http.handle(request, context as never)
  }
  return { call, lines, done, sink, clock, logger, audit }
}

const OK = { status: 200, contentType: 'application/json', body: '{}\n' }

describe('every route that operates the cluster', () => {
  test('[AD6] is of role admin, and its answer is for nobody else', async () => {
    expect(OPERATED.length).toBeGreaterThan(8)
    for (const route of OPERATED) {
      const { call, done } = operated([route])
      const name = `${route.method} ${route.path}`
      expect(route.doc.role, name).toBe('admin')
      for (const token of [null, 'forged'])
        expect((await call(route, token)).status, name).toBe(401)
      for (const token of ['user', 'viewer', 'service']) {
        expect((await call(route, token)).status, name).toBe(403)
      }
      expect(done, name).toEqual([])
      expect((await call(route, 'admin')).status, name).toBe(200)
      expect(done, name).toEqual([route.doc.operationId])
    }
  })

  test('[AU1] leaves one line if it changes or shows something, and else none', async () => {
    for (const route of OPERATED) {
      const { call, lines } = operated([route])
      await call(route, 'admin')
      const { operationId } = route.doc
      const isAsked = route.method !== 'GET' || SHOWING.includes(operationId)
      expect(isAudited(route), operationId).toBe(isAsked)
      expect(
        lines.map(({ operation }) => operation),
        operationId,
      ).toEqual(isAsked ? [operationId] : [])
      await call(route, 'user')
      expect(lines.length, operationId).toBe(isAsked ? 2 : 0)
    }
  })
})

describe('a line', () => {
  const route = OPERATED.find(({ doc }) => doc.operationId === 'revoke')!

  test('[AU1] says who did what to whom, from where, and how it ended', async () => {
    const { call, lines, clock } = operated([route], async ({ request }) => {
      await request.body(1_000)
      return OK
    })
    await call(route, 'admin', { content: '{"user":"alice","before":5,"token":"eyJ"}' })
    expect(lines).toEqual([
      {
        time: new Date(clock.wallMs()).toISOString(),
        ...{ node: 'n1', event: 'audit', operation: 'revoke', method: 'POST' },
        ...{ path: '/v1/cluster/revocations', user: 'the admin', token: 'id of admin' },
        ...{ remote: '10.0.0.7:50000', status: 200, code: null },
        details: { user: 'alice', before: 5, token: '[hidden]' },
      },
    ])
  })

  test('[AU1] is left by what was refused, and by what failed', async () => {
    const failing = operated([route], () => Promise.reject(new Error('broken')))
    expect((await failing.call(route, 'admin')).status).toBe(500)
    await failing.call(route, 'user')
    await failing.call(route, null)
    expect(failing.lines.map(({ user, status, code }) => [user, status, code])).toEqual([
      ['the admin', 500, 'INTERNAL'],
      [null, 403, 'FORBIDDEN'],
      [null, 401, 'AUTHENTICATION_FAILED'],
    ])
  })

  test('[AU2] that cannot be written makes the answer unknown, and keeps what comes after from being done', async () => {
    const { call, done, sink, lines, audit } = operated([route])
    sink.isFull = true
    const first = await call(route, 'admin')
    expect([first.status, JSON.parse(first.body)]).toMatchObject([503, { code: 'OUTCOME_UNKNOWN' }])
    expect(await call(route, 'admin')).toMatchObject({
      status: 503,
      body: expect.stringContaining('nothing was done') as string,
    })
    expect(done.length).toBe(1)
    expect(audit.records.failed.value).toBe(2)
    sink.isFull = false
    expect((await call(route, 'admin')).status).toBe(200)
    expect([done.length, lines.length]).toEqual([2, 1])
  })

  test('[AU3] is left by sixty callers a minute that are turned away, and then by their number', async () => {
    const { call, lines, clock } = operated([route])
    for (let at = 0; at < 100; at++) await call(route, 'forged')
    expect(lines.length).toBe(60)
    await call(route, 'admin')
    expect(lines.at(-1)).toMatchObject({ status: 200, leftOut: 40 })
    clock.nowMs += 60_000
    await call(route, 'forged')
    expect(lines.length).toBe(62)
    expect(lines.at(-1)).not.toHaveProperty('leftOut')
  })

  test('[AU3] holds no secrets and is bounded, whatever is called', () => {
    const hidden = (body: unknown, query = '') =>
      auditedDetails(new URLSearchParams(query), Buffer.from(JSON.stringify(body)))
    expect(
      hidden({ to: 'https://me:pw@host/x?sig=abc', secretKey: 's', apiKey: 1 }, 'dryRun=1'),
    ).toEqual({
      dryRun: '1',
      to: 'https://[hidden]@host/x?[hidden]',
      secretKey: '[hidden]',
      apiKey: '[hidden]',
    })
    expect(hidden({ a: { password: 'x' }, b: ['y'] })).toEqual({ a: '[hidden]', b: '["y"]' })
    const many = Object.fromEntries(
      Array.from({ length: 100 }, (_, at) => [`f${at}`, 'x'.repeat(5_000)]),
    )
    expect(JSON.stringify(hidden(many)).length).toBeLessThan(5_000)
    for (const body of ['no json', '[1]', '7']) {
      expect(auditedDetails(new URLSearchParams(), Buffer.from(body))).toEqual({})
    }
  })
})

test('[AU2] the file is its owner’s, is appended to, and goes on in a new one when it was moved away', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-'))
  const path = join(folder, 'audit.log')
  const file = await AuditFile.open(path)
  await Promise.all([file.write('{"a":1}'), file.write('{"b":2}')])
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await rename(path, `${path}.1`)
  await file.write('{"c":3}')
  await file.reopen()
  await file.write('{"d":4}')
  expect((await readFile(`${path}.1`, 'utf8')).split('\n').toSorted().join()).toBe(
    ',{"a":1},{"b":2},{"c":3}',
  )
  expect(await readFile(path, 'utf8')).toBe('{"d":4}\n')
  await expect(AuditFile.open(folder)).rejects.toThrow(`cannot write the audit log ${folder}`)
  await rm(folder, { recursive: true })
})
