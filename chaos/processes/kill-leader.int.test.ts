import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'
import { runDrill } from './kill-drill.ts'

/** The long form kills twenty times. */
const KILLS = Number(process.env.PARLEY_DRILL_KILLS ?? 6)
let cluster: ProcessCluster
let failed = true
afterEach(() => cluster.close(failed && process.env.PARLEY_KEEP !== undefined))

describe('real nodes', () => {
  test(
    '[M-31] [M-61] the leader killed in mid-send, again and again: nothing lost, doubled or reordered',
    async () => {
      cluster = await ProcessCluster.started(3)
      let kills = 0
      const report = await runDrill({
        cluster,
        senders: 20,
        conversations: 10,
        harm: async ({ recovered }) => {
          while (kills < KILLS) {
            const leader = await cluster.leader()
            if (leader === null) continue
            await cluster.kill(leader)
            kills += 1
            await recovered()
            await cluster.start(leader)
            await cluster.healthy()
            await sleep(Math.random() * 300)
          }
        },
      })
      const recoveries = [...report.recoveriesMs].sort((a, b) => a - b)
      console.log(
        `kills ${kills}, sent ${report.sent}, acknowledged ${report.acknowledged}, repeats ${report.repeats}, ` +
          `recovery p50 ${recoveries[recoveries.length >> 1]?.toFixed(0)} ms, max ${recoveries.at(-1)?.toFixed(0)} ms`,
      )
      expect(report.violations).toEqual([])
      expect(report.acknowledged).toBe(report.sent)
      expect(report.duplicatesAnswered).toBe(report.repeats)
      expect(report.repeats).toBeGreaterThan(0)
      failed = false
    },
    240_000 + KILLS * 20_000,
  )
})
