import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ProcessCluster } from '../chaos/processes/process-cluster.ts'
import { metricsPage } from './metrics-page.ts'

/** Of one node in a cluster of five; each peer adds a few. */
const MAX_SERIES = 1_500
const INTRODUCTION = `# Metrics

Every node serves these at \`GET /metrics\` in the Prometheus text format. Counters and histograms begin at 0 with the process; every
label set but those of other members is there from the start. Labels come from closed lists and from the members of the cluster: no
user, conversation, device or message ever is one, so that a node of a cluster of five has fewer than ${MAX_SERIES.toLocaleString('en')} series, whatever
happens. A scrape costs a node a few milliseconds ([measured](performance.md#what-a-scrape-costs)).`

let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await ProcessCluster.started(2)
}, 60_000)
afterAll(() => cluster.close())

test('[ME1] the page names every metric that a node serves, and no other', async () => {
  const leader = await cluster.healthy()
  const { url } = cluster.node(leader)
  // A leader pings its peer soon: then every label has been seen.
  const scrape = await vi.waitFor(
    async () => {
      const text = await (await fetch(`${url}/metrics`)).text()
      expect(text).toMatch(/^parley_peer_round_trip_seconds\{/m)
      expect(text).toMatch(/^parley_raft_peer_lag_entries\{/m)
      return text
    },
    { timeout: 15_000, interval: 100 },
  )
  const names = [...scrape.matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name)
  expect(names.length).toBeGreaterThan(100)
  // When it differs on purpose: vitest run docs/metrics.test.ts -u
  await expect(await metricsPage(scrape, INTRODUCTION)).toMatchFileSnapshot('metrics.md')
})

test('[ME2] the number of series of a node is bounded', async () => {
  const scrapes = await Promise.all(
    cluster.nodes.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
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
