import { describe, expect, test, vi } from 'vitest'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import type { Command } from './commands.ts'
import { directConversationId, groupConversationId } from './conversation-id.ts'
import { MEMBERS_PER_BLOCK, ReceiptBlock } from './receipt-block.ts'
import { create, cursors, Machine, message, operation, PacedDirectory } from './testing.ts'

const direct = directConversationId('ann', 'ben')
const group = groupConversationId('ann', 'g')
const TINY = { conversations: 0, receiptBlocks: 0, hotBytes: 0, verdicts: 0 }
const cursorOf = ({ machine }: Machine, user: string, conv = direct) =>
  machine.reader.cursorsOf(conv, user)
const say = (n: number) => message({ user: 'ann', to: 'ben', msgId: `m${n}` })

async function withMessages(count: number): Promise<Machine> {
  const m = await Machine.open()
  for (let n = 1; n <= count; n += 1) await m.one(n, say(n))
  return m
}

describe('receipts', () => {
  test('[B5] one command marks all up to a seq; cursors only rise, and read raises delivered', async () => {
    const m = await withMessages(50)
    const answer = await m.one(60, cursors(['ben', direct, 'delivered', 47]))
    expect(answer).toMatchObject({ ok: true, duplicate: false, now: 60 })
    expect(await cursorOf(m, 'ben')).toEqual({ delivered: 47, read: 0 })
    await m.one(61, cursors(['ben', direct, 'delivered', 12], ['ben', direct, 'read', 30]))
    expect(await cursorOf(m, 'ben')).toEqual({ delivered: 47, read: 30 })
    await m.one(62, cursors(['ben', direct, 'read', 49, 'laptop']))
    expect(await cursorOf(m, 'ben')).toEqual({ delivered: 49, read: 49 })
    await m.one(63, cursors(['ben', direct, 'read', 49], ['ben', direct, 'delivered', 49]))
    // Of what changed nothing nobody hears.
    expect(
      m.receipts.map(({ kind, previous, upTo, device }) => [kind, previous, upTo, device]),
    ).toEqual([
      ['delivered', 0, 47, 'phone'],
      ['read', 0, 30, 'phone'],
      ['read', 30, 49, 'laptop'],
    ])
    expect(await cursorOf(m, 'ann')).toEqual({ delivered: 0, read: 0 })
  })

  test('[B5] whatever is claimed is clamped to the head and to what the member may see', async () => {
    const m = await withMessages(3)
    await m.one(9, cursors(['ben', direct, 'read', 2 ** 53 - 1]))
    expect(await cursorOf(m, 'ben')).toEqual({ delivered: 3, read: 3 })
    await m.one(10, create({ user: 'ann', msgId: 'g' }))
    const add = { op: 'add', member: 'ben', role: 'member' } as const
    await m.one(11, message({ user: 'ann', conv: group, msgId: 'a' }))
    await m.one(12, operation({ user: 'ann', conv: group, msgId: 'b' }, add))
    await m.one(13, cursors(['ben', group, 'delivered', 2]))
    expect(await cursorOf(m, 'ben', group)).toEqual({ delivered: 0, read: 0 })
    await m.one(14, operation({ user: 'ben', conv: group, msgId: 'c' }, { op: 'leave' }))
    await m.one(15, message({ user: 'ann', conv: group, msgId: 'd' }))
    await m.one(16, cursors(['ben', group, 'delivered', 5]))
    expect(await cursorOf(m, 'ben', group)).toEqual({ delivered: 4, read: 0 })
    await m.one(17, cursors(['eve', group, 'read', 5], ['ben', 'nowhere', 'read', 1]))
    expect(m.receipts.filter(({ conv }) => conv === group)).toHaveLength(1)
  })

  test('[B5] a receipt tells who wrote what it covers, unless that is too long ago', async () => {
    const m = await Machine.open({ limits: TINY })
    const seen: (readonly string[] | null)[] = []
    m.machine.listen({
      onResult: () => {},
      onEvent: () => {},
      onDuplicate: () => {},
      onApplied: () => {},
      onReceipt: (receipt) => {
        const writers = receipt.writers()
        seen.push(writers === null ? null : [...writers].sort())
      },
    })
    await m.write(1, say(1), message({ user: 'ben', to: 'ann', msgId: 'x' }), say(2))
    await m.one(2, cursors(['ben', direct, 'delivered', 1], ['ben', direct, 'delivered', 3]))
    await m.machine.checkpoint()
    await m.one(3, say(3))
    await m.one(4, cursors(['ben', direct, 'delivered', 4], ['ben', direct, 'read', 4]))
    expect(seen).toEqual([['ann'], ['ann', 'ben'], ['ann'], null])
  })

  test('[B5] [K4] whoever joins in the very entry that acknowledges for him finds a place', async () => {
    const members = Array.from({ length: MEMBERS_PER_BLOCK - 2 }, (_, n) => `u${n}`)
    for (const limits of [{}, TINY]) {
      const m = await Machine.open({ limits })
      const add = (user: string) =>
        operation(
          { user: 'ann', conv: group, msgId: user },
          { op: 'add', member: user, role: 'member' },
        )
      await m.write(
        1,
        create({ user: 'ann', msgId: 'g' }, ...members),
        cursors(['u1', group, 'read', 1]),
      )
      await m.machine.checkpoint()
      // The first of them takes the last place of the first block, the others open the second.
      await m.write(
        2,
        add('x'),
        add('y'),
        add('z'),
        cursors(['z', group, 'read', 9], ['y', group, 'read', 9], ['x', group, 'read', 9]),
      )
      await m.machine.checkpoint()
      const all = (await m.machine.reader.receiptsOf(group))!
      expect(
        all
          .filter(({ read }) => read > 0)
          .map(({ user, read, changedIndex }) => [user, read, changedIndex]),
      ).toEqual([
        ['u1', 1, 1],
        ['x', 4, 2],
        ['y', 4, 2],
        ['z', 4, 2],
      ])
      const counts = await m.machine.reader.receiptCounts(group, [1, 2, 4])
      expect(counts).toEqual({
        members: MEMBERS_PER_BLOCK + 2,
        delivered: [4, 3, 3],
        read: [4, 3, 3],
      })
    }
  })

  test('[B5] [K5] two nodes whose cursors differ show it by their hashes', async () => {
    const [one, other] = [await withMessages(3), await withMessages(3)]
    for (const m of [one, other]) await m.one(4, cursors(['ben', direct, 'delivered', 2]))
    expect(one.machine.reader.stateHash).toBe(other.machine.reader.stateHash)
    // What memory holds is changed behind the machine's back, as a broken one would.
    const lying = vi.spyOn(ReceiptBlock.prototype, 'delivered').mockReturnValue(1)
    await other.one(5, cursors(['ann', direct, 'delivered', 2]))
    lying.mockRestore()
    await one.one(5, cursors(['ann', direct, 'delivered', 2]))
    expect(one.machine.reader.stateHash).not.toBe(other.machine.reader.stateHash)
  })

  test('[B5] [K4] the inbox cursor of a device is reported with the rest', async () => {
    for (const limits of [{}, { ...TINY, inboxes: 0 }]) {
      const m = await Machine.open({ limits })
      await m.write(1, say(1), say(2), say(3))
      await m.machine.checkpoint()
      await m.one(2, message({ user: 'eve', to: 'fay', msgId: 'm' }))
      const reported = (inbox: number) => ({ user: 'ben', device: 'phone', inbox })
      const of = (inbox: number) => ({ ...cursors(), inboxes: [reported(inbox)] }) as Command
      await m.write(3, of(2), of(1))
      expect(await m.machine.reader.devicesOf('ben')).toEqual([
        { device: 'phone', inbox: 2, seen: 3 },
      ])
    }
  })

  test('[B5] what changed after an index: the cursors of the others, and what the user has read', async () => {
    for (const limits of [{}, { ...TINY, inboxes: 0 }]) {
      const m = await Machine.open({ limits })
      await m.write(1, create({ user: 'ann', msgId: 'g' }, 'ben', 'cy'), say(1), say(2))
      await m.one(2, cursors(['ben', group, 'read', 1], ['cy', group, 'delivered', 1]))
      await m.machine.checkpoint()
      await m.one(3, cursors(['ann', direct, 'read', 2], ['ben', direct, 'delivered', 2]))
      await m.one(4, cursors(['ben', direct, 'read', 1]))
      const { reader } = m.machine
      const ofBen = [
        { conv: direct, user: 'ben', kind: 'read', upTo: 1 },
        { conv: direct, user: 'ben', kind: 'delivered', upTo: 2 },
      ]
      const later = [...ofBen, { conv: direct, user: 'ann', kind: 'read', upTo: 2 }]
      expect(await reader.receiptsChanged('ann', 3, 9)).toEqual(ofBen)
      expect(await reader.receiptsChanged('ann', 2, 9)).toEqual(later)
      expect(await reader.receiptsChanged('ann', 0, 9)).toEqual([
        ...later,
        { conv: group, user: 'ben', kind: 'read', upTo: 1 },
        { conv: group, user: 'cy', kind: 'delivered', upTo: 1 },
      ])
      expect(await reader.receiptsChanged('ann', 0, 1)).toEqual(ofBen.slice(0, 1))
      expect(await reader.receiptsChanged('eve', 0, 9)).toEqual([])
    }
  })

  test('[B5] what a device came by in its inbox since its last cursor', async () => {
    for (const limits of [{}, { ...TINY, inboxes: 0 }]) {
      const m = await Machine.open({ limits })
      await m.one(1, create({ user: 'ann', msgId: 'g' }, 'ben'))
      for (let n = 1; n <= 300; n += 1) await m.one(2, say(n))
      await m.one(3, message({ user: 'ann', conv: group, msgId: 'x' }))
      await m.machine.checkpoint()
      const inboxes = [{ user: 'ben', device: 'phone', inbox: 100 }]
      await m.one(4, { ...cursors(), inboxes } as Command)
      const { reader } = m.machine
      expect(await reader.inboxReach('ben', 'phone', 100)).toEqual([])
      expect(await reader.inboxReach('ben', 'phone', 300)).toEqual([{ conv: direct, seq: 299 }])
      expect(await reader.inboxReach('ben', 'laptop', 9_999)).toEqual([
        { conv: group, seq: 2 },
        { conv: direct, seq: 300 },
      ])
      expect(await reader.inboxReach('eve', 'phone', 5)).toEqual([])
    }
  })

  test('[K3] [K6] cursors are in a cut as they were at its index, and come back from it', async () => {
    const directory = new PacedDirectory()
    const m = await Machine.open({ directory, limits: TINY })
    for (let n = 1; n <= 9; n += 1) await m.one(n, say(n))
    await m.one(10, cursors(['ben', direct, 'read', 4]))
    directory.allow(0)
    const cut = m.machine.checkpoint()
    await m.one(11, cursors(['ben', direct, 'delivered', 9], ['ann', direct, 'read', 2]))
    directory.allow(Infinity)
    await cut
    const then = await Machine.open({ directory: directory.inner.reopened(), limits: TINY })
    expect(then.machine.appliedIndex).toBe(10)
    expect(await cursorOf(then, 'ben')).toEqual({ delivered: 4, read: 4 })
    expect(await cursorOf(m, 'ben')).toEqual({ delivered: 9, read: 4 })
    await m.machine.checkpoint()
    const later = await Machine.open({ directory: directory.inner.reopened(), limits: TINY })
    expect(await later.machine.reader.receiptsOf(direct)).toEqual([
      { user: 'ann', delivered: 2, read: 2, changedIndex: 11 },
      { user: 'ben', delivered: 9, read: 4, changedIndex: 11 },
    ])
  })

  test('[B5] one change among 10,000 members writes the cursors of his neighbours only', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory, settings: { groupMembers: 10_000 } })
    await m.one(
      1,
      create({ user: 'ann', msgId: 'g' }, ...Array.from({ length: 9_999 }, (_, n) => `u${n}`)),
    )
    await m.machine.checkpoint()
    await m.one(2, cursors(['u7000', group, 'delivered', 1], ['u7001', group, 'delivered', 1]))
    await m.machine.checkpoint()
    const sizes: number[] = []
    for await (const { value } of directory.store.range(Buffer.from('q'), Buffer.from('r'))) {
      sizes.push(value.length)
    }
    expect(sizes).toHaveLength(1)
    expect(sizes[0]).toBeLessThan(MEMBERS_PER_BLOCK * 8)
    expect(await m.machine.reader.receiptCounts(group, [1])).toMatchObject({
      members: 10_000,
      delivered: [2],
    })
  })

  test('[B5] a message that is sent again is told of, where it stands', async () => {
    const m = await withMessages(2)
    await m.one(5, say(1))
    await m.one(6, message({ user: 'ann', to: 'ben', msgId: 'm1', body: 'other' }))
    expect(m.duplicates).toEqual([{ conv: direct, seq: 1, from: 'ann' }])
  })
})
