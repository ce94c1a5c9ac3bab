import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { ProcessCluster } from '../chaos/processes/process-cluster.ts'
import { lacking } from '../chaos/processes/requirements.ts'
import { alertRules } from './alert-rules.ts'
import { DASHBOARDS } from './all-dashboards.ts'
import { scoped } from './dashboard.ts'
import { RealPrometheus, type Sample } from './real-prometheus.ts'
import { SmallLoad } from './small-load.ts'

const PATIENCE = { timeout: 60_000, interval: 1_000 }
/** What Grafana fills in. */
const filled = (expression: string) =>
  expression
    .replaceAll('$__rate_interval', '20s')
    .replaceAll('$cluster', 'c')
    .replaceAll('$instance', '.+')

// That of chaos shows drills: chaos.ci.test.ts.
const QUERIES = DASHBOARDS.filter(({ id }) => id !== 'parley-chaos').flatMap(({ id, rows }) =>
  rows.flatMap(({ panels }) =>
    panels.flatMap((panel) =>
      panel.queries.map(([expression]) => ({
        place: `${id} / ${panel.title}`,
        rare: panel.rare ?? false,
        expression: filled(scoped(expression)),
      })),
    ),
  ),
)
/** Each metric that an alert looks at, with its matchers. */
const INPUTS = alertRules().flatMap(({ name, expression }) =>
  [...expression.matchAll(/\b(?:up|(?:parley|process|nodejs)_\w+)(?:\{[^}]*\})?/g)].map(
    ([selector]) => ({ place: name, rare: false, expression: selector }),
  ),
)
const hasNumber = (samples: readonly Sample[]) =>
  samples.some(({ value: [, number] }) => !Number.isNaN(Number(number)))

describe.skipIf(lacking('prometheus'))('a real Prometheus over three real nodes', () => {
  let directory: string
  let cluster: ProcessCluster
  let prometheus: RealPrometheus
  let load: SmallLoad

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'parley-prometheus-'))
    cluster = await ProcessCluster.started(3)
    const targets = cluster.nodes.map(({ url }) => new URL(url).host)
    prometheus = await RealPrometheus.start(directory, targets)
    load = await SmallLoad.start(cluster)
  })
  afterAll(async () => {
    await load?.close()
    await prometheus?.close()
    await cluster?.close()
    await rm(directory, { recursive: true, force: true })
  })

  /** Those that have no answer, or no number in it. */
  async function unanswered(queries: readonly (typeof QUERIES)[number][]): Promise<string[]> {
    const without: string[] = []
    for (const { place, rare, expression } of queries) {
      const samples = await prometheus.query(expression)
      if (!rare && !hasNumber(samples)) without.push(`${place}: ${expression}`)
    }
    return without
  }

  test('[OE5] every panel shows something', async () => {
    expect(QUERIES.length).toBeGreaterThan(100)
    await vi.waitFor(async () => expect(await unanswered(QUERIES)).toEqual([]), PATIENCE)
  })

  test('[OE5] every alert looks at something, and what is well is quiet', async () => {
    expect(INPUTS.length).toBeGreaterThan(30)
    await vi.waitFor(async () => expect(await unanswered(INPUTS)).toEqual([]), PATIENCE)
    const down = ['ParleyNodeDown', 'ParleyQuorumAtRisk', 'ParleyQuorumLost', 'ParleyTwoLeaders']
    // A scrape that a busy machine held up for a second is a node down, here without delay.
    await vi.waitFor(async () => {
      const firing = await prometheus.firing()
      expect(down.filter((alert) => firing.includes(alert))).toEqual([])
    }, PATIENCE)
  })

  test('[OE5] the death of the leader fires its alerts, and every panel goes on', async () => {
    await cluster.kill((await cluster.leader())!)
    await vi.waitFor(async () => {
      const firing = await prometheus.firing()
      expect(firing).toContain('ParleyNodeDown')
      expect(firing).toContain('ParleyQuorumAtRisk')
      expect(firing).not.toContain('ParleyQuorumLost')
    }, PATIENCE)
    await vi.waitFor(async () => expect(await unanswered(QUERIES)).toEqual([]), PATIENCE)
    await load.close()
  })

  test('[OE5] a lost majority fires its alerts', async () => {
    await cluster.kill(cluster.running[0]!.name)
    await vi.waitFor(async () => {
      const firing = await prometheus.firing()
      expect(firing).toContain('ParleyQuorumLost')
      expect(firing).toContain('ParleyNoLeader')
    }, PATIENCE)
  })
})
