// How long a user waits for the tick when the leader dies, measured through the SDK.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChatClient } from '#client'
import { ProcessCluster } from './process-cluster.ts'

const KILLS = Number(process.env.PARLEY_DRILL_KILLS ?? 20)

let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(() => cluster.close())

async function client(node: string, user: string): Promise<ChatClient> {
  const { url } = cluster.node(node)
  const one = await ChatClient.connect({ urls: [url], user, device: `${user}-phone` })
  expect(one.state).toMatchObject({ node })
  return one
}

const quantile = (sorted: readonly number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!

const summary = (name: string, values: readonly number[]) => {
  const sorted = [...values].sort((a, b) => a - b)
  const [p50, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)]
  console.log(`${name}: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms over ${KILLS} kills`)
  return { p50, p99 }
}

test(
  '[M-64] kill -9 of the leader, to the first message that is sent after it',
  async () => {
    const onKilled: number[] = []
    const onSurvivor: number[] = []
    for (let kill = 0; kill < KILLS; kill += 1) {
      const leader = await cluster.healthy()
      const survivor = cluster.nodes.filter(({ name }) => name !== leader)[kill % 2]!.name
      const users = [await client(leader, 'ann'), await client(survivor, 'bob')] as const
      const rooms = [users[0].direct('bob'), users[1].direct('ann')] as const
      await Promise.all(rooms.map((room) => room.send('before').sent))
      await cluster.kill(leader)
      const from = performance.now()
      const sent = rooms.map(async (room) => {
        await room.send('after').sent
        return performance.now() - from
      })
      const [killed, survived] = await Promise.all(sent)
      onKilled.push(killed!)
      onSurvivor.push(survived!)
      for (const user of users) user.close()
      await cluster.start(leader)
    }
    const killed = summary('client of the killed node', onKilled)
    const survived = summary('client of a surviving node', onSurvivor)
    expect(killed.p99).toBeLessThan(5_000)
    expect(survived.p99).toBeLessThan(5_000)
  },
  KILLS * 15_000,
)
