import { describe, expect, test } from 'vitest'
import { AssertionError, encodeConfiguration, EntryType } from '#cluster'
import { CommandFormatError } from './command-view.ts'
import { directConversationId, groupConversationId } from './conversation-id.ts'
import { EventKind } from './types.ts'
import { batch, create, Machine, message, operation, refuse } from './testing.ts'

const HOUR = 3_600_000
const WINDOW = 24 * HOUR
const ok = (fields: object) => expect.objectContaining({ ok: true, ...fields })
const no = (code: string) => expect.objectContaining({ ok: false, code })

describe('[M-13] writes', () => {
  test('[A1] the direct conversation is one for both sides, and its first message has seq 1', async () => {
    const m = await Machine.open()
    const conv = directConversationId('alice', 'bob')
    expect(conv).toBe(directConversationId('bob', 'alice'))
    expect(await m.one(1, message({ user: 'bob', to: 'alice', msgId: 'b1' }))).toEqual({
      ok: true,
      conv,
      msgId: 'b1',
      seq: 1,
      ord: 1,
      at: 1,
      inbox: 1,
      duplicate: false,
      now: 1,
    })
    expect(await m.one(2, message({ user: 'alice', to: 'bob', msgId: 'a1' }))).toEqual(
      ok({ seq: 2, ord: 2 }),
    )
    expect(m.events.map(({ seq, from, toldTo }) => [seq, from, toldTo])).toEqual([
      [1, 'bob', ['alice', 'bob']],
      [2, 'alice', ['alice', 'bob']],
    ])
  })

  test('[A1] ids are fixed for ever', () => {
    expect(directConversationId('alice', 'bob')).toBe('d_tjjyS_TZtE6BcT_3OR2Upw')
    expect(groupConversationId('alice', 'm1')).toBe('g_IIcOAUHlds3xGbQ-mOhNMa')
    expect(directConversationId('a', 'bc')).not.toBe(directConversationId('ab', 'c'))
  })

  test('[A1] a message to oneself has one member', async () => {
    const m = await Machine.open()
    await m.one(1, message({ user: 'alice', to: 'alice', msgId: 'n1' }))
    expect(m.events[0]!.toldTo).toEqual(['alice'])
  })

  test('[A2] a copy gets the first result, whatever device or conversation name it comes by', async () => {
    const m = await Machine.open()
    const conv = directConversationId('alice', 'bob')
    const write = message({ user: 'alice', to: 'bob', msgId: 'a1', body: 'hello' })
    const [first, inBatch] = await m.write(5, write, write)
    expect(first).toEqual(ok({ seq: 1, at: 5, duplicate: false, now: 5 }))
    expect(inBatch).toEqual(ok({ seq: 1, at: 5, duplicate: true, now: 5 }))
    const copy = message({
      user: 'alice',
      conv,
      msgId: 'a1',
      body: 'hello',
      device: 'laptop',
      large: true,
    })
    expect(await m.one(9, copy)).toEqual(ok({ seq: 1, at: 5, duplicate: true, now: 9 }))
    expect(m.events).toHaveLength(1)
    // The same msgId of another user or in another conversation is another key.
    expect(await m.one(10, message({ user: 'bob', to: 'alice', msgId: 'a1' }))).toEqual(
      ok({ seq: 2 }),
    )
    expect(await m.one(10, message({ user: 'alice', to: 'eve', msgId: 'a1' }))).toEqual(
      ok({ seq: 1 }),
    )
  })

  test('[A2] another body, kind or replyTo under the same key is a mismatch and is not recorded', async () => {
    const m = await Machine.open()
    const conv = directConversationId('alice', 'bob')
    await m.one(1, message({ user: 'alice', to: 'bob', msgId: 'a0' }))
    await m.one(1, message({ user: 'alice', to: 'bob', msgId: 'a1', body: 'x', replyTo: 1 }))
    for (const other of [
      message({ user: 'alice', conv, msgId: 'a1', body: 'y', replyTo: 1 }),
      message({ user: 'alice', conv, msgId: 'a1', body: 'x' }),
      operation({ user: 'alice', conv, msgId: 'a1' }, { op: 'leave' }),
    ]) {
      expect(await m.one(2, other)).toEqual(no('PAYLOAD_MISMATCH'))
    }
    const same = message({ user: 'alice', conv, msgId: 'a1', body: 'x', replyTo: 1 })
    expect(await m.one(3, same)).toEqual(ok({ seq: 2, duplicate: true }))
  })

  test('[A2] a refusal is recorded and answers later copies, even when it would pass now', async () => {
    const m = await Machine.open()
    const conv = groupConversationId('alice', 'g')
    const early = message({ user: 'alice', conv, msgId: 'a1' })
    expect(await m.one(1, early)).toEqual(no('GROUP_NOT_FOUND'))
    expect(await m.one(2, create({ user: 'alice', msgId: 'g' }))).toEqual(
      ok({ conv, seq: 1, ord: 0 }),
    )
    expect(await m.one(3, early)).toEqual(no('GROUP_NOT_FOUND'))
    const other = message({ user: 'alice', conv, msgId: 'a1', body: 'other' })
    expect(await m.one(4, other)).toEqual(no('PAYLOAD_MISMATCH'))
    expect(await m.one(5, message({ user: 'alice', conv, msgId: 'a2' }))).toEqual(
      ok({ seq: 2, ord: 1 }),
    )
  })

  test('[M-59] [A3] since decides which results count, and a result outlives its window not at all', async () => {
    const m = await Machine.open()
    const at = (since: number | null, body = 'x') =>
      message({ user: 'alice', to: 'bob', msgId: 'a1', since, body })
    expect(await m.one(10 * HOUR, at(null))).toEqual(ok({ seq: 1 }))
    // A result at exactly since counts; a later since makes it another write.
    expect(await m.one(11 * HOUR, at(10 * HOUR))).toEqual(ok({ seq: 1, duplicate: true }))
    expect(await m.one(11 * HOUR, at(10 * HOUR + 1))).toEqual(ok({ seq: 2, duplicate: false }))
    // A since of the future is taken for now, so that its copies match.
    expect(await m.one(12 * HOUR, at(99 * HOUR))).toEqual(ok({ seq: 3, duplicate: false }))
    expect(await m.one(12 * HOUR, at(99 * HOUR))).toEqual(ok({ seq: 3, duplicate: true }))
    expect(await m.one(12 * HOUR, at(null))).toEqual(ok({ seq: 1, duplicate: true }))
    // The first result that counts answers: by now that is the second one.
    const later = 10 * HOUR + WINDOW + 1
    expect(await m.one(later, at(null))).toEqual(ok({ seq: 2, duplicate: true }))
    expect(await m.one(later, at(10 * HOUR))).toEqual(ok({ seq: 2, duplicate: true }))
    expect(await m.one(12 * HOUR + WINDOW + 1, at(10 * HOUR))).toEqual(no('WINDOW_EXPIRED'))
    expect(m.events).toHaveLength(3)
    expect(await m.one(12 * HOUR + WINDOW + 1, at(null))).toEqual(ok({ seq: 4, duplicate: false }))
  })

  test('[A3] [K4] results too old to count are not read, however many a key has', async () => {
    const m = await Machine.open({ limits: { hotBytes: 250 } })
    const mine = { user: 'alice', to: 'bob', msgId: 'm1' }
    for (let t = 1; t <= 20; t += 1) {
      expect(await m.one(t, message({ ...mine, since: t }))).toMatchObject({ seq: t })
    }
    await m.machine.checkpoint()
    await m.one(21, message({ ...mine, since: 21 }))
    expect(m.machine.prefetch(batch(22, 22, [message({ ...mine, since: 22 })]))).toBeNull()
    expect(m.machine.prefetch(batch(22, 22, [message({ ...mine, since: 2 })]))).not.toBeNull()
    expect(await m.one(22, message({ ...mine, since: 7 }))).toMatchObject({ seq: 7 })
  })

  test('[M-59] [A3] an expired write stores and records nothing', async () => {
    const m = await Machine.open()
    await m.one(2 * WINDOW, message({ user: 'alice', to: 'bob', msgId: 'a0' }))
    const old = message({ user: 'alice', to: 'bob', msgId: 'a1', since: WINDOW - 1 })
    expect(await m.one(2 * WINDOW, old)).toEqual(no('WINDOW_EXPIRED'))
    const anew = message({ user: 'alice', to: 'bob', msgId: 'a1', body: 'b', since: 2 * WINDOW })
    expect(await m.one(2 * WINDOW, anew)).toEqual(ok({ seq: 2, duplicate: false }))
  })

  test('[A4] prev must have a result, accepted or refused; else nothing is recorded', async () => {
    const m = await Machine.open()
    const write = (msgId: string, prev: string | null, replyTo: number | null = null) =>
      message({ user: 'alice', to: 'bob', msgId, prev, replyTo })
    expect(await m.one(1, write('a2', 'a1'))).toEqual(no('OUT_OF_ORDER'))
    const together = await m.write(2, write('a1', null), write('a2', 'a1'), write('a4', 'a3'))
    expect(together).toEqual([ok({ seq: 1 }), ok({ seq: 2 }), no('OUT_OF_ORDER')])
    expect(await m.one(3, write('a3', 'a2', 99))).toEqual(no('UNKNOWN_REPLY'))
    expect(await m.one(4, write('a4', 'a3'))).toEqual(ok({ seq: 3 }))
    // An earlier one than the newest still counts, and so does one of another device.
    expect(await m.one(5, write('a5', 'a1'))).toEqual(ok({ seq: 4 }))
    const bobs = message({ user: 'bob', to: 'alice', msgId: 'b1', prev: 'a1' })
    expect(await m.one(6, bobs)).toEqual(no('OUT_OF_ORDER'))
  })

  test('[A4] [K4] a prev whose key has an old result besides the newest one is prefetched whole', async () => {
    const m = await Machine.open({ limits: { hotBytes: 250 } })
    const mine = { user: 'alice', to: 'bob' }
    await m.one(100, message({ ...mine, msgId: 'm1', since: 0 }))
    // The client claims to have known log time 200 before it first sent `m1`: a result of its own.
    await m.one(200, message({ ...mine, msgId: 'm1', since: 200 }))
    await m.machine.checkpoint()
    // The first result leaves memory, the second stays.
    await m.one(201, message({ user: 'carol', to: 'bob', msgId: 'x' }))
    const results = await m.write(
      300,
      message({ ...mine, msgId: 'm2', prev: 'm1', since: 200 }),
      message({ ...mine, msgId: 'm3', prev: 'm1', since: 200 }),
    )
    expect(results).toMatchObject([{ seq: 3 }, { seq: 4 }])
  })

  test('[A4] a copy is answered before its prev is looked at', async () => {
    const m = await Machine.open()
    await m.one(1, message({ user: 'alice', to: 'bob', msgId: 'a1' }))
    const copy = message({ user: 'alice', to: 'bob', msgId: 'a1', prev: 'unknown' })
    expect(await m.one(2, copy)).toEqual(ok({ seq: 1, duplicate: true }))
  })

  test('[A5] refuse takes the place of the write, unless the write came first', async () => {
    const m = await Machine.open()
    const conv = directConversationId('alice', 'bob')
    await m.one(1, message({ user: 'alice', to: 'bob', msgId: 'a1' }))
    expect(await m.one(2, refuse({ user: 'alice', conv, msgId: 'a1' }, 'CANCELLED'))).toEqual(
      ok({ seq: 1, duplicate: true }),
    )
    expect(await m.one(3, refuse({ user: 'alice', conv, msgId: 'a2' }, 'CANCELLED'))).toEqual(
      no('CANCELLED'),
    )
    expect(await m.one(4, message({ user: 'alice', to: 'bob', msgId: 'a2', body: 'any' }))).toEqual(
      no('CANCELLED'),
    )
    const unordered = refuse({ user: 'alice', conv, msgId: 'a9', prev: 'a8' }, 'REJECTED_SPAM')
    expect(await m.one(5, unordered)).toEqual(no('OUT_OF_ORDER'))
    await m.one(6, refuse({ user: 'alice', conv: '', msgId: 'g' }, 'FORBIDDEN'))
    expect(await m.one(7, create({ user: 'alice', msgId: 'g' }, 'bob'))).toEqual(no('FORBIDDEN'))
  })

  test('[A5] only members write', async () => {
    const m = await Machine.open()
    await m.one(1, message({ user: 'alice', to: 'bob', msgId: 'a1' }))
    const conv = directConversationId('alice', 'bob')
    expect(await m.one(2, message({ user: 'eve', conv, msgId: 'e1' }))).toEqual(no('NOT_MEMBER'))
  })

  test('[A7] replyTo is any seq that exists and that the sender may see', async () => {
    const m = await Machine.open()
    const conv = groupConversationId('alice', 'g')
    await m.write(
      1,
      create({ user: 'alice', msgId: 'g' }),
      message({ user: 'alice', conv, msgId: 'a1' }),
    )
    await m.one(
      2,
      operation({ user: 'alice', conv, msgId: 'a2' }, { op: 'add', member: 'bob', role: 'member' }),
    )
    const reply = (user: string, msgId: string, replyTo: number) =>
      message({ user, conv, msgId, replyTo })
    expect(await m.one(3, reply('alice', 'a3', 4))).toEqual(no('UNKNOWN_REPLY'))
    expect(await m.one(3, reply('alice', 'a4', 0))).toEqual(no('UNKNOWN_REPLY'))
    expect(await m.one(3, reply('bob', 'b1', 2))).toEqual(no('UNKNOWN_REPLY'))
    expect(await m.one(3, reply('bob', 'b2', 3))).toEqual(ok({ seq: 4 }))
    const none = message({ user: 'alice', to: 'zoe', msgId: 'z1', replyTo: 1 })
    expect(await m.one(4, none)).toEqual(no('UNKNOWN_REPLY'))
    expect(await m.machine.reader.conversation(directConversationId('alice', 'zoe'))).toBeNull()
  })

  test('[A8] neither log time nor the time of a conversation ever falls', async () => {
    const m = await Machine.open()
    await m.apply(batch(1, 100, [message({ user: 'a', to: 'b', msgId: '1' })], 5_000))
    await m.apply(batch(2, 50, [message({ user: 'a', to: 'b', msgId: '2' })], 4_000))
    expect(m.results).toEqual([ok({ at: 5_000, now: 100 }), ok({ at: 5_000, now: 100 })])
    expect(m.machine.logTime).toBe(100)
    expect(m.events.map(({ logTime }) => logTime)).toEqual([100, 100])
  })

  test('[A9] an unknown entry, command kind, version or flag stops the replica', async () => {
    const good = batch(1, 1, [message({ user: 'a', to: 'b', msgId: '1' })])
    for (const [at, value] of [
      [0, 2],
      [17, 9],
      [18, 2],
      [27, 64],
    ] as const) {
      const m = await Machine.open()
      const data = Buffer.from(good.data)
      data[at] = value
      const errorClass = at === 0 ? AssertionError : CommandFormatError
      expect(() => m.machine.apply({ ...good, data })).toThrow(errorClass)
    }
    const m = await Machine.open()
    expect(() => m.machine.apply({ ...good, index: 2 })).toThrow('out of order')
  })

  test('[A9] a no-op and a configuration move index, term and hash', async () => {
    const m = await Machine.open()
    const seen = new Set([m.machine.reader.stateHash])
    await m.apply({ index: 1, term: 3, type: EntryType.normal, data: new Uint8Array(0) })
    seen.add(m.machine.reader.stateHash)
    const data = encodeConfiguration({ voters: [], outgoing: [], learners: [] })
    await m.apply({ index: 2, term: 3, type: EntryType.configuration, data })
    seen.add(m.machine.reader.stateHash)
    expect(seen.size).toBe(3)
    expect([m.machine.appliedIndex, m.machine.appliedTerm]).toEqual([2, 3])
  })
})

