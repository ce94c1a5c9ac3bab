import { afterEach, expect, test } from 'vitest'
import { runDrill } from './kill-drill.ts'
import { ProcessCluster } from './process-cluster.ts'

let cluster: ProcessCluster
afterEach(() => cluster.close())

test('a cluster of one survives kill -9, and says that a tick of it is not replicated', async () => {
  cluster = await ProcessCluster.create(1)
  const [node] = cluster.nodes
  await cluster.startAll()
  await cluster.healthy()
  const report = await runDrill({
    cluster,
    senders: 8,
    conversations: 5,
    harm: async ({ recovered }) => {
      for (let kills = 0; kills < 2; kills++) {
        await cluster.kill(node!.name)
        await cluster.startAll()
        await recovered()
      }
    },
  })
  expect(report.violations).toEqual([])
  expect(report.acknowledged).toBe(report.sent)
  expect(report.duplicatesAnswered).toBe(report.repeats)

  expect(await cluster.output(node!.name)).toMatch(/not replicated.*"cluster\.single"/)
  const ready = await fetch(`${node!.url}/readyz?verbose`)
  expect(ready.status).toBe(200)
  expect(await ready.text()).toContain('not replicated')
  const view = (await (await fetch(`${node!.url}/v1/cluster`)).json()) as { warnings: string[] }
  expect(view.warnings).toEqual([expect.stringContaining('not replicated')])
})

test('a cluster of three has nothing to warn of', async () => {
  cluster = await ProcessCluster.started(3)
  for (const { name, url } of cluster.nodes) {
    expect(await cluster.output(name)).not.toContain('not replicated')
    expect(await (await fetch(`${url}/readyz?verbose`)).text()).not.toContain('not replicated')
    expect(await (await fetch(`${url}/v1/cluster`)).json()).toMatchObject({ warnings: [] })
  }
})
