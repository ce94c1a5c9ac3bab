import { describe, expect, test } from 'vitest'
import { directConversationId, groupConversationId } from './conversation-id.ts'
import { create, edit, Machine, message, operation, react, recall } from './testing.ts'
import { type ConversationEvent, EventKind, type WriteResult } from './types.ts'

const conv = groupConversationId('alice', 'g')
const direct = directConversationId('alice', 'bob')
const CODE = ({ ...result }: WriteResult) => (result.ok ? 'ok' : result.code)

/** Seq 1 the group, 2 a message of bob's, 3 one of alice's. */
async function group(): Promise<Machine> {
  const machine = await Machine.open()
  await machine.write(
    1,
    create({ user: 'alice', msgId: 'g' }, 'bob', 'carol'),
    message({ user: 'bob', msgId: 'b1', conv, body: 'first' }),
    message({ user: 'alice', msgId: 'a1', conv, body: 'second' }),
  )
  return machine
}

async function seen(machine: Machine, user: string, id = conv): Promise<ConversationEvent[]> {
  const page = await machine.machine.reader.eventsAfter(id, user, 0, 100)
  return [...page!.events]
}

const said = ({ body }: ConversationEvent) => body && Buffer.from(body).toString()

describe('edits, recalls and reactions', () => {
  test('[B1] an edited message says what its last edit said, and names it', async () => {
    const m = await group()
    const change = (msgId: string, body: string) =>
      edit({ user: 'bob', msgId, conv, target: 2, body })
    expect(await m.one(2, change('e1', 'better'))).toMatchObject({ ok: true, seq: 4, ord: 2 })
    expect(await m.one(3, change('e2', 'best'))).toMatchObject({ ok: true, seq: 5 })
    const events = await seen(m, 'carol')
    expect(events.map(said)).toEqual([expect.anything(), 'best', 'second', 'better', 'best'])
    expect(events[1]).toMatchObject({ kind: EventKind.message, edited: 5, recalled: false })
    expect(events[3]).toMatchObject({ kind: EventKind.edit, target: 2, edited: null })
    // What is told at the moment is the edit itself.
    expect(m.events.at(-1)).toMatchObject({ seq: 5, kind: EventKind.edit, target: 2 })
  })

  test('[B1] a recalled message says nothing any more, and neither do its edits', async () => {
    const m = await group()
    await m.write(
      2,
      edit({ user: 'bob', msgId: 'e1', conv, target: 2, body: 'better' }),
      recall({ user: 'bob', msgId: 'r1', conv, target: 2 }),
    )
    const events = await seen(m, 'carol')
    expect(events[1]).toMatchObject({ seq: 2, body: null, recalled: true, msgId: 'b1', ord: 1 })
    expect(events[3]).toMatchObject({ seq: 4, body: null, recalled: true, target: 2 })
    expect(events[4]).toMatchObject({ kind: EventKind.recall, body: null, target: 2 })
    expect(events[2]).toMatchObject({ seq: 3, recalled: false })
  })

  test('[B1] a reaction is an event that says which one and whether it is there', async () => {
    const m = await group()
    await m.one(2, react({ user: 'carol', msgId: 'c1', conv, target: 2, reaction: '👍' }))
    const on = false
    await m.one(3, react({ user: 'carol', msgId: 'c2', conv, target: 2, reaction: '👍', on }))
    const [added, removed] = (await seen(m, 'alice')).slice(3)
    expect(added).toMatchObject({ kind: EventKind.reaction, target: 2, ord: 2 })
    const bytes = (flag: number) =>
      Buffer.from([
        0x82,
        0xa8,
        ...Buffer.from('reaction'),
        0xa4,
        ...Buffer.from('👍'),
        0xa2,
        ...Buffer.from('on'),
        flag,
      ])
    expect(Buffer.from(added!.body!)).toEqual(bytes(0xc3))
    expect(Buffer.from(removed!.body!)).toEqual(bytes(0xc2))
  })

  test('[A5] only the author edits; who recalls is the author, an owner or an admin', async () => {
    const m = await group()
    const change = (user: string, target: number) =>
      m.one(2, edit({ user, msgId: `e-${user}-${target}`, conv, target, body: 'x' }))
    const take = (user: string, target: number) =>
      m.one(2, recall({ user, msgId: `r-${user}-${target}`, conv, target }))
    expect(CODE(await change('alice', 2))).toBe('FORBIDDEN')
    expect(CODE(await take('carol', 2))).toBe('FORBIDDEN')
    expect(CODE(await take('bob', 3))).toBe('FORBIDDEN')
    expect(CODE(await take('alice', 2))).toBe('ok')
    expect(CODE(await take('alice', 3))).toBe('ok')
    expect(CODE(await change('bob', 2))).toBe('FORBIDDEN')
    expect(CODE(await change('eve', 2))).toBe('NOT_MEMBER')
  })

  test('[A5] what is no message that the sender sees takes nothing', async () => {
    const m = await group()
    await m.one(
      2,
      operation(
        { user: 'alice', msgId: 'add', conv },
        { op: 'add', member: 'dan', role: 'member' },
      ),
    )
    const like = (user: string, target: number) =>
      m.one(3, react({ user, msgId: `l-${user}-${target}`, conv, target, reaction: '+' }))
    for (const target of [1, 4, 99]) expect(CODE(await like('bob', target))).toBe('FORBIDDEN')
    // Dan came after it was said.
    expect(CODE(await like('dan', 2))).toBe('FORBIDDEN')
    expect(CODE(await like('bob', 2))).toBe('ok')
    const nowhere = react({ user: 'bob', msgId: 'n', conv: 'g_none', target: 1, reaction: '+' })
    expect(CODE(await m.one(4, nowhere))).toBe('GROUP_NOT_FOUND')
  })

  test('[A2] a copy of an edit has its first result, another target or text is a mismatch', async () => {
    const m = await group()
    const copy = edit({ user: 'bob', msgId: 'e', conv, target: 2, body: 'x' })
    expect(await m.one(2, copy)).toMatchObject({ seq: 4, duplicate: false })
    expect(await m.one(3, copy)).toMatchObject({ seq: 4, duplicate: true })
    for (const other of [
      edit({ user: 'bob', msgId: 'e', conv, target: 2, body: 'y' }),
      edit({ user: 'bob', msgId: 'e', conv, target: 3, body: 'x' }),
      recall({ user: 'bob', msgId: 'e', conv, target: 2 }),
    ]) {
      expect(CODE(await m.one(3, other))).toBe('PAYLOAD_MISMATCH')
    }
    expect((await seen(m, 'alice')).length).toBe(4)
  })

  test('[B7] who joins a group with history sees all of it', async () => {
    const m = await group()
    const add = (msgId: string, member: string) =>
      operation({ user: 'alice', msgId, conv }, { op: 'add', member, role: 'member' })
    const set = (msgId: string, history: boolean) =>
      operation({ user: 'alice', msgId, conv }, { op: 'set', history })
    await m.write(
      2,
      add('1', 'dan'),
      set('2', true),
      add('3', 'eve'),
      set('4', false),
      add('5', 'fay'),
    )
    const first = async (user: string) => (await seen(m, user))[0]!.seq
    expect([await first('dan'), await first('eve'), await first('fay')]).toEqual([4, 1, 8])
    expect((await m.machine.reader.conversation(conv))!.history).toBe(false)
  })
})

