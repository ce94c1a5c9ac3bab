// A client written from docs/protocol.md alone, against real nodes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'
import { type Frame, WireClient, type Subprotocol } from '../workload/wire-client.ts'

const SUBPROTOCOLS: readonly Subprotocol[] = ['parley.v1.json', 'parley.v1.msgpack']
const NEWEST = 9007199254740991

let cluster: ProcessCluster
const open: WireClient[] = []
let names = 0

beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(() => cluster.close())

/** A user whom no other test knows. */
const newName = (name: string): string => `${name}-${(names += 1)}`

async function connect(
  user: string,
  node: 'n1' | 'n2' | 'n3' = 'n1',
  more: Parameters<typeof WireClient.connect>[3] & { device?: string } = {},
): Promise<WireClient> {
  const { device = `${user}-phone`, ...rest } = more
  const stranger = await WireClient.connect(cluster.node(node).url, user, device, rest)
  open.push(stranger)
  return stranger
}

async function group(owner: WireClient, ...members: string[]): Promise<string> {
  const answer = await owner.ask({ t: 'conv:R', op: 'create', msgId: newName('create'), members })
  expect(answer.error).toBeUndefined()
  return answer.conversation.id as string
}

/** Everything that the user sees of the conversation, as complete pages. */
async function readAll(client: WireClient, conv: string): Promise<Frame[]> {
  const events: Frame[] = []
  for (let after = 0; ;) {
    const page = await client.ask({ t: 'pull:R', conv, after, limit: 100, read: 'linearizable' })
    expect(page.error).toBeUndefined()
    events.push(...(page.events as Frame[]))
    after = page.next as number
    if (page.hasMore !== true) return events
  }
}

