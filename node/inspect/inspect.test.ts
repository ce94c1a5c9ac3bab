import { describe, expect, test } from 'vitest'
import { encodeBody } from '#protocol'
import { eventLines } from '../export/event-lines.ts'
import { groupConversationId } from '../state-machine/conversation-id.ts'
import { beyond } from '../state-machine/member-progress.ts'
import {
  create,
  cursors,
  edit,
  Machine,
  message,
  operation,
  recall,
  remove,
} from '../state-machine/testing.ts'
import type { ConversationProgress, MemberProgress } from '../state-machine/types.ts'
import { conversationReport } from './conversation-report.ts'

const conv = groupConversationId('alice', 'g')
const SECRET = 'what alice said'

/** Alice's group with bob, named and described, in which she said so much. */
async function talk(count: number): Promise<Machine> {
  const m = await Machine.open()
  const members = ['bob']
  const meta = Buffer.from(encodeBody({ topic: SECRET }))
  const made = { op: 'create' as const, members, name: SECRET, meta }
  await m.one(1, operation({ user: 'alice', msgId: 'g' }, made))
  for (let i = 1; i <= count; i += 1) {
    const said = message({ user: 'alice', msgId: `a${i}`, conv })
    await m.one(2, { ...said, body: Buffer.from(encodeBody(SECRET)) } as typeof said)
  }
  return m
}

/** The same from memory, and as a node that starts anew has it from its store. */
async function hotAndCold(m: Machine): Promise<Machine[]> {
  await m.machine.checkpoint()
  return [m, await Machine.open({ directory: m.directory })]
}

async function progress(m: Machine, from = 0): Promise<ConversationProgress> {
  return (await m.machine.reader.progressOf(conv, from))!
}

/** `[delivered, undelivered, read, unread]` by member. */
const positions = ({ members }: ConversationProgress) =>
  Object.fromEntries(
    members.map((one) => [one.user, [one.delivered, one.undelivered, one.read, one.unread]]),
  )

describe('how a conversation stands', () => {
  test('[IC1] is told with every member’s cursors, and without a word of theirs', async () => {
    const made = await talk(9)
    await made.one(3, cursors(['bob', conv, 'delivered', 7], ['bob', conv, 'read', 4]))
    for (const m of await hotAndCold(made)) {
      const found = await progress(m)
      expect(found).toMatchObject({ kind: 'group', head: 10, ord: 9, firstSeq: 1, next: null })
      expect(found).toMatchObject({ createdAt: 1, lastAt: 2, memberCount: 2, listed: 2 })
      expect(positions(found)).toEqual({ alice: [0, 10, 0, 10], bob: [7, 3, 4, 6] })
      const text = JSON.stringify(conversationReport(found))
      expect(text).not.toContain(SECRET)
      expect(text).not.toContain(Buffer.from(encodeBody(SECRET)).toString('base64'))
      expect(JSON.parse(text)).toMatchObject({
        ...{ conv, messages: 9, retention: null },
        members: [
          { user: 'alice', role: 'owner', present: true, stays: [[1, null]], moreStays: 0 },
          { user: 'bob', role: 'member', read: 4 },
        ],
      })
    }
    expect(await made.machine.reader.progressOf('g_none', 0)).toBeNull()
  })

  test('[IC3] who is behind is so by what he may see and what is kept', async () => {
    const made = await talk(9)
    const as = { user: 'alice', conv }
    const cat = { op: 'add' as const, member: 'cat', role: 'member' as const }
    await made.one(3, operation({ ...as, msgId: 'c' }, cat))
    await made.one(3, message({ ...as, msgId: 'c1' }))
    await made.one(3, operation({ ...as, msgId: 'b' }, { op: 'remove', member: 'bob' }))
    await made.one(3, message({ ...as, msgId: 'c2' }))
    await made.one(4, cursors(['bob', conv, 'delivered', 8]))
    await made.one(4, remove({ op: 'truncate', from: conv, upTo: 5 }))
    for (const m of await hotAndCold(made)) {
      const found = await progress(m)
      expect(found).toMatchObject({ head: 14, firstSeq: 6, memberCount: 2, listed: 3 })
      // Cat came with event 11, bob saw the one that removed him, 13.
      expect(positions(found)).toEqual({
        ...{ alice: [0, 9, 0, 9], bob: [8, 5, 0, 8], cat: [0, 4, 0, 4] },
      })
      const [, bob, cat_] = found.members as [MemberProgress, MemberProgress, MemberProgress]
      expect(bob).toMatchObject({ isPresent: false, visible: [1, 13], firstUndelivered: 9 })
      expect(cat_).toMatchObject({ isPresent: true, firstUndelivered: 11 })
    }
    const kept = { firstSeq: 1, head: 100 }
    const stays = [1, 10, 20, 30, 50, Infinity]
    const all = Array.from({ length: 100 }, (_, i) => i + 1)
    for (const cursor of [0, 5, 10, 15, 20, 30, 40, 60, 99, 100]) {
      const seen = all.filter(
        (seq) => seq > cursor && (seq <= 10 || (seq >= 20 && seq <= 30) || seq >= 50),
      )
      expect(beyond(cursor, stays, kept)).toEqual({ count: seen.length, first: seen[0] ?? null })
    }
  })

  test('[IC2] members come in pages, each of them once, and none is past the head', async () => {
    const made = await Machine.open()
    const first = Array.from({ length: 499 }, (_, i) => `user${i}`)
    await made.one(1, create({ user: 'alice', msgId: 'g' }, ...first))
    for (let i = 499; i < 1_200; i += 1) {
      const add = { op: 'add' as const, member: `user${i}`, role: 'member' as const }
      await made.one(2, operation({ user: 'alice', msgId: `a${i}`, conv }, add))
    }
    await made.one(3, cursors(['user700', conv, 'delivered', 500]))
    for (const m of await hotAndCold(made)) {
      const named: MemberProgress[] = []
      const sizes: number[] = []
      for (let from: number | null = 0; from !== null;) {
        const page = await progress(m, from)
        expect(page).toMatchObject({ large: true, memberCount: 1_201, listed: 1_201 })
        named.push(...page.members)
        sizes.push(page.members.length)
        from = page.next
      }
      expect(sizes).toEqual([512, 512, 177])
      expect(new Set(named.map(({ user }) => user)).size).toBe(1_201)
      expect(named.find(({ user }) => user === 'user700')).toMatchObject({ delivered: 500 })
      expect(await progress(m, 5_000)).toMatchObject({ members: [], next: null })
    }
    // While a block of cursors is read, more is said and read.
    const [, cold] = await hotAndCold(made)
    const reading = progress(cold!)
    await cold!.one(4, message({ user: 'alice', msgId: 'late', conv }))
    await cold!.one(4, cursors(['user1', conv, 'read', 10_000]))
    const page = await reading
    for (const member of page.members) expect(member.delivered).toBeLessThanOrEqual(page.head)
  })
})

