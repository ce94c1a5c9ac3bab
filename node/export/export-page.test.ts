import { describe, expect, test } from 'vitest'
import { decodeFrames, encodeBody, ProtocolError } from '#protocol'
import { groupConversationId } from '../state-machine/conversation-id.ts'
import { create, Machine, message, operation, recall, remove } from '../state-machine/testing.ts'
import { exportPage } from './export-page.ts'

const conv = groupConversationId('alice', 'g')
const MOST = { events: 250, bytes: 1024 * 1024 }

/** Alice's group in which bob said so much, each body `{text}` of a line. */
async function talk(count: number, text: (i: number) => string): Promise<Machine> {
  const m = await Machine.open()
  await m.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
  for (let i = 1; i <= count; i += 1) {
    const said = message({ user: 'bob', msgId: `b${i}`, conv })
    await m.one(2, { ...said, body: Buffer.from(encodeBody({ text: text(i) })) } as typeof said)
  }
  return m
}

/** All pages from `after` on, as their reader puts them together, and how many there were. */
async function linesOf(m: Machine, after = 0, most = MOST) {
  const lines: string[] = []
  let pages = 0
  let at = { after, members: 0 }
  for (let hasMore = true; hasMore;) {
    const page = (await exportPage(m.machine.reader, conv, at, most))!
    lines.push(...page.lines)
    ;({ next: at, hasMore } = page)
    pages += 1
  }
  return { lines, pages, at }
}

const parsed = (lines: readonly string[]) =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>)

describe('an export', () => {
  test('[EX1] is a line for the conversation and one for each event, as on the wire', async () => {
    const m = await talk(600, (i) => `line\n${i}`)
    await m.one(3, recall({ user: 'bob', msgId: 'r', conv, target: 600 }))
    await m.one(4, remove({ op: 'truncate', from: conv, upTo: 2 }))
    const { lines, pages, at } = await linesOf(m)
    expect([pages, at.after]).toEqual([3, 602])
    expect(lines.some((line) => line.includes('\n'))).toBe(false)
    const [head, gap, ...events] = parsed(lines)
    expect(head).toMatchObject({ t: 'conv:A', conversation: { id: conv, head: 602 } })
    expect(gap).toEqual({ gap: { from: 1, to: 2, reason: 'retention' } })
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 600 }, (_, i) => i + 3))
    expect(events[0]).toMatchObject({ t: 'msg:N', from: 'bob', body: { text: 'line\n2' } })
    expect(events[597]).toMatchObject({ seq: 600, recalled: true })
    expect(events[597]).not.toHaveProperty('body')
    for (const line of lines.filter((each) => !each.startsWith('{"gap"'))) {
      const [frame] = decodeFrames(line, 'parley.v1.json', 'toClient')
      expect(frame).not.toBeInstanceOf(ProtocolError)
    }
  })

  test('[EX2] of no conversation is no page', async () => {
    const { reader } = (await Machine.open()).machine
    expect(await exportPage(reader, 'g_none', { after: 0, members: 0 }, MOST)).toBeNull()
  })

  test('[EX3] goes on after any seq with what follows it, and no word of what stood before', async () => {
    const m = await talk(20, (i) => `line ${i}`)
    await m.one(3, remove({ op: 'truncate', from: conv, upTo: 4 }))
    const whole = parsed((await linesOf(m)).lines).slice(2)
    for (let after = 4; after <= 21; after += 1) {
      expect(parsed((await linesOf(m, after)).lines)).toEqual(
        whole.filter(({ seq }) => Number(seq) > after),
      )
    }
    expect(parsed((await linesOf(m, 2)).lines)[0]).toEqual({
      gap: { from: 3, to: 4, reason: 'retention' },
    })
  })

  test('[EX3] has bounded pages: by events and by bytes, but for one event that is larger', async () => {
    const m = await talk(10, () => 'x'.repeat(1_000))
    const few = { events: 250, bytes: 3_500 }
    const first = (await exportPage(m.machine.reader, conv, { after: 1, members: 0 }, few))!
    expect(first).toMatchObject({ next: { after: 4 }, hasMore: true, head: 11 })
    const { lines, pages } = await linesOf(m, 1, { events: 250, bytes: 10 })
    expect([lines.length, pages]).toEqual([10, 10])
    expect((await linesOf(m, 1, { ...MOST, events: 4 })).pages).toBe(3)
  })

  test('[EX1] of a large conversation begins with all of its members', async () => {
    const m = await Machine.open()
    const members = Array.from({ length: 499 }, (_, i) => `user${i}`)
    await m.one(1, create({ user: 'alice', msgId: 'g' }, ...members))
    for (let i = 499; i < 1_200; i += 1) {
      const add = { op: 'add' as const, member: `user${i}`, role: 'member' as const }
      await m.one(2, operation({ user: 'alice', msgId: `a${i}`, conv }, add))
    }
    const lines = parsed((await linesOf(m)).lines)
    const described = lines.filter(({ t }) => t === 'conv:A') as {
      conversation: { members: { user: string }[] }
    }[]
    expect(described.length).toBeGreaterThan(1)
    const named = described.flatMap(({ conversation }) => conversation.members)
    expect(new Set(named.map(({ user }) => user)).size).toBe(1_201)
    expect(named).toHaveLength(1_201)
    expect(lines.filter(({ t }) => t === 'msg:N').map(({ seq }) => seq)[0]).toBe(1)
  })
})
