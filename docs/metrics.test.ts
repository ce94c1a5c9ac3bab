import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { ProcessCluster } from '../chaos/processes/process-cluster.ts'
import { DrillMetrics } from '../chaos/drills/drill-metrics.ts'
import { alertRules } from '../dashboards/alert-rules.ts'
import { DASHBOARDS } from '../dashboards/all-dashboards.ts'
import { metricsIn } from '../dashboards/dashboard.ts'
import { metricsOf, metricsPage } from './metrics-page.ts'

/** Of one node in a cluster of five; each peer adds a few. */
const MAX_SERIES = 1_500
const INTRODUCTION = `# Metrics

Every node serves these at \`GET /metrics\` in the Prometheus text format. Counters and histograms begin at 0 with the process; every
label set but those of other members is there from the start. Labels come from closed lists and from the members of the cluster: no
user, conversation, device or message ever is one, so that a node of a cluster of five has fewer than ${MAX_SERIES.toLocaleString('en')} series, whatever
happens. A scrape costs a node a few milliseconds ([measured](performance.md#what-a-scrape-costs)).

What stands under "A drill" is served by \`parley drill run --metrics-port\`, by no node. What to do when an alert comes stands in
[operations](operations.md); rules and dashboards are in [dashboards](../dashboards/README.md).`

let cluster: ProcessCluster
/** Of the leader, once every label has been seen, and of a drill. */
let scrape: string
beforeAll(async () => {
  cluster = await ProcessCluster.started(2)
  const { url } = cluster.node(await cluster.healthy())
  scrape = await vi.waitFor(
    async () => {
      const text = await (await fetch(`${url}/metrics`)).text()
      const late = ['parley_peer_round_trip_seconds{', 'parley_raft_peer_lag_entries{']
      if (!late.every((series) => text.includes(series))) throw new Error('no peer yet')
      return `${text}\n${await new DrillMetrics('kill-leader', ['n1']).registry.text()}`
    },
    { timeout: 20_000, interval: 100 },
  )
})
afterAll(() => cluster.close())

test('[ME1] the page names every metric that a node serves, and no other', async () => {
  expect(metricsOf(scrape).length).toBeGreaterThan(100)
  // When it differs on purpose: vitest run docs/metrics.test.ts -u
  await expect(await metricsPage(scrape, INTRODUCTION)).toMatchFileSnapshot('metrics.md')
})

describe('dashboards and alerts', () => {
  const named = () => {
    const served = new Map(metricsOf(scrape).map(({ name, type }) => [name, type]))
    /** `name_bucket` is a series of the histogram `name`. */
    const base = (series: string) => {
      const name = series.replace(/_(bucket|sum|count)$/, '')
      return ['histogram', 'summary'].includes(served.get(name) ?? '') ? name : series
    }
    const panels = DASHBOARDS.flatMap(({ rows }) => rows.flatMap((row) => row.panels))
    const expressions = panels.flatMap(({ queries }) => queries.map(([expression]) => expression))
    return {
      served,
      onPanels: new Set(expressions.flatMap(metricsIn).map(base)),
      inAlerts: alertRules().flatMap(({ expression }) => metricsIn(expression).map(base)),
    }
  }

  test('[OE1] each metric is on a panel', () => {
    const { served, onPanels } = named()
    const missing = [...served.keys()].filter((name) => !onPanels.has(name))
    expect(missing, 'give them a panel in dashboards/*-dashboard.ts').toEqual([])
  })

  test('[OE1] panels and alerts name no other', () => {
    const { served, onPanels, inAlerts } = named()
    expect(inAlerts.length).toBeGreaterThan(30)
    const unknown = [...onPanels, ...inAlerts].filter((name) => !served.has(name))
    expect(unknown, 'no node serves them').toEqual([])
  })
})

test('[ME2] the number of series of a node is bounded', async () => {
  const scrapes = await Promise.all(
    // A connection that a busy machine let idle may be closed just as it is used again.
    cluster.nodes.map(async ({ url }) =>
      (await fetch(`${url}/metrics`, { headers: { connection: 'close' } })).text(),
    ),
  )
  for (const scrape of scrapes) {
    const series = scrape.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    const perPeer = series.filter((line) => line.includes('peer="')).length
    expect(series.length + 3 * perPeer).toBeLessThan(MAX_SERIES)
    expect(new Set(series.map((line) => line.slice(0, line.lastIndexOf(' ')))).size).toBe(
      series.length,
    )
    const labels = new Set([...scrape.matchAll(/[{,](\w+)="/g)].map(([, label]) => label))
    for (const label of ['user', 'conv', 'conversation', 'device', 'msgId']) {
      expect(labels).not.toContain(label)
    }
  }
})
