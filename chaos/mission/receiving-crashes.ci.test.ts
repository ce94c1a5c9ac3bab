// An application with a durable store that is killed while it receives, and what it is shown then.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ChatClient, type ChatOptions } from '#client'
import { LevelStore } from '#client/store'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { runChild } from '../processes/run-child.ts'
import { WireClient } from '../workload/wire-client.ts'
import { range } from './inbox-client.ts'
import { eventually } from './mission-clients.ts'
import type { ReceivingLine, ReceivingPlan } from './receiving-child.ts'

const CHILD = fileURLToPath(new URL('receiving-child.ts', import.meta.url))

let cluster: ProcessCluster
let folder: string
const ended: (() => void | Promise<unknown>)[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-receiving-'))
  cluster = await ProcessCluster.started(3)
})
afterAll(async () => {
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})
afterEach(async () => {
  for (const end of ended.splice(0)) await end()
})

async function connect(user: string, more: Partial<ChatOptions> = {}): Promise<ChatClient> {
  const urls = [cluster.node('n1').url]
  const client = await ChatClient.connect({ urls, user, device: `${user}-device`, ...more })
  ended.push(() => {
    client.close()
    return client.closed
  })
  return client
}

const storeOf = (user: string) => new LevelStore(join(folder, user))

/** Connects once, so that what comes from now on is behind its position. */
async function known(user: string): Promise<void> {
  const client = await connect(user, { store: storeOf(user) })
  client.close()
  await client.closed
}

/** One life that ends by SIGKILL. */
async function life(
  user: string,
  dies: ReceivingPlan['dies'],
  more: { copies?: number; onLine?: (line: ReceivingLine) => void } = {},
) {
  const { copies = 1, onLine } = more
  const plan = { url: cluster.node('n2').url, user, store: join(folder, user), copies, dies }
  const { lines, killed } = await runChild<ReceivingPlan, ReceivingLine>(CHILD, plan, onLine)
  expect(killed).toBe(true)
  const of = <Is extends ReceivingLine['is']>(is: Is) =>
    lines.filter((line): line is Extract<ReceivingLine, { is: Is }> => line.is === is)
  return { pages: of('page'), pushed: of('pushed'), shown: of('shown') }
}

/** The last life, which stays: everything that it is shown until it has `last`. */
async function rest(user: string, last: number) {
  const client = await connect(user, { store: storeOf(user) })
  const shown: { seq: number; redelivered: boolean }[] = []
  for await (const { seq, redelivered } of client.messages({ after: 'cursor' })) {
    shown.push({ seq, redelivered })
    if (seq === last) break
  }
  return shown
}

test('[M-10] killed between a page and its confirmation: the same page again, nothing shown twice', async () => {
  await known('bob10')
  const room = (await connect('ann10')).direct('bob10')
  await Promise.all(range(1, 300).map((n) => room.send(n).sent))
  // On his node as well, or the first page would be a shorter one.
  await cluster.converged()
  // The page is there, and nothing of it is written.
  const first = await life('bob10', { at: 'inbox.beforeWrite', count: 1 })
  expect(first.pages.map(({ inboxes }) => inboxes)).toEqual([range(1, 100)])
  expect(first.shown).toEqual([])
  // It is written, and the next one is there.
  const second = await life('bob10', { at: 'inbox.beforeWrite', count: 2 })
  expect(second.pages.map(({ inboxes }) => inboxes)).toEqual([range(1, 100), range(101, 200)])
  const third = await life('bob10', { at: 'inbox.beforeWrite', count: 1 })
  expect(third.pages[0]?.inboxes).toEqual(range(101, 200))
  const shown = [...second.shown, ...third.shown, ...(await rest('bob10', 300))]
  expect([...new Set(shown.map(({ seq }) => seq))]).toEqual(range(1, 300))
  // Again only what was in the application's hands as it died, or on its way there.
  const twice = shown.filter(({ seq }, at) => shown.findIndex((each) => each.seq === seq) !== at)
  expect(twice.filter(({ redelivered }) => !redelivered)).toEqual([])
  expect(twice.length).toBeLessThanOrEqual(2)
})

test('[M-11] killed when the bytes had come and nothing was written: not delivered, and there in the end', async () => {
  await known('bob11')
  const ann = await connect('ann11')
  const room = ann.direct('bob11')
  let message = null as ReturnType<typeof room.send> | null
  const dead = await life(
    'bob11',
    { at: 'disk', count: 1 },
    {
      onLine: ({ is }) => {
        if (is === 'ready') message = room.send('hello')
      },
    },
  )
  expect(dead.pushed).toEqual([{ is: 'pushed', seq: 1 }])
  expect(dead.shown).toEqual([])
  const { conversation } = await message!.sent
  // What another client acknowledges at the same node now comes behind all that this one did.
  const eve = await WireClient.connect(cluster.node('n2').url, 'eve11', 'phone')
  const { conv, seq } = await eve.say({ to: 'ann11' }, 'm', 'x')
  const acks = [{ conv, upTo: seq, kind: 'delivered' }]
  expect((await eve.ask({ t: 'ack:R', acks })).error).toBeUndefined()
  const asking = await WireClient.connect(cluster.node('n2').url, 'ann11', 'other')
  const told = await asking.ask({ t: 'conv:R', op: 'receipts', conv: conversation, seq: 1 })
  expect(told['receipts']).toMatchObject({ seq: 1, delivered: 0 })
  expect(told['receipts'].members).toContainEqual({ user: 'bob11', delivered: 0, read: 0 })
  expect(message!.status).toBe('sent')
  expect(await rest('bob11', 1)).toEqual([{ seq: 1, redelivered: false }])
  await eventually(
    () => message!.status,
    (status) => status === 'delivered',
  )
  await Promise.all([eve.leave(), asking.leave()])
})

test('[M-28] both phases three times over and killed between them: once in each life, and again only what was in hand', async () => {
  await known('bob28')
  const room = (await connect('ann28')).direct('bob28')
  await Promise.all(range(1, 60).map((n) => room.send(n).sent))
  const copies = 3
  const lives = [
    // Received, and not told to any node.
    await life('bob28', { at: 'inbox.written', count: 1 }, { copies }),
    // In the application's hands.
    await life('bob28', { at: 'handler', count: 10 }, { copies }),
    // Done with, and nothing of that is written.
    await life('bob28', { at: 'cursor.acknowledged', count: 10 }, { copies }),
    // On its way into the application's hands.
    await life('bob28', { at: 'cursor.written', count: 10 }, { copies }),
  ].map(({ shown }) => shown.map(({ seq, redelivered }) => ({ seq, redelivered })))
  lives.push(await rest('bob28', 60))
  for (const shown of lives) {
    expect(new Set(shown.map(({ seq }) => seq)).size).toBe(shown.length)
    // Only the first of a life may have been in the hands of the one before.
    expect(shown.slice(1).filter(({ redelivered }) => redelivered)).toEqual([])
  }
  const all = lives.flat()
  const again = [lives[2]![0], lives[3]![0], lives[4]![0]]
  expect(again.map((event) => event?.redelivered)).toEqual([true, true, true])
  expect(again[0]!.seq).toBe(lives[1]!.at(-1)!.seq)
  expect(again[1]!.seq).toBe(lives[2]!.at(-1)!.seq)
  expect([...new Set(all.map(({ seq }) => seq))]).toEqual(range(1, 60))
})