describe('a list of events', () => {
  const most = { events: 1_000, bytes: 1_000_000 }

  test('[IC4] tells of bodies only how large they are, unless it is asked for them', async () => {
    const m = await talk(3)
    const { reader } = m.machine
    const hidden = (await eventLines(reader, conv, 0, { ...most, withBodies: false }))!
    expect(hidden.lines.join()).not.toContain(SECRET)
    const bodyBytes = encodeBody(SECRET).length
    const items = hidden.lines.map((line) => JSON.parse(line) as object)
    expect(items.slice(1)).toMatchObject([
      { t: 'msg:N', conv, seq: 2, from: 'alice', msgId: 'a1', bodyBytes },
      ...[{ seq: 3 }, { seq: 4 }],
    ])
    const few = (await eventLines(reader, conv, 0, { events: 9, bytes: 9, withBodies: false }))!
    expect(few).toMatchObject({ hasMore: true, next: few.lines.length })
    expect(few.lines.length).toBeLessThan(4)
    const shown = (await eventLines(reader, conv, 0, { ...most, withBodies: true }))!
    expect(JSON.parse(shown.lines[1]!)).toMatchObject({ seq: 2, body: SECRET })
  })

  test('[IC5] says of everything that is missing why it is', async () => {
    const m = await talk(6)
    const by = { user: 'alice', conv }
    await m.one(3, recall({ ...by, msgId: 'r', target: 5 }))
    await m.one(3, edit({ ...by, msgId: 'e', target: 6, body: 'x' }))
    await m.one(4, remove({ op: 'truncate', from: conv, upTo: 2 }))
    await m.one(4, remove({ op: 'expire', from: conv, seqs: [4] }))
    for (const withBodies of [true, false]) {
      const found = (await eventLines(m.machine.reader, conv, 0, { ...most, withBodies }))!
      const [gap, ...items] = found.lines.map((line) => JSON.parse(line) as { seq?: number })
      expect(gap).toEqual({ gap: { from: 1, to: 2, reason: 'retention' } })
      expect(items.map(({ seq }) => seq)).toEqual([3, 4, 5, 6, 7, 8, 9])
      expect(items[1]).toMatchObject({ expired: true })
      expect(items[2]).toMatchObject({ recalled: true })
      expect(items[3]).toMatchObject({ edited: 9 })
      for (const stub of [items[1], items[2]]) expect(stub).not.toHaveProperty('body')
    }
  })
})
