import { afterEach, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { runDrill } from '../processes/kill-drill.ts'

const KILLS = 50
let cluster: ProcessCluster
afterEach(() => cluster.close())

test('[M-31] the leader killed fifty times while numbers are given out: none is given twice', async () => {
  cluster = await ProcessCluster.started(3)
  const report = await runDrill({
    cluster,
    senders: 20,
    conversations: 10,
    harm: async ({ recovered }) => {
      for (let kills = 0; kills < KILLS; kills += 1) {
        const leader = await cluster.healthy()
        await cluster.kill(leader)
        await recovered()
        await cluster.start(leader)
      }
    },
  })
  expect(report.violations).toEqual([])
  expect(report.acknowledged).toBe(report.sent)
}, 900_000)