describe('groups', () => {
  const conv = groupConversationId('alice', 'g')
  const of = (user: string, msgId: string, op: Parameters<typeof operation>[1]) =>
    operation({ user, conv, msgId }, op)

  async function group(...members: string[]): Promise<Machine> {
    const m = await Machine.open()
    await m.one(1, create({ user: 'alice', msgId: 'g' }, ...members))
    return m
  }

  test('[A1] create names the group by its key, and a copy never makes another', async () => {
    const m = await group('bob', 'alice', 'bob')
    expect(await m.one(2, create({ user: 'alice', msgId: 'g' }, 'bob', 'alice', 'bob'))).toEqual(
      ok({ conv, seq: 1, duplicate: true }),
    )
    expect(await m.one(2, create({ user: 'alice', msgId: 'g' }, 'eve'))).toEqual(
      no('PAYLOAD_MISMATCH'),
    )
    const copy = create({ user: 'alice', msgId: 'g' }, 'bob', 'alice', 'bob')
    expect(await m.one(3 * WINDOW, copy)).toEqual(ok({ conv, seq: 1, at: 1, duplicate: true }))
    expect(await m.machine.reader.conversation(conv)).toEqual({
      id: conv,
      kind: 'group',
      name: null,
      meta: null,
      head: 1,
      ord: 0,
      createdAt: 1,
      large: false,
      memberCount: 2,
      nextMembers: null,
      firstSeq: 1,
      retention: null,
      history: false,
      members: [
        { user: 'alice', role: 'owner', blocks: false },
        { user: 'bob', role: 'member', blocks: false },
      ],
    })
  })

  test('[A1] create and direct share the keys of their user', async () => {
    const m = await group()
    expect(
      await m.one(2, operation({ user: 'alice', msgId: 'g' }, { op: 'direct', with: 'bob' })),
    ).toEqual(no('PAYLOAD_MISMATCH'))
    const direct = operation({ user: 'alice', msgId: 'd' }, { op: 'direct', with: 'bob' })
    const id = directConversationId('alice', 'bob')
    expect(await m.one(3, direct)).toEqual(ok({ conv: id, seq: 0, at: 3, duplicate: false }))
    expect(await m.one(4, direct)).toEqual(ok({ conv: id, seq: 0, at: 3, duplicate: true }))
    expect(await m.one(5, create({ user: 'alice', msgId: 'd' }))).toEqual(no('PAYLOAD_MISMATCH'))
    expect(await m.one(6, message({ user: 'bob', conv: id, msgId: 'b' }))).toEqual(ok({ seq: 1 }))
    const listed = await m.machine.reader.conversationsOf('bob', 9)
    expect(listed.conversations.map((each) => each.id)).toEqual([id])
    // In the group the key of its creation is free: that one belongs to the user.
    expect(await m.one(7, message({ user: 'alice', conv, msgId: 'g' }))).toEqual(ok({ seq: 2 }))
    expect(await m.one(8, message({ user: 'alice', conv, msgId: 'g' }))).toEqual(
      ok({ seq: 2, duplicate: true }),
    )
  })

  test('[A5] owners, admins and members may do what their roles say', async () => {
    const m = await group('bob', 'carol')
    const steps: [ReturnType<typeof of>, unknown][] = [
      [of('bob', 'b1', { op: 'add', member: 'dave', role: 'member' }), no('FORBIDDEN')],
      [of('alice', 'a1', { op: 'role', member: 'bob', role: 'admin' }), ok({ seq: 2, ord: 0 })],
      [of('bob', 'b2', { op: 'add', member: 'dave', role: 'admin' }), no('FORBIDDEN')],
      [of('bob', 'b3', { op: 'add', member: 'dave', role: 'member' }), ok({ seq: 3 })],
      [of('bob', 'b4', { op: 'add', member: 'dave', role: 'member' }), no('FORBIDDEN')],
      [of('bob', 'b5', { op: 'remove', member: 'alice' }), no('FORBIDDEN')],
      [of('bob', 'b6', { op: 'role', member: 'carol', role: 'admin' }), no('FORBIDDEN')],
      [of('bob', 'b7', { op: 'set', name: 'team' }), ok({ seq: 4 })],
      [of('carol', 'c1', { op: 'set', name: 'mine' }), no('FORBIDDEN')],
      [of('bob', 'b8', { op: 'remove', member: 'dave' }), ok({ seq: 5 })],
      [of('bob', 'b9', { op: 'remove', member: 'dave' }), no('FORBIDDEN')],
      [of('dave', 'd1', { op: 'leave' }), no('NOT_MEMBER')],
      [of('alice', 'a2', { op: 'leave' }), no('FORBIDDEN')],
      [of('alice', 'a3', { op: 'role', member: 'alice', role: 'member' }), no('FORBIDDEN')],
      [of('alice', 'a4', { op: 'remove', member: 'alice' }), no('FORBIDDEN')],
      [of('alice', 'a5', { op: 'role', member: 'bob', role: 'owner' }), ok({ seq: 6 })],
      [of('alice', 'a6', { op: 'leave' }), ok({ seq: 7 })],
      [of('bob', 'b10', { op: 'remove', member: 'carol' }), ok({ seq: 8 })],
      [of('bob', 'b11', { op: 'leave' }), ok({ seq: 9 })],
      [of('bob', 'b12', { op: 'leave' }), no('NOT_MEMBER')],
    ]
    for (const [command, expected] of steps) expect(await m.one(2, command)).toEqual(expected)
    expect((await m.machine.reader.conversation(conv))!.members).toEqual([])
  })

  test('[A5] a direct conversation takes no operation but retention', async () => {
    const m = await Machine.open()
    await m.one(1, message({ user: 'alice', to: 'bob', msgId: 'a1' }))
    const id = directConversationId('alice', 'bob')
    const leave = operation({ user: 'alice', conv: id, msgId: 'a2' }, { op: 'leave' })
    expect(await m.one(2, leave)).toEqual(no('FORBIDDEN'))
    expect(
      await m.one(3, operation({ user: 'eve', conv: id, msgId: 'e' }, { op: 'leave' })),
    ).toEqual(no('NOT_MEMBER'))
    expect(await m.one(4, of('eve', 'e', { op: 'leave' }))).toEqual(no('GROUP_NOT_FOUND'))
    const set = (user: string, msgId: string, changes: object) =>
      operation({ user, conv: id, msgId }, { op: 'set', ...changes })
    const retention = { maxCount: 9 }
    expect(await m.one(5, set('bob', 's1', { retention, name: 'x' }))).toEqual(no('FORBIDDEN'))
    expect(await m.one(5, set('bob', 's2', { history: true }))).toEqual(no('FORBIDDEN'))
    expect(await m.one(5, set('bob', 's3', { retention }))).toEqual(ok({ seq: 2 }))
    await m.one(6, operation({ user: 'alice', msgId: 'k' }, { op: 'block', member: 'bob' }))
    expect(await m.one(6, set('bob', 's4', { retention: null }))).toEqual(no('USER_BLOCKED'))
  })

  test('[A9] the limit of members is the replicated one', async () => {
    const m = await Machine.open({ settings: { groupMembers: 3 } })
    expect(await m.one(1, create({ user: 'alice', msgId: 'x' }, 'b', 'c', 'd'))).toEqual(
      no('GROUP_FULL'),
    )
    expect(await m.one(2, create({ user: 'alice', msgId: 'g' }, 'b', 'c'))).toEqual(ok({ seq: 1 }))
    expect(await m.one(3, of('alice', 'a1', { op: 'add', member: 'd', role: 'member' }))).toEqual(
      no('GROUP_FULL'),
    )
    await m.one(4, of('b', 'b1', { op: 'leave' }))
    expect(await m.one(5, of('alice', 'a2', { op: 'add', member: 'd', role: 'member' }))).toEqual(
      ok({ seq: 3 }),
    )
  })

  test('[B1] every operation is an event that all it concerns are told of', async () => {
    const m = await group('bob')
    const meta = Buffer.from([0x81, 0xa1, 0x78, 0x01])
    await m.one(2, of('alice', 'a1', { op: 'add', member: 'carol', role: 'admin' }))
    await m.one(3, of('alice', 'a2', { op: 'set', name: 'team', meta }))
    await m.one(4, of('alice', 'a3', { op: 'remove', member: 'bob' }))
    await m.one(5, of('carol', 'c1', { op: 'leave' }))
    const { decode } = await import('msgpackr')
    expect(m.events.map(({ kind, toldTo, body }) => [kind, toldTo.join(), decode(body!)])).toEqual([
      [EventKind.member, 'alice,bob', { op: 'create', members: ['bob'], name: null, meta: null }],
      [EventKind.member, 'alice,bob,carol', { op: 'add', user: 'carol', role: 'admin' }],
      [EventKind.settings, 'alice,bob,carol', { op: 'set', name: 'team', meta: { x: 1 } }],
      [EventKind.member, 'alice,bob,carol', { op: 'remove', user: 'bob' }],
      [EventKind.member, 'alice,carol', { op: 'leave' }],
    ])
    expect(m.events.map(({ ord }) => ord)).toEqual([0, 0, 0, 0, 0])
  })
})
