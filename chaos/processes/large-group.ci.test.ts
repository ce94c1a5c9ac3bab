// A group of 100,000 over real nodes: made, listed, written to at the price of a small one.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChatClient } from '#client'
import { type Frame, WireClient } from '../workload/wire-client.ts'
import { ProcessCluster } from './process-cluster.ts'

const MEMBERS = 100_000
const NAMED_AT_ONCE = 999
/** Requests of one WebSocket message, all on their way at once. */
const BATCH = 400

let cluster: ProcessCluster
let owner: WireClient

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
  owner = await WireClient.connect(cluster.node('n1').url, 'owner', 'o1')
})
afterAll(() => cluster.close())

const nameOf = (n: number): string => `member-${n}`

async function createGroup(msgId: string, members: readonly string[]): Promise<string> {
  const answer = await owner.ask({ t: 'conv:R', op: 'create', msgId, members })
  if (answer.error !== undefined) throw new Error(answer.error.code)
  return answer['conversation'].id as string
}

/** One operation for each user, many at a time. */
async function change(
  op: 'add' | 'remove',
  conv: string,
  users: readonly string[],
  batch = BATCH,
): Promise<void> {
  for (let first = 0; first < users.length; first += batch) {
    const part = users.slice(first, first + batch)
    const answers = await Promise.all(
      part.map((user) =>
        owner.request({ t: 'conv:R', op, conv, user, msgId: `${op}-${user}` }, 60_000),
      ),
    )
    for (const answer of answers) {
      if (answer === null) throw new Error(`${op}: no answer`)
      if (answer.error !== undefined) throw new Error(`${op}: ${answer.error.code}`)
    }
    owner.received.length = 0
  }
}

async function membersOf(conv: string): Promise<string[]> {
  const names: string[] = []
  for (let membersFrom: number | undefined = 0; membersFrom !== undefined;) {
    const answer: Frame = await owner.ask({ t: 'conv:R', op: 'get', conv, membersFrom })
    const { members, nextMembers } = answer['conversation'] as {
      members: { user: string }[]
      nextMembers?: number
    }
    expect(members.length).toBeLessThanOrEqual(512)
    names.push(...members.map(({ user }) => user))
    membersFrom = nextMembers
  }
  return names
}

async function sendMs(conv: string, msgId: string): Promise<number> {
  const begun = performance.now()
  await owner.say({ conv }, msgId, 'x'.repeat(256))
  return performance.now() - begun
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

test('100,000 join, are listed page by page, and a message costs what it costs among ten', async () => {
  const all = Array.from({ length: MEMBERS - 1 }, (_, n) => nameOf(n))
  const large = await createGroup('large', all.slice(0, NAMED_AT_ONCE))
  await change('add', large, all.slice(NAMED_AT_ONCE))
  const full = await owner.ask({ t: 'conv:R', op: 'add', conv: large, user: 'x', msgId: 'x' })
  expect(full.error?.code).toBe('GROUP_FULL')
  const listed = await membersOf(large)
  expect(listed).toHaveLength(MEMBERS)
  expect(new Set(listed)).toEqual(new Set(['owner', ...all]))

  const small = await createGroup('ten', all.slice(0, 9))
  const times: Record<string, number[]> = { small: [], large: [] }
  for (let n = 0; n < 400; n += 1) {
    // One after the other, so that what else the machine does slows both.
    times['small']!.push(await sendMs(small, `s${n}`))
    times['large']!.push(await sendMs(large, `l${n}`))
  }
  expect(median(times['large']!)).toBeLessThan(2 * median(times['small']!))

  // Somebody in the middle of it, who was never there, finds the newest by its head.
  const late = await WireClient.connect(cluster.node('n2').url, nameOf(50_000), 'd1')
  const { heads } = await late.ask({ t: 'ping:R' })
  const head = (heads as { conv: string; seq: number }[]).find(({ conv }) => conv === large)!.seq
  const page = await late.ask({ t: 'pull:R', conv: large, before: head + 1, limit: 10 })
  expect((page['events'] as { msgId: string }[]).at(-1)).toMatchObject({ msgId: 'l399' })
  await late.leave()
  await cluster.converged()
  const states = await Promise.all(cluster.nodes.map(({ name }) => cluster.state(name)))
  expect(new Set(states.map((state) => state!.stateHash)).size).toBe(1)
})

test('a group that becomes large and small again while it is written to loses and doubles nothing', async () => {
  const crowd = Array.from({ length: 530 }, (_, n) => `crowd-${n}`)
  const conv = await createGroup('crossing', ['bob', 'ann', ...crowd.slice(0, 470)])
  const url = cluster.node('n3').url
  const bob = await ChatClient.connect({ urls: [url], user: 'bob', device: 'b1' })
  const ann = await WireClient.connect(cluster.node('n2').url, 'ann', 'a1')
  try {
    const seen: unknown[] = []
    const messages = bob.messages()
    const reading = (async () => {
      for await (const { body } of messages) {
        seen.push(body)
        if (body === 'last') break
      }
    })()
    // The stream begins at the latest with this answer.
    await bob.conversations()
    let sent = 0
    let isDone = false
    const writing = (async () => {
      for (; !isDone; sent += 1) await ann.say({ conv }, `m${sent}`, sent)
    })()
    for (let round = 0; round < 2; round += 1) {
      await change('add', conv, round === 0 ? crowd.slice(470) : again(crowd), 10)
      expect((await owner.ask({ t: 'conv:R', op: 'get', conv }))['conversation'].large).toBe(true)
      await removeAll(conv, crowd, round)
      const { conversation } = await owner.ask({ t: 'conv:R', op: 'get', conv })
      expect(conversation.large).toBeUndefined()
    }
    isDone = true
    await writing
    await ann.say({ conv }, 'last', 'last')
    await reading
    expect(sent).toBeGreaterThan(50)
    expect(seen).toEqual([...Array.from({ length: sent }, (_, n) => n), 'last'])
  } finally {
    bob.close()
    ann.close()
  }
})

/** Others for the second time: an operation is known by its msgId. */
const again = (crowd: readonly string[]): string[] =>
  Array.from({ length: crowd.length - 180 }, (_, n) => `crowd-again-${n}`)

async function removeAll(conv: string, crowd: readonly string[], round: number): Promise<void> {
  await change('remove', conv, round === 0 ? crowd.slice(0, 350) : again(crowd), 10)
}
