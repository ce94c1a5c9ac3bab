import { afterEach, expect, test } from 'vitest'
import { WireClient } from '../workload/wire-client.ts'
import { ProcessCluster } from './process-cluster.ts'
import { Traveller } from './traveller.ts'

/** Moves; the long form sets more. Every fourth goes to a node that was killed. */
const MOVES = Number(process.env['PARLEY_DRILL_MOVES'] ?? 6)
/** What a node misses before each move: too much for one message to bring it up to date. */
const MISSED = 300
const BODY = 'x'.repeat(8_000)

let cluster: ProcessCluster
afterEach(() => cluster.close())

test('a client that always moves to the most lagging node never sees an older view', async () => {
  const { lagged, ann } = await travel()
  console.log(
    `${MOVES} moves, ${lagged} to a node seen behind, ${ann.behind} refused as BEHIND, ` +
      `${ann.seen} events`,
  )
  expect(lagged).toBeGreaterThan(0)
  expect(ann.seen).toBeGreaterThanOrEqual(MOVES * (MISSED + 1))
})

test('[control] without its mark the same client sees one', async () => {
  // The node it comes to may have caught up by then: chance, so that it travels until it is not.
  const seen = async (left: number): Promise<string> => {
    const outcome = await travel({ forgetful: true }).then(
      () => 'nothing',
      (error: Error) => error.message,
    )
    if (outcome !== 'nothing' || left === 0) return outcome
    await cluster.close()
    return seen(left - 1)
  }
  expect(await seen(6)).toContain('an older view')
})

/** Goes from node to node; rejects at the first older view. */
async function travel(options: { forgetful?: boolean } = {}) {
  cluster = await ProcessCluster.started(3)
  const names = cluster.nodes.map(({ name }) => name)
  const urlOf = (name: string) => cluster.node(name).url
  const founder = await WireClient.connect(urlOf('n1'), 'ann', 'ann-laptop')
  const created = await founder.request({
    ...{ t: 'conv:R', op: 'create', msgId: 'create' },
    ...{ members: ['bob'], name: 'both' },
  })
  founder.close()
  const { id: conv } = created!['conversation'] as { id: string }
  const ann = new Traveller({ conv, user: 'ann', device: 'ann-phone', ...options })
  let here = 'n1'
  let lagged = 0
  await ann.move(urlOf(here))
  for (let move = 0; move < MOVES; move++) {
    const others = names.filter((name) => name !== here)
    // By turns the leader too, where it is not the node that she is on.
    const laggard = others[move % 2]!
    const killed = move % 4 === 3
    await cluster.signal(laggard, killed ? 'SIGKILL' : 'SIGSTOP')
    await fill(urlOf(here), conv, move)
    await ann.send()
    await ann.read()
    const due = (await cluster.state(here))!.applied
    if (killed) await cluster.start(laggard)
    // Asked before it runs on: answered with the first it does.
    const asked = cluster.state(laggard)
    const arrival = ann.move(urlOf(laggard))
    if (!killed) await cluster.signal(laggard, 'SIGCONT')
    await arrival
    if (((await asked)?.applied ?? due) < due) lagged += 1
    await ann.read()
    here = laggard
  }
  ann.close()
  return { lagged, ann }
}

/** Bob writes as much as the node that lags is to miss. */
async function fill(url: string, conv: string, round: number): Promise<void> {
  const client = await WireClient.connect(url, 'bob', 'bob-phone')
  const send = async (at: number): Promise<void> => {
    for (;;) {
      const msgId = `fill-${round}-${at}`
      const answer = await client.request({ t: 'msg:R', conv, msgId, body: BODY }, 20_000)
      if (answer !== null && answer.error === undefined) return
      if (answer?.error?.retryable !== true) throw new Error(JSON.stringify(answer))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  await Promise.all(Array.from({ length: MISSED }, (_, at) => send(at)))
  client.close()
}