describe('[M-14] blocks', () => {
  const block = (user: string, member: string, msgId: string, op: 'block' | 'unblock' = 'block') =>
    operation({ user, msgId }, { op, member })

  test('[A5] a blocked user’s message to the direct conversation is no event, and refused for good', async () => {
    const m = await Machine.open()
    const result = await m.one(1, block('alice', 'bob', 'k1'))
    expect(result).toMatchObject({ ok: true, conv: direct, seq: 0 })
    const hi = message({ user: 'bob', msgId: 'b1', to: 'alice' })
    expect(CODE(await m.one(2, hi))).toBe('USER_BLOCKED')
    expect((await m.machine.reader.conversation(direct))!.head).toBe(0)
    await m.one(3, block('alice', 'bob', 'k2', 'unblock'))
    // A verdict is a verdict; another message is another one.
    expect(CODE(await m.one(4, hi))).toBe('USER_BLOCKED')
    expect(await m.one(5, message({ user: 'bob', msgId: 'b2', to: 'alice' }))).toMatchObject({
      seq: 1,
    })
  })

  test('[A5] the blocking side still writes, groups go on, and only recalls pass', async () => {
    const m = await group()
    await m.write(
      2,
      message({ user: 'bob', msgId: 'd1', to: 'alice' }),
      block('alice', 'bob', 'k1'),
    )
    expect(CODE(await m.one(3, message({ user: 'alice', msgId: 'd2', to: 'bob' })))).toBe('ok')
    expect(CODE(await m.one(3, message({ user: 'bob', msgId: 'b2', conv })))).toBe('ok')
    const own = { user: 'bob', conv: direct, target: 1 }
    expect(CODE(await m.one(4, edit({ ...own, msgId: 'e', body: 'x' })))).toBe('USER_BLOCKED')
    const like = react({ ...own, msgId: 'l', reaction: '+' })
    expect(CODE(await m.one(4, like))).toBe('USER_BLOCKED')
    expect(CODE(await m.one(4, recall({ ...own, msgId: 'r' })))).toBe('ok')
    expect(CODE(await m.one(5, block('alice', 'alice', 'self')))).toBe('FORBIDDEN')
  })

  test('[A2] a block has one result for all its copies', async () => {
    const m = await Machine.open()
    expect(await m.one(1, block('alice', 'bob', 'k'))).toMatchObject({ duplicate: false })
    await m.one(2, block('alice', 'bob', 'u', 'unblock'))
    expect(await m.one(3, block('alice', 'bob', 'k'))).toMatchObject({ duplicate: true })
    expect(CODE(await m.one(3, block('alice', 'bob', 'k', 'unblock')))).toBe('PAYLOAD_MISMATCH')
    expect(await m.one(4, message({ user: 'bob', msgId: 'b', to: 'alice' }))).toMatchObject({
      seq: 1,
    })
  })
})
