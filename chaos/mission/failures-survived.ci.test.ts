// How many nodes may fail: a minority of them, and writes go on; more, and nothing is called sent.
import { afterEach, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { WireClient } from '../workload/wire-client.ts'
import { readAll, taken } from './mission-clients.ts'

let cluster: ProcessCluster
afterEach(() => cluster.close())

const bodiesIn = async (client: WireClient, conv: string) =>
  (await readAll(client, conv)).flatMap(({ events }) => events.map(({ body }) => body))

test.each([
  { size: 3, survived: 1 },
  { size: 5, survived: 2 },
])(
  '[M-50] $size nodes: $survived may fail, one more and nothing is sent',
  async (drill) => {
    const { size, survived } = drill
    cluster = await ProcessCluster.started(size)
    const leader = await cluster.healthy()
    const others = cluster.nodes.filter(({ name }) => name !== leader)
    const ann = await WireClient.connect(cluster.node(leader).url, 'ann', 'phone')
    const message = (id: string) => ({ t: 'msg:R', to: 'ben', msgId: id, body: id })
    const { conv } = await taken(ann, message('all-up'))
    await Promise.all(others.slice(0, survived).map(({ name }) => cluster.kill(name)))
    await taken(ann, message('a-majority'))
    // The leader has not noticed yet, and must not count on those that are gone.
    await cluster.kill(others[survived]!.name)
    const refused = await ann.request(message('too-few'))
    expect(refused?.error).toMatchObject({ retryable: true })
    // With one of them back there is a majority, which knows what was sent and what was not.
    await cluster.start(others[survived]!.name)
    await cluster.healthy()
    const again = await WireClient.connect(cluster.running[0]!.url, 'ann', 'tablet')
    await taken(again, message('too-few'))
    expect(await bodiesIn(again, conv as string)).toEqual(['all-up', 'a-majority', 'too-few'])
    ann.close()
    again.close()
  },
  60_000,
)
