// A user whose inbox numbers run out: what four billion events would do is brought about by moving
// the inbox's head, in the store of a node that is stopped, to shortly before the end.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NodeFileSystem } from '../../node/host/node-file-system.ts'
import { INBOX_PAGE } from '../../node/state-machine/inbox-runs.ts'
import { inboxKey } from '../../node/state-machine/keys.ts'
import { LAST_INBOX, UserInbox } from '../../node/state-machine/user-inbox.ts'
import { LevelDatabaseFactory } from '../../node/store/level-database.ts'
import { ValueCodec } from '../../node/store/value-codec.ts'
import { WireClient } from '../workload/wire-client.ts'
import { ProcessCluster } from './process-cluster.ts'

/** Checkpoints after every few messages. */
const FLAGS = { flags: ['--checkpoint-bytes', '4096'] }

let cluster: ProcessCluster
let url: string

beforeAll(async () => {
  cluster = await ProcessCluster.create(1)
  url = cluster.node('n1').url
  for (let round = 0; ; round += 1) {
    await cluster.startAll(FLAGS)
    await cluster.healthy()
    const alice = await WireClient.connect(url, 'alice', 'a1')
    for (let n = 0; n < 20; n += 1) {
      await alice.say({ to: 'bob' }, `before-${round}-${n}`, 'x'.repeat(1_000))
    }
    await alice.leave()
    await cluster.signal('n1', 'SIGTERM')
    if (await moveInbox('bob')) break
    if (round === 10) throw new Error('no checkpoint holds the inbox of bob')
  }
  await cluster.startAll(FLAGS)
  await cluster.healthy()
})
afterAll(() => cluster.close())

/** To where the last page begins; `false`: no checkpoint has it yet. */
async function moveInbox(user: string): Promise<boolean> {
  const stores = join(cluster.node('n1').data, 'store')
  const found = await readdir(stores, { recursive: true })
  const current = found.find((path) => path.endsWith('CURRENT'))!
  const path = join(stores, current, '..')
  const database = await new LevelDatabaseFactory(new NodeFileSystem()).open(path, {
    create: false,
  })
  try {
    const key = inboxKey(user)
    const stored = await database.get(key)
    if (stored === null) return false
    const codec = new ValueCodec()
    const old = UserInbox.decode(user, codec.open(key, stored))
    const moved = new UserInbox(user)
    moved.head = LAST_INBOX - (LAST_INBOX % INBOX_PAGE)
    moved.firstPage = moved.openPage
    moved.large = old.large
    moved.devices = old.devices
    const batch = database.batch()
    batch.put(key, codec.seal(key, moved.encode()))
    await batch.write()
    return true
  } finally {
    await database.close()
  }
}

test('numbers up to the last one, then SEQ_EXHAUSTED; nobody’s send is refused, nothing is lost', async () => {
  const alice = await WireClient.connect(url, 'alice', 'a1')
  const bob = await WireClient.connect(url, 'bob', 'b1')
  const first = bob.hello['inbox'] as number
  expect(first).toBeGreaterThan(LAST_INBOX - INBOX_PAGE)
  const count = LAST_INBOX - first + 5
  expect(count).toBeLessThan(2 * INBOX_PAGE)
  // From the newest on, as a client that has lost its position does.
  const synced = await bob.ask({ t: 'sync:R', after: first, limit: 100 })
  expect(synced).toMatchObject({ events: [], next: first })

  let conv = ''
  const seqs: number[] = []
  for (let n = 0; n < count; n += 1) {
    const answer = await alice.say({ to: 'bob' }, `after-${n}`, n)
    conv = answer['conv'] as string
    seqs.push(answer['seq'] as number)
    expect(answer['inbox']).toBeLessThan(1_000)
  }
  const told = await bob.until(({ t, error }) => t === 'error:N' && error?.code === 'SEQ_EXHAUSTED')
  expect(told.error).toMatchObject({ retryable: false })
  await bob.until(({ t, seq }) => t === 'msg:N' && seq === seqs.at(-1))
  const numbers = bob.received.flatMap(({ t, kind, inbox }) =>
    t === 'msg:N' && kind !== undefined && typeof inbox === 'number' ? [inbox] : [],
  )
  const given = Array.from({ length: LAST_INBOX - first }, (_, at) => first + 1 + at)
  expect(numbers).toEqual(given)
  expect(bob.received.filter(({ error }) => error?.code === 'SEQ_EXHAUSTED')).toHaveLength(1)

  // What has no number is found by the head, and read by its seq.
  const ping = await bob.ask({ t: 'ping:R' })
  expect(ping).toMatchObject({ inbox: null, heads: [{ conv, seq: seqs.at(-1) }] })
  const pulled: number[] = []
  for (let after = seqs[0]! - 1, hasMore = true; hasMore;) {
    const page = await bob.ask({ t: 'pull:R', conv, after, limit: 100 })
    pulled.push(...(page['events'] as { body: number }[]).map(({ body }) => body))
    after = page['next'] as number
    hasMore = page['hasMore'] as boolean
  }
  expect(pulled).toEqual(seqs.map((_, n) => n))
  await bob.leave()

  // A later session is told at once.
  const again = await WireClient.connect(url, 'bob', 'b2')
  expect(again.hello['inbox']).toBeNull()
  await again.until(({ error }) => error?.code === 'SEQ_EXHAUSTED')
  const page = await again.ask({ t: 'sync:R', after: LAST_INBOX, limit: 10 })
  expect(page).toMatchObject({ events: [], conversations: [{ conv, head: seqs.at(-1) }] })
  await again.leave()
  await alice.leave()
})
