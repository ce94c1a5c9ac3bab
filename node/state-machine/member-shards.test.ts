import { describe, expect, test } from 'vitest'
import { groupConversationId } from './conversation-id.ts'
import { VIEW_POSITIONS } from './conversation-state.ts'
import type { StateLimits } from './limits.ts'
import { create, Machine, message, operation, PacedDirectory } from './testing.ts'

const TINY: Partial<StateLimits> = { conversations: 0, inboxes: 0, hotBytes: 0, verdicts: 0 }
const conv = groupConversationId('alice', 'g')
const add = (n: number, msgId = `add${n}`) =>
  operation({ user: 'alice', conv, msgId }, { op: 'add', member: `user${n}`, role: 'member' })

describe('member shards', () => {
  test('[K3] of a large member list only the shards that changed are written, as they were at the freeze', async () => {
    const directory = new PacedDirectory()
    const m = await Machine.open({ directory, limits: TINY })
    const { store } = directory
    const names = Array.from({ length: 999 }, (_, n) => `user${n}`)
    await m.one(1, create({ user: 'alice', msgId: 'g' }, ...names))
    await m.machine.checkpoint()
    const { bytes } = await store.size()
    await m.one(2, add(1_000))
    await m.machine.checkpoint()
    expect((await store.size()).bytes - bytes).toBeLessThan(3_000)
    const remove = (n: number) =>
      operation({ user: 'alice', conv, msgId: `r${n}` }, { op: 'remove', member: `user${n}` })
    await m.write(3, remove(5), remove(700), add(1_001))
    const hash = m.machine.reader.stateHash
    directory.allow(0)
    const cut = m.machine.checkpoint()
    // One shard that the cut holds, one that it does not, and newcomers: all change while it waits.
    await m.write(4, remove(6), remove(300), add(5), add(1_002), add(700))
    directory.allow(1)
    await m.write(5, remove(7), remove(301), add(1_003))
    directory.allow(Infinity)
    await cut
    const then = await Machine.open({ directory: directory.inner.reopened(), limits: TINY })
    expect(then.machine.reader.stateHash).toBe(hash)
    const there = async (machine: Machine, ...users: number[]) =>
      Promise.all(users.map((n) => machine.machine.reader.isMember(conv, `user${n}`)))
    expect(await there(then, 5, 700, 6, 300, 7, 301)).toEqual([
      false,
      false,
      true,
      true,
      true,
      true,
    ])
    expect(await there(then, 1_001, 1_002, 1_003)).toEqual([true, false, false])
    expect((await then.machine.reader.conversation(conv))!.memberCount).toBe(1_000)
    await m.machine.checkpoint()
    const later = await Machine.open({ directory: directory.inner.reopened(), limits: TINY })
    expect(later.machine.reader.stateHash).toBe(m.machine.reader.stateHash)
    expect(await there(later, 5, 700, 6, 300, 7, 301)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ])
    expect(await there(later, 1_001, 1_002, 1_003)).toEqual([true, true, true])
    const view = (await later.machine.reader.conversation(conv))!
    expect([view.memberCount, view.large]).toEqual([1_000, true])
    // A view shows those who came first.
    expect(view.members[0]).toMatchObject({ user: 'alice', role: 'owner' })
    expect(view.members).toHaveLength(VIEW_POSITIONS - 4)
    expect((await m.machine.reader.conversation(conv))!.members).toEqual(view.members)
    expect(view.nextMembers).toBe(VIEW_POSITIONS)
    for (const { machine } of [m, later]) {
      const rest = (await machine.reader.conversation(conv, VIEW_POSITIONS))!
      expect(rest.nextMembers).toBeNull()
      const names = [...view.members, ...rest.members].map(({ user }) => user)
      expect(new Set(names).size).toBe(view.memberCount)
      const odd = (await machine.reader.conversation(conv, 70))!
      expect(odd.members[0]).toMatchObject({ user: 'user69' })
      expect((await machine.reader.conversation(conv, 5_000))!.members).toEqual([])
    }
    expect(await later.machine.reader.eventsAfter(conv, 'user1003', 0, 5)).toMatchObject({
      gap: { from: 1, to: 12, reason: 'membership' },
      events: [{ seq: 13 }],
    })
    const listed = await later.machine.reader.conversationsOf('user1003', 5)
    expect(listed.conversations).toMatchObject([
      { id: conv, large: true, memberCount: 1_000, members: [] },
    ])
    expect(await m.machine.reader.conversationsOf('user1003', 5)).toEqual(listed)
    // Apply has all members, whatever reads brought in.
    expect(await later.one(9, add(1_003, 'again'))).toMatchObject({ ok: false, code: 'FORBIDDEN' })
    expect(await later.one(9, remove(1_003))).toMatchObject({ ok: true })
  })

  test('[K4] conversations stay in memory by the number of their members too', async () => {
    const group = (n: number, count: number) =>
      create({ user: 'alice', msgId: `g${n}` }, ...names.slice(0, count))
    const names = Array.from({ length: 99 }, (_, n) => `user${n}`)
    const m = await Machine.open({ limits: { members: 250 } })
    for (let n = 0; n < 10; n += 1) await m.one(n, group(n, 49))
    expect(m.machine.statistics.conversationsInMemory).toBe(10)
    await m.machine.checkpoint()
    await m.one(11, group(11, 99))
    // Entries pass, and the hand with them: 100 members of the newest leave room for three.
    for (let n = 0; n < 4; n += 1) {
      await m.machine.checkpoint()
      const last = groupConversationId('alice', 'g11')
      await m.one(12, message({ user: 'alice', conv: last, msgId: `m${n}` }))
    }
    expect(m.machine.statistics).toMatchObject({ conversations: 11, conversationsInMemory: 4 })
    const first = groupConversationId('alice', 'g0')
    expect(await m.one(13, message({ user: 'alice', conv: first, msgId: 'x' }))).toMatchObject({
      ok: true,
      inbox: 16,
    })
  })
})
