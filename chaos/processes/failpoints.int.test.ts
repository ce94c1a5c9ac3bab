import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { FailpointName } from '#cluster'
import { runDrill } from './kill-drill.ts'
import { ProcessCluster } from './process-cluster.ts'

/** Deaths at each point; the long form sets five. */
const DEATHS = Number(process.env.PARLEY_DRILL_DEATHS ?? 1)
const REACHED: readonly FailpointName[] = [
  'leader.appendedUnsent',
  'leader.oneAck',
  'leader.committedUnanswered',
  'gateway.halfAnswer',
]
let cluster: ProcessCluster
afterEach(() => cluster.close())

describe('a node that dies at its worst moment', () => {
  test.each(REACHED)(
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
      let over = false
      // Whoever dies comes back, armed again until enough have died: a second one may die before
      // the first is back, and then only both can go on.
      const revive = async () => {
        while (!over) {
          for (const node of cluster.nodes.filter(({ process: child }) => child === null)) {
            expect(node.exit?.signal).toBe('SIGKILL')
            deaths += 1
            await cluster.start(node.name, deaths < DEATHS ? arm() : {})
          }
          await sleep(20)
        }
      }
      const report = await runDrill({
        cluster,
        senders: 20,
        conversations: 10,
        harm: async ({ recovered }) => {
          const reviving = revive()
          while (deaths < DEATHS) await sleep(20)
          await recovered()
          over = true
          await reviving
          // Whoever is still armed must not die while the drill ends.
          for (const node of cluster.nodes) {
            await cluster.kill(node.name)
            await cluster.start(node.name)
          }
          await cluster.healthy()
        },
      })
      expect(report.violations).toEqual([])
      expect(report.acknowledged).toBe(report.sent)
      expect(report.duplicatesAnswered).toBe(report.repeats)
    },
    60_000 + DEATHS * 20_000,
  )
})
