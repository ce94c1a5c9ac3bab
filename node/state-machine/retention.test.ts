import { describe, expect, test } from 'vitest'
import { groupConversationId } from './conversation-id.ts'
import { create, edit, Machine, message, operation, remove } from './testing.ts'
import type { WriteResult } from './types.ts'

const conv = groupConversationId('alice', 'g')
const CODE = (result: WriteResult) => (result.ok ? 'ok' : result.code)

/** Seq 1 the group, 2 to 6 messages. */
async function group(): Promise<Machine> {
  const machine = await Machine.open()
  const said = [2, 3, 4, 5, 6].map((seq) =>
    message({ user: seq % 2 === 0 ? 'alice' : 'bob', msgId: `m${seq}`, conv }),
  )
  await machine.write(1, create({ user: 'alice', msgId: 'g' }, 'bob'), ...said)
  return machine
}

describe('[M-53] retention in the log', () => {
  test('[B7] what was cut off is one gap, told to who could see it as retention', async () => {
    const m = await group()
    const add = operation(
      { user: 'alice', msgId: 'add', conv },
      { op: 'add', member: 'dan', role: 'member' },
    )
    await m.write(2, add, message({ user: 'bob', msgId: 'm8', conv }))
    expect(await m.one(3, remove({ op: 'truncate', from: conv, upTo: 4 }))).toMatchObject({
      ok: true,
      seq: 5,
    })
    const { reader } = m.machine
    const gap = { from: 1, to: 4, reason: 'retention' }
    const forward = (await reader.eventsAfter(conv, 'bob', 0, 2))!
    expect(forward).toMatchObject({ gap, next: 6, hasMore: true, events: [{ seq: 5 }, { seq: 6 }] })
    expect(await reader.eventsAfter(conv, 'bob', 2, 1)).toMatchObject({ gap: { ...gap, from: 3 } })
    const backward = (await reader.eventsBefore(conv, 'bob', 9, 100))!
    expect(backward).toMatchObject({ gap: null, next: 5, hasMore: true })
    const rest = (await reader.eventsBefore(conv, 'bob', 5, 100))!
    expect(rest).toMatchObject({ gap, events: [], hasMore: false })
    // Dan was not there yet: it never was his to see.
    expect(await reader.eventsAfter(conv, 'dan', 0, 9)).toMatchObject({
      gap: { from: 1, to: 6, reason: 'membership' },
      events: [{ seq: 7 }, { seq: 8 }],
    })
  })

  test('[A9] a cut never goes back, ends at the head, and a copy of it changes nothing', async () => {
    const m = await group()
    const cut = (upTo: number) => m.one(2, remove({ op: 'truncate', from: conv, upTo }))
    expect(await cut(4)).toMatchObject({ seq: 5 })
    expect(await cut(2)).toMatchObject({ seq: 5 })
    expect(await cut(99)).toMatchObject({ seq: 7 })
    const page = (await m.machine.reader.eventsAfter(conv, 'bob', 0, 9))!
    expect(page).toMatchObject({ events: [], gap: { from: 1, to: 6 }, next: 6, hasMore: false })
    expect(await m.one(3, message({ user: 'bob', msgId: 'new', conv }))).toMatchObject({ seq: 7 })
    expect(await m.machine.reader.eventsAfter(conv, 'bob', 6, 9)).toMatchObject({
      gap: null,
      events: [{ seq: 7 }],
    })
    expect(CODE(await m.one(4, remove({ op: 'truncate', from: 'g_none', upTo: 1 })))).toBe(
      'GROUP_NOT_FOUND',
    )
  })

  test('[B7] what expires in the middle is a stub with everything but its body', async () => {
    const m = await group()
    await m.one(2, edit({ user: 'bob', msgId: 'e', conv, target: 3, body: 'new' }))
    await m.one(3, remove({ op: 'expire', from: conv, seqs: [3, 5, 99] }))
    const { events, gap } = (await m.machine.reader.eventsAfter(conv, 'alice', 1, 100))!
    expect(gap).toBeNull()
    expect(events.map(({ seq, expired }) => [seq, expired])).toEqual([
      [2, false],
      [3, true],
      [4, false],
      [5, true],
      [6, false],
      [7, true],
    ])
    expect(events[1]).toMatchObject({ body: null, msgId: 'm3', from: 'bob', ord: 2, edited: null })
    const late = edit({ user: 'bob', msgId: 'late', conv, target: 5, body: 'x' })
    expect(CODE(await m.one(4, late))).toBe('FORBIDDEN')
  })

  test('[A2] [A7] copies and replies are judged as if nothing had been removed', async () => {
    const m = await group()
    await m.one(2, remove({ op: 'truncate', from: conv, upTo: 6 }))
    const again = message({ user: 'bob', msgId: 'm3', conv })
    expect(await m.one(3, again)).toMatchObject({ seq: 3, duplicate: true })
    const other = message({ user: 'bob', msgId: 'm3', conv, body: 'other' })
    expect(CODE(await m.one(3, other))).toBe('PAYLOAD_MISMATCH')
    const reply = message({ user: 'bob', msgId: 'r', conv, replyTo: 2 })
    expect(await m.one(4, reply)).toMatchObject({ seq: 7 })
  })
})