describe.each(SUBPROTOCOLS)('%s', (subprotocol) => {
  test('a group, a message, its push on another node, and pages of it from either end', async () => {
    const [ann, bob] = [newName('ann'), newName('bob')]
    const alice = await connect(ann, 'n1', { subprotocol })
    const bobby = await connect(bob, 'n2', { subprotocol })
    expect(alice.hello).toMatchObject({ v: 1, user: ann, device: `${ann}-phone`, node: 'n1' })
    expect(alice.hello.nodes).toHaveLength(3)
    expect(alice.hello.limits).toMatchObject({ bodyBytes: 65536, messageBytes: 1048576 })
    await alice.until(({ t }) => t === 'caughtup:N')

    const since = alice.hello.now as number
    const created = await alice.ask({
      t: 'conv:R',
      op: 'create',
      msgId: newName('create'),
      members: [bob],
      name: 'Zwölf 😀',
      meta: { colour: 'red' },
      since,
    })
    expect(created).toMatchObject({ t: 'conv:A', seq: 1, duplicate: false })
    expect(created.conversation).toMatchObject({
      kind: 'group',
      name: 'Zwölf 😀',
      meta: { colour: 'red' },
      head: 1,
      ord: 0,
      members: [
        { user: ann, role: 'owner' },
        { user: bob, role: 'member' },
      ],
    })
    const conv = created.conversation.id as string

    const first = await alice.say({ conv }, 'm1', { text: 'one' }, { since: created.now })
    expect(first).toMatchObject({ t: 'msg:A', msgId: 'm1', conv, seq: 2, ord: 1, duplicate: false })
    const pushed = await bobby.until(({ t, seq }) => t === 'msg:N' && seq === 2)
    expect(pushed).toMatchObject({
      conv,
      kind: 'message',
      ord: 1,
      msgId: 'm1',
      from: ann,
      device: `${ann}-phone`,
      at: first.at,
      body: { text: 'one' },
    })
    const answer = await bobby.say({ conv }, 'm1', { text: 'two' }, { replyTo: 2 })
    expect(answer).toMatchObject({ seq: 3, ord: 2, duplicate: false })
    const heard = await alice.until(({ t, seq }) => t === 'msg:N' && seq === 3)
    expect(heard).toMatchObject({ from: bob, msgId: 'm1', replyTo: 2, body: { text: 'two' } })
    let { mark } = answer
    for (let n = 4; n <= 10; n += 1) ({ mark } = await alice.say({ conv }, `m${n}`, n))

    // The other's mark: this node may not have applied the last of them yet.
    const all = await bobby.ask({ t: 'pull:R', conv, after: 0, limit: 100, mark })
    expect(all.events.map((event: Frame) => event.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(all).toMatchObject({ next: 10, upTo: 10, hasMore: false, gap: null })
    expect(all.events[0]).toMatchObject({ kind: 'member', from: ann })
    const middle = await bobby.ask({ t: 'pull:R', conv, after: 4, limit: 3 })
    expect(middle.events.map((event: Frame) => event.seq)).toEqual([5, 6, 7])
    expect(middle).toMatchObject({ next: 7, hasMore: true })
    const end = await bobby.ask({ t: 'pull:R', conv, before: NEWEST, limit: 3 })
    expect(end.events.map((event: Frame) => event.seq)).toEqual([8, 9, 10])
    expect(end).toMatchObject({ next: 8, upTo: 10, hasMore: true })
    const before = await bobby.ask({ t: 'pull:R', conv, before: end.next, limit: 100 })
    expect(before.events.map((event: Frame) => event.seq)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(before.hasMore).toBe(false)
    expect((await bobby.ask({ t: 'pull:R', conv, after: 10, limit: 9 })).events).toEqual([])
  })

  test('a retry is the first result, on every node; other content is a mismatch', async () => {
    const ann = newName('ann')
    const alice = await connect(ann, 'n1', { subprotocol })
    const conv = await group(alice, newName('bob'))
    const since = alice.hello.now as number
    const msgId = '18446744073709551615'
    const first = await alice.say({ conv }, msgId, { n: 1 }, { since })
    for (const node of ['n1', 'n2', 'n3'] as const) {
      const other = await connect(ann, node, { subprotocol, device: `again-${node}` })
      const again = await other.say({ conv }, msgId, { n: 1 }, { since })
      expect(again).toMatchObject({ seq: first.seq, at: first.at, ord: 1, duplicate: true, msgId })
      const unlike = await other.ask({ t: 'msg:R', conv, msgId, body: { n: 2 }, since })
      expect(unlike.error).toMatchObject({ code: 'PAYLOAD_MISMATCH', retryable: false })
      const reply = await other.ask({ t: 'msg:R', conv, msgId, body: { n: 1 }, replyTo: 1 })
      expect(reply.error).toMatchObject({ code: 'PAYLOAD_MISMATCH' })
    }
    const events = await readAll(alice, conv)
    expect(events.map(({ msgId: id }) => id).slice(1)).toEqual([msgId])
  })

  test('every value is a body and comes back as it was', async () => {
    const alice = await connect(newName('ann'), 'n1', { subprotocol })
    const reader = await connect(alice.hello.user as string, 'n3', { subprotocol, device: 'other' })
    const conv = await group(alice)
    const deep = (levels: number): unknown => (levels === 0 ? 'leaf' : [deep(levels - 1)])
    const bodies: unknown[] = [
      ...[null, true, false, 0, 1, -1, 1.5, -0.1, 1e300, 5e-324, NEWEST, -NEWEST, 4294967296],
      ...['', ' ', '\u0000', 'Grüße, 世界 😀 ‮', '"\\/\n', 'x'.repeat(300), '💥'.repeat(1000)],
      ...[
        [],
        {},
        [[]],
        [null, [1, 'a', { b: [] }]],
        { '': { '': '' } },
        { b: 1, a: { d: 2, c: 3 } },
      ],
      ...[{ $bytes: 'no base64!' }, { $bytes: 'AAEC', more: 1 }, { constructor: 1, toString: 2 }],
      ...[{ t: 'msg:R', id: 7, mark: 'm' }, deep(63), Array.from({ length: 5000 }, (_, n) => n)],
    ]
    for (const [n, body] of bodies.entries()) await alice.say({ conv }, `b${n}`, body)
    const events = (await readAll(reader, conv)).slice(1)
    expect(events).toHaveLength(bodies.length)
    for (const [n, body] of bodies.entries()) {
      expect(events[n]!.body).toEqual(body)
      expect(JSON.stringify(events[n]!.body)).toBe(JSON.stringify(body))
      const pushed = await reader.until(({ t, msgId }) => t === 'msg:N' && msgId === `b${n}`)
      expect(JSON.stringify(pushed.body)).toBe(JSON.stringify(body))
    }
    const tooDeep = await alice.ask({ t: 'msg:R', conv, msgId: 'deep', body: deep(65) })
    expect(tooDeep.error?.code).toBe('INVALID_MESSAGE')
  })

  test('64 KiB are stored, one byte more is too large', async () => {
    const alice = await connect(newName('ann'), 'n2', { subprotocol })
    const conv = await group(alice)
    const most = alice.hello.limits.bodyBytes as number
    // As msgpack a string of this length has three bytes more.
    const text = 'x'.repeat(most - 3)
    const stored = await alice.say({ conv }, 'most', text)
    const refused = await alice.ask({ t: 'msg:R', conv, msgId: 'over', body: `${text}x` })
    expect(refused.error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', retryable: false })
    const events = await readAll(alice, conv)
    expect(events.at(-1)).toMatchObject({ seq: stored.seq, msgId: 'most', body: text })
  })
})

test('one sees what the other wrote, byte strings included', async () => {
  const user = newName('ann')
  const json = await connect(user, 'n1', { subprotocol: 'parley.v1.json', device: 'j' })
  const packed = await connect(user, 'n2', { subprotocol: 'parley.v1.msgpack', device: 'p' })
  const conv = await group(json)
  await json.say({ conv }, 'from-json', { $bytes: 'AP9/' })
  await packed.say({ conv }, 'from-msgpack', { picture: Buffer.from([1, 2, 3]) })
  const [, first, second] = await readAll(packed, conv)
  expect(Buffer.from(first!.body as Uint8Array)).toEqual(Buffer.from([0, 255, 127]))
  expect(Buffer.from(second!.body.picture as Uint8Array)).toEqual(Buffer.from([1, 2, 3]))
  const seen = await readAll(json, conv)
  expect(seen[1]!.body).toEqual({ $bytes: 'AP9/' })
  expect(seen[2]!.body).toEqual({ picture: { $bytes: 'AQID' } })
})

test('[M-38] a msgId is of its sender: two senders with the same one are both stored', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const alice = await connect(ann, 'n1')
  const bobby = await connect(bob, 'n2')
  const conv = await group(alice, bob)
  const first = await alice.say({ conv }, 'same', 'of alice')
  const second = await bobby.say({ conv }, 'same', 'of bob')
  expect([first.duplicate, second.duplicate]).toEqual([false, false])
  const events = (await readAll(alice, conv)).slice(1)
  expect(events.map(({ from, body }) => [from, body])).toEqual([
    [ann, 'of alice'],
    [bob, 'of bob'],
  ])
})

test('prev: pipelined writes keep their order, one whose predecessor is unknown is held off', async () => {
  const alice = await connect(newName('ann'), 'n3')
  const conv = await group(alice)
  const early = await alice.ask({ t: 'msg:R', conv, msgId: 'p2', body: 2, prev: 'p1' })
  expect(early.error).toMatchObject({ code: 'OUT_OF_ORDER', retryable: true })
  const writes = Array.from({ length: 200 }, (_, n) => ({
    ...{ t: 'msg:R', id: 1000 + n, conv, msgId: `p${n + 1}`, body: n },
    ...(n === 0 ? {} : { prev: `p${n}` }),
  }))
  alice.send(writes)
  for (const { id } of writes) {
    const answer = await alice.until((frame) => frame.id === id)
    expect(answer.error).toBeUndefined()
  }
  const events = (await readAll(alice, conv)).slice(1)
  expect(events.map(({ body }) => body as number)).toEqual(writes.map(({ body }) => body))
})

test('cancel: before, it is refused for good; after, its place is told', async () => {
  const alice = await connect(newName('ann'), 'n2')
  const conv = await group(alice)
  expect(await alice.ask({ t: 'cancel:R', conv, msgId: 'never' })).toMatchObject({
    t: 'cancel:A',
    cancelled: true,
  })
  const refused = await alice.ask({ t: 'msg:R', conv, msgId: 'never', body: 1 })
  expect(refused.error).toMatchObject({ code: 'CANCELLED', retryable: false })
  const stored = await alice.say({ conv }, 'kept', 2)
  const late = await alice.ask({ t: 'cancel:R', conv, msgId: 'kept' })
  expect(late).toMatchObject({ seq: stored.seq, at: stored.at })
  expect(late.cancelled).toBeUndefined()
  expect((await alice.say({ conv }, 'kept', 2)).duplicate).toBe(true)
})

test('direct: one conversation for both sides, whoever begins and however it is named', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const alice = await connect(ann, 'n1')
  const bobby = await connect(bob, 'n3')
  const first = await alice.say({ to: bob }, 'd1', 'hello')
  expect(first).toMatchObject({ seq: 1, ord: 1 })
  const second = await bobby.say({ to: ann }, 'd1', 'hi', { replyTo: 1 })
  expect(second).toMatchObject({ conv: first.conv, seq: 2 })
  const asked = await bobby.ask({ t: 'conv:R', op: 'direct', msgId: 'd2', with: ann })
  expect(asked.conversation).toMatchObject({ id: first.conv, kind: 'direct', name: null, head: 2 })
  expect((await alice.say({ conv: first.conv as string }, 'd1', 'hello')).duplicate).toBe(true)
})

test('groups: who may do what, what is shown, what is seen after leaving', async () => {
  const [ann, bob, cid, dan] = ['ann', 'bob', 'cid', 'dan'].map(newName) as [
    ...[string, string, string, string],
  ]
  const alice = await connect(ann, 'n1')
  const bobby = await connect(bob, 'n2')
  const dana = await connect(dan, 'n3')
  const conv = await group(alice, bob, cid)
  let n = 0
  const change = (who: WireClient, op: object) =>
    who.ask({ t: 'conv:R', msgId: `op${(n += 1)}`, conv, ...op })
  const refused = async (who: WireClient, op: object, code: string) =>
    expect((await change(who, op)).error).toMatchObject({ code, outcome: 'notApplied' })

  await refused(bobby, { op: 'add', user: dan }, 'FORBIDDEN')
  await refused(bobby, { op: 'remove', user: cid }, 'FORBIDDEN')
  await refused(bobby, { op: 'set', name: 'mine' }, 'FORBIDDEN')
  await refused(bobby, { op: 'role', user: bob, role: 'owner' }, 'FORBIDDEN')
  await refused(dana, { op: 'add', user: dan }, 'NOT_MEMBER')
  await refused(alice, { op: 'add', user: bob }, 'FORBIDDEN')
  await refused(alice, { op: 'remove', user: dan }, 'FORBIDDEN')
  await refused(alice, { op: 'leave' }, 'FORBIDDEN')
  await refused(alice, { op: 'leave', conv: 'g_none' }, 'GROUP_NOT_FOUND')

  await alice.say({ conv }, 'before', 'dan was not here')
  const named = await change(alice, { op: 'set', name: 'Team', meta: { a: 1 } })
  expect(named.conversation).toMatchObject({ name: 'Team', meta: { a: 1 } })
  const added = await change(alice, { op: 'add', user: dan, role: 'admin' })
  expect(added.conversation.members).toContainEqual({ user: dan, role: 'admin' })
  await dana.until(({ t, conv: id, kind }) => t === 'msg:N' && id === conv && kind === 'member')
  const removed = await change(dana, { op: 'remove', user: cid })
  expect(removed.error).toBeUndefined()
  const seen = await dana.ask({ t: 'pull:R', conv, after: 0, limit: 100 })
  expect(seen.gap).toMatchObject({ from: 1, to: added.seq - 1, reason: 'membership' })
  expect(seen.events.map((event: Frame) => event.seq)).toEqual([added.seq, removed.seq])
  expect(JSON.stringify(seen)).not.toContain('dan was not here')

  const left = await change(bobby, { op: 'leave' })
  expect(left.error).toBeUndefined()
  expect(left.conversation).toBeUndefined()
  const later = await alice.say({ conv }, 'after', 'bob is gone')
  await dana.until(({ t, conv: id, seq }) => t === 'msg:N' && id === conv && seq === later.seq)
  await refused(bobby, { op: 'leave' }, 'NOT_MEMBER')
  const kept = await readAll(bobby, conv)
  expect(kept.at(-1)!.seq).toBe(left.seq)
  expect(kept.every(({ seq }) => seq < later.seq)).toBe(true)
  const sent = await bobby.ask({ t: 'msg:R', conv, msgId: 'too-late', body: 1 })
  expect(sent.error?.code).toBe('NOT_MEMBER')
  expect((await bobby.ask({ t: 'conv:R', op: 'get', conv })).error?.code).toBe('NOT_MEMBER')

  expect((await dana.ask({ t: 'conv:R', op: 'get', conv })).conversation).toMatchObject({
    id: conv,
    name: 'Team',
    head: later.seq,
  })
  const older = await group(dana)
  await alice.say({ conv }, 'newest', 1)
  await dana.until(({ t, msgId }) => t === 'msg:N' && msgId === 'newest')
  const list = await dana.ask({ t: 'conv:R', op: 'list', limit: 10 })
  expect(list.conversations.map(({ id }: { id: string }) => id)).toEqual([conv, older])
  const one = await dana.ask({ t: 'conv:R', op: 'list', limit: 1 })
  expect(one.conversations).toHaveLength(1)
})

test('who is told of a conversation by other ways is not refused by a node that lags', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const alice = await connect(ann, 'n1')
  const bobs = [await connect(bob, 'n2'), await connect(bob, 'n3', { device: 'second' })]
  for (let n = 0; n < 50; n += 1) {
    const conv = await group(alice, bob)
    for (const bobby of bobs) {
      const asks = [bobby.ask({ t: 'pull:R', conv, after: 0, limit: 9 })]
      asks.push(bobby.ask({ t: 'conv:R', op: 'get', conv }))
      for (const answer of await Promise.all(asks)) expect(answer.error).toBeUndefined()
    }
  }
})

test('the newest mark makes a session see its own writes on any node', async () => {
  const ann = newName('ann')
  const alice = await connect(ann, 'n1')
  const conv = await group(alice)
  for (let n = 0; n < 30; n += 1) {
    const { seq, mark } = await alice.say({ conv }, `w${n}`, n)
    const node = (['n1', 'n2', 'n3'] as const)[n % 3]!
    const resume = { epoch: alice.hello.epoch as string, mark }
    const there = await connect(ann, node, { device: `d${n % 3}`, resume })
    const page = await there.ask({ t: 'pull:R', conv, before: NEWEST, limit: 1 })
    expect(page.events[0].seq).toBeGreaterThanOrEqual(seq)
  }
})

test('mode notify: bare notices; of one device the newer session stays', async () => {
  const [ann, bob] = [newName('ann'), newName('bob')]
  const alice = await connect(ann, 'n1')
  const first = await connect(bob, 'n2', { mode: 'notify' })
  const conv = await group(alice, bob)
  const { seq } = await alice.say({ conv }, 'n1', 'secret body')
  const notice = await first.until((frame) => frame.t === 'msg:N' && frame.seq === seq)
  expect(
    Object.keys(notice)
      .filter((key) => key !== 'mark')
      .sort(),
  ).toEqual(['conv', 'inbox', 'seq', 't'])
  const second = await connect(bob, 'n2')
  expect((await first.closed).code).toBe(4002)
  expect(first.received.at(-1)!.error?.code).toBe('REPLACED')
  expect((await second.ask({ t: 'ping:R' })).now).toBeGreaterThan(0)
})
