import { HistogramCell } from '#cluster'
import { describe, expect, it } from 'vitest'
import { fixture } from '../gateway/testing/fixture.ts'
import { httpRequest } from '../gateway/testing/memory-connection.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { MetricsRegistry } from '../metrics/metrics-registry.ts'
import { CHECKS } from '../failing-checks.ts'
import { logSink } from '../audit/audit-sink.ts'
import { AuditTrail } from '../audit/audit-trail.ts'
import { ManualClock } from '../gateway/testing/manual-clock.ts'
import { nodeHttp } from '../node-http.ts'
import { type ClusterView, replication } from './cluster-view.ts'

function cluster(more: Partial<ClusterView> = {}): ClusterView {
  const member = (name: string, state: 'leader' | 'follower' | 'unreachable', match?: number) => ({
    name,
    id: `1${name.slice(1)}`,
    role: 'voter' as const,
    url: `http://${name}`,
    peer: `${name}:1`,
    state,
    contactMs: 40,
    ...(match === undefined ? {} : { match }),
  })
  return {
    clusterId: 'c',
    epoch: 'e',
    node: 'n1',
    version: '0.1.0',
    leader: 'n1',
    term: 3,
    commit: 20,
    applied: 19,
    persisted: 20,
    logTimeMs: 5_000,
    leaderForMs: 60_000,
    recentLeaders: 1,
    wallTimeMs: 1_700_000_000_000,
    uptimeMs: 61_000,
    sessions: 2,
    disk: { freeBytes: 40, sizeBytes: 100 },
    stateHash: '0f',
    ready: true,
    reasons: [],
    warnings: [],
    replication: { voters: 3, majority: 2, mayFail: 1 },
    upgrade: { level: 2, most: 2, waitingFor: [], members: [], risesByItself: false },
    members: [
      member('n1', 'leader', 20),
      member('n2', 'follower', 15),
      member('n3', 'unreachable', 0),
    ],
    ...more,
  }
}

function api(more: Partial<ClusterView> = {}, clusterView = () => cluster(more)) {
  const logger = new RecordingLogger()
  const metrics = new MetricsRegistry()
  const readiness = () => cluster(more)
  const parts = {
    readiness,
    clusterView,
    metrics,
    log: {} as never,
    self: {
      settings: { name: 'n1' },
      machine: () => ({ cpus: 2 }),
      recentLines: (count: number) => ['one', 'two', 'three'].slice(-count),
    },
    calls: {} as never,
    logTimeMs: () => null,
    backup: null as never,
    version: '0',
    logger,
    push: null,
    audit: new AuditTrail({ node: 'n1', sink: logSink(logger), clock: new ManualClock(), logger }),
    isSplit: false,
  }
  const http = nodeHttp(parts).clients
  const { gateway } = fixture(
    {},
    { onRequest: (request, context) => http.handle(request, context) },
  )
  const get = (path: string, head: object = {}) => {
    const url = new URL(path, 'http://node')
    const request = httpRequest({ path: url.pathname, query: url.searchParams, ...head })
    return gateway.handlers.onRequest(request)
  }
  return { logger, metrics, get }
}

const UNREADY = {
  ready: false,
  reasons: ['quorum: no leader for 3.1 s', 'disk is full'],
  leader: null,
}

