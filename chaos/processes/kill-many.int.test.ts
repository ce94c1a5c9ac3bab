import { afterEach, describe, expect, test } from 'vitest'
import { runDrill } from './kill-drill.ts'
import { ProcessCluster } from './process-cluster.ts'

/** Rounds of each kind; the long form sets more. */
const ROUNDS = Number(process.env['PARLEY_DRILL_ROUNDS'] ?? 5)

let cluster: ProcessCluster
afterEach(() => cluster.close())

async function killRounds(options: {
  size: number
  rounds: number
  victims: (leader: string, round: number) => readonly string[]
}): Promise<void> {
  const { size, rounds, victims } = options
  cluster = await ProcessCluster.started(size)
  const report = await runDrill({
    cluster,
    senders: 8,
    conversations: 5,
    harm: async ({ recovered }) => {
      for (let round = 0; round < rounds; round++) {
        const names = victims((await cluster.leader()) ?? 'n1', round)
        await Promise.all(names.map((name) => cluster.kill(name)))
        for (const name of names) expect(cluster.node(name).exit?.signal).toBe('SIGKILL')
        if (names.length * 2 < size) await recovered()
        await Promise.all(names.map((name) => cluster.start(name)))
        // Without waiting for all: the next round may strike a node that still starts.
        await recovered()
      }
    },
  })
  expect(report.violations).toEqual([])
  expect(report.acknowledged).toBe(report.sent)
  expect(report.duplicatesAnswered).toBe(report.repeats)
}

describe('kill -9 of many at once, while messages are acknowledged', () => {
  test('[M-61] all three nodes: nothing acknowledged is missing', async () => {
    await killRounds({
      size: 3,
      rounds: Math.floor(ROUNDS / 2),
      victims: () => cluster.nodes.map(({ name }) => name),
    })
  })

  test('two of five, with and without the leader: the other three go on', async () => {
    await killRounds({
      size: 5,
      rounds: ROUNDS,
      victims: (leader, round) => {
        const followers = cluster.nodes.map(({ name }) => name).filter((name) => name !== leader)
        const at = round % 3
        return round % 2 === 0 ? [leader, followers[at]!] : [followers[at]!, followers[at + 1]!]
      },
    })
  })
})
