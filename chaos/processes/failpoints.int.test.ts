import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { FAILPOINTS } from '#cluster'
import { runDrill } from './kill-drill.ts'
import { ProcessCluster } from './process-cluster.ts'

/** Deaths at each point; the long form sets five. */
const DEATHS = Number(process.env.PARLEY_DRILL_DEATHS ?? 1)
let cluster: ProcessCluster
afterEach(() => cluster.close())

describe('a node that dies at its worst moment', () => {
  test.each(Object.keys(FAILPOINTS))(
    '%s: nothing lost, doubled or reordered',
    async (failpoint) => {
      cluster = await ProcessCluster.create(3)
      const arm = () => ({ failpoints: `${failpoint}=${50 + Math.floor(Math.random() * 400)}` })
      // Only a leader reaches a leader's failpoint; any other would take all nodes at once.
      const armsAll = failpoint.startsWith('leader.')
      await Promise.all(
        cluster.nodes.map(({ name }, at) => cluster.start(name, armsAll || at === 0 ? arm() : {})),
      )
      await cluster.healthy()
      let deaths = 0
      const report = await runDrill({
        cluster,
        senders: 20,
        conversations: 10,
        harm: async ({ recovered }) => {
          while (deaths < DEATHS) {
            await sleep(5)
            const dead = cluster.nodes.filter((node) => node.process === null)
            for (const node of dead) {
              expect(node.exit?.signal).toBe('SIGKILL')
              deaths += 1
              await recovered()
              await cluster.start(node.name, deaths < DEATHS ? arm() : {})
            }
            if (dead.length > 0) await cluster.healthy()
          }
          // Whoever is still armed must not die while the drill ends.
          for (const node of cluster.nodes) {
            await cluster.kill(node.name)
            await cluster.start(node.name)
            await cluster.healthy()
          }
        },
      })
      expect(report.violations).toEqual([])
      expect(report.acknowledged).toBe(report.sent)
      expect(report.duplicatesAnswered).toBe(report.repeats)
    },
    60_000 + DEATHS * 20_000,
  )
})