describe('admin api', () => {
  it('[AD1] is alive without a quorum', async () => {
    expect(await api(UNREADY).get('/livez')).toMatchObject({ status: 200, body: 'ok\n' })
  })

  it('[AD2] is ready or names every failing check', async () => {
    expect(await api().get('/readyz')).toMatchObject({ status: 200, body: 'ok\n' })
    const answer = await api(UNREADY).get('/readyz')
    expect(answer.status).toBe(503)
    expect(answer.body).toBe('not ready\n[-]quorum: no leader for 3.1 s\n[-]disk is full\n')
    const passing = CHECKS.map((check) => `[+]${check}\n`).join('')
    expect((await api().get('/readyz?verbose')).body).toBe(`ok\n${passing}`)
    const alone = api({ warnings: ['one voter only'] })
    expect((await alone.get('/readyz?verbose')).body).toBe(
      `ok\n${passing}warning: one voter only\n`,
    )
    expect((await alone.get('/readyz')).body).toBe('ok\n')
  })

  it('[AD2] leaves a check out for who asks for that, and refuses one that there is not', async () => {
    const unready = api({
      ready: false,
      reasons: ['quorum: no leader for 3.1 s', 'not a voter: being taken in'],
    })
    const one = await unready.get('/readyz?exclude=quorum')
    expect(one).toMatchObject({ status: 503, body: 'not ready\n[-]not a voter: being taken in\n' })
    const both = await unready.get('/readyz?verbose&exclude=quorum&exclude=not_a_voter')
    expect(both.status).toBe(200)
    expect(both.body).toContain('ok\n[+]draining\n[+]forming\n[+]stranger\n[+]quorum: excluded\n')
    expect(await unready.get('/readyz?exclude=quorm')).toMatchObject({
      ...{ status: 400, body: expect.stringContaining('no check "quorm"') },
    })
    expect((await unready.get('/readyz?exclude=%1b[31m')).body).not.toContain('\u001b')
  })

  it('[AD2] speaks JSON to who accepts it', async () => {
    const answer = await api(UNREADY).get('/readyz', { accept: 'application/json' })
    expect(answer).toMatchObject({ status: 503, contentType: 'application/json' })
    const said = JSON.parse(answer.body)
    expect(said).toMatchObject({ ready: false, reasons: UNREADY.reasons, warnings: [] })
    expect(said.checks).toContainEqual({ name: 'quorum', ok: false, detail: 'no leader for 3.1 s' })
    expect(said.checks).toContainEqual({ name: 'catching_up', ok: true })
  })

  it.each([
    [1, 1, 0],
    [2, 2, 0],
    [3, 2, 1],
    [4, 3, 1],
    [5, 3, 2],
  ])('[AD4] of %i voters %i are a majority, and %i may fail', (voters, majority, mayFail) => {
    expect(replication(voters)).toEqual({ voters, majority, mayFail })
  })

  it('[AD4] shows the cluster as this node sees it, dead members too', async () => {
    const answer = await api().get('/v1/cluster')
    expect(answer).toMatchObject({ status: 200, contentType: 'application/json' })
    expect(JSON.parse(answer.body)).toEqual(cluster())
  })

  it('[AD21] tells what it runs with and what its machine is like', async () => {
    const answer = await api().get('/v1/cluster/self')
    expect(JSON.parse(answer.body)).toEqual({ settings: { name: 'n1' }, machine: { cpus: 2 } })
  })

  it('[AD22] shows the last lines of its log', async () => {
    const shown = async (query: string) => api().get(`/v1/cluster/log${query}`)
    expect(JSON.parse((await shown('')).body)).toEqual({ lines: ['one', 'two', 'three'] })
    expect(JSON.parse((await shown('?limit=2')).body)).toEqual({ lines: ['two', 'three'] })
    for (const limit of ['0', '-1', 'x', '2001']) {
      expect((await shown(`?limit=${limit}`)).status).toBe(400)
    }
  })

  it('[AD3] exposes cells, histograms cumulatively', async () => {
    const { metrics, get } = api()
    const counter = metrics.counter('parley_things_total', 'Things.')
    counter.add()
    counter.add(2)
    const kinds = metrics.counters('parley_kinds_total', 'Kinds.', 'kind', ['a', 'b'])
    kinds.b.add()
    const seconds = metrics.histogram('parley_wait_seconds', 'Waits.', new HistogramCell([0.1, 1]))
    for (const value of [0.1, 0.5, 7]) seconds.observe(value)
    const lines = (await get('/metrics')).body.split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        '# TYPE parley_things_total counter',
        'parley_things_total 3',
        'parley_kinds_total{kind="a"} 0',
        'parley_kinds_total{kind="b"} 1',
        '# TYPE parley_wait_seconds histogram',
        'parley_wait_seconds_bucket{le="0.1"} 1',
        'parley_wait_seconds_bucket{le="1"} 2',
        'parley_wait_seconds_bucket{le="+Inf"} 3',
        'parley_wait_seconds_sum 7.6',
        'parley_wait_seconds_count 3',
      ]),
    )
    expect(() => metrics.counter('parley_things_total', 'Again.')).toThrow(
      'already been registered',
    )
  })

  it('[AD5] answers what is not there, and other methods, with a problem', async () => {
    const { get } = api()
    for (const path of ['/', '/v1/clusters', '/toString', '/__proto__', '/livez/']) {
      const answer = await get(path)
      expect(answer).toMatchObject({ status: 404, contentType: 'application/problem+json' })
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'UNSUPPORTED', status: 404 })
    }
    const answer = await get('/livez', { method: 'POST' })
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  })

  it('[AD5] answers 500 when a provider fails, and logs it', async () => {
    const { get, logger } = api({}, () => {
      throw new Error('broken')
    })
    const answer = await get('/v1/cluster')
    expect(answer.status).toBe(500)
    expect(answer.body).not.toContain('broken')
    expect(logger.events).toEqual(['http.failed'])
  })
})
