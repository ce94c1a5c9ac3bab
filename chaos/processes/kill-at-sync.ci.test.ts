import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { runDrill } from './kill-drill.ts'
import { ProcessCluster } from './process-cluster.ts'
import { lacking } from './requirements.ts'

/** Deaths per test; the long form sets more. */
const DEATHS = Number(process.env['PARLEY_DRILL_DEATHS'] ?? 6)
/**
 * Kills the node as it enters its `nth` fdatasync: the write before it is done, the sync is not. The
 * tracer detaches itself, so that the process that was started is the node.
 */
function killAtSync(nth: number): string[] {
  const inject = `inject=fdatasync:signal=SIGKILL:when=${nth}`
  const trace = ['-e', 'trace=fdatasync', '-e', inject]
  return ['strace', '-D', '-f', '-qq', '-o', '/dev/null', ...trace]
}

let cluster: ProcessCluster
afterEach(() => cluster.close())

describe.skipIf(lacking('ptrace'))('killed between write and fdatasync', () => {
  test.each([{ armed: 1 }, { armed: 3 }])(
    '$armed of 3 nodes, again and again: nothing acknowledged is lost',
    async ({ armed }) => {
      cluster = await ProcessCluster.create(3)
      // Few enough that some die while they start again.
      const arm = () => ({ wrap: killAtSync(1 + Math.floor(Math.random() ** 2 * 300)) })
      await cluster.startAll()
      await cluster.healthy()
      let deaths = 0
      const report = await runDrill({
        cluster,
        senders: 20,
        conversations: 10,
        harm: async ({ recovered }) => {
          for (const { name } of cluster.nodes.slice(0, armed)) {
            await cluster.kill(name)
            await cluster.start(name, arm())
          }
          while (deaths < DEATHS) {
            await sleep(5)
            for (const node of cluster.nodes.filter(({ process }) => process === null)) {
              expect(node.exit?.signal).toBe('SIGKILL')
              deaths += 1
              await cluster.start(node.name, arm())
            }
          }
          // Whoever is still armed must not die while the drill ends.
          await Promise.all(cluster.nodes.map(({ name }) => cluster.kill(name)))
          await cluster.startAll()
          await recovered()
        },
      })
      console.log(
        `${armed} armed: ${deaths} deaths, ${report.acknowledged} acknowledged, ` +
          `${report.repeats} repeats`,
      )
      expect(report.violations).toEqual([])
      expect(report.acknowledged).toBe(report.sent)
      expect(report.duplicatesAnswered).toBe(report.repeats)
    },
    60_000 + DEATHS * 20_000,
  )
})
