import { expect, test } from 'vitest'
import { encodeBody } from '#protocol'
import { create, Machine, message, operation } from './testing.ts'
import type { ConversationView, ListPosition } from './types.ts'

const PAGE_BYTES = 64 * 1024
const META = Uint8Array.from(encodeBody('m'.repeat(15_000)))
const GROUPS = 40

/** Groups of alice's with all that a view may carry, each changed later than the one before. */
async function filled(): Promise<{ m: Machine; ids: string[] }> {
  const m = await Machine.open({ limits: { pageBytes: PAGE_BYTES } })
  const members = Array.from({ length: 200 }, (_, n) => `${'x'.repeat(90)}${n}`)
  for (let n = 0; n < GROUPS; n += 1) {
    const fields = { user: 'alice', msgId: `g${n}` }
    await m.one(n, operation(fields, { op: 'create', members, name: `group ${n}`, meta: META }))
  }
  const { conversations } = await m.machine.reader.conversationsOf('alice', 1)
  expect(conversations).toMatchObject([{ name: `group ${GROUPS - 1}` }])
  return { m, ids: m.events.map(({ conv }) => conv).toReversed() }
}

function bytesOf(views: readonly ConversationView[]): number {
  return views.reduce((sum, view) => {
    const meta = view.meta?.length ?? 0
    return sum + meta + JSON.stringify({ ...view, meta: null }).length
  }, 0)
}

test('[B1] a list comes in pages bounded by bytes, whole and without repetition', async () => {
  const { m, ids } = await filled()
  await m.machine.checkpoint()
  const { reader } = m.machine
  const found: string[] = []
  let pages = 0
  for (let after: ListPosition | null = null; ;) {
    const page = await reader.conversationsOf('alice', 1_000, after)
    expect(bytesOf(page.conversations)).toBeLessThanOrEqual(PAGE_BYTES)
    expect(page.conversations.length).toBeGreaterThan(0)
    found.push(...page.conversations.map(({ id }) => id))
    pages += 1
    if (page.next === null) break
    after = page.next
  }
  expect(found).toEqual(ids)
  expect(pages).toBeGreaterThan(GROUPS / 4)
})

test('[B1] one conversation always fits; where nothing is left there is no next', async () => {
  const { m, ids } = await filled()
  const { reader } = m.machine
  const all = await reader.conversationsOf('bob', 5)
  expect(all).toEqual({ conversations: [], next: null })
  const one = await Machine.open({ limits: { pageBytes: 1 } })
  await one.one(1, create({ user: 'alice', msgId: 'a' }, 'bob'))
  await one.one(2, create({ user: 'alice', msgId: 'b' }, 'bob'))
  const first = await one.machine.reader.conversationsOf('alice', 2)
  expect(first.conversations).toHaveLength(1)
  const second = await one.machine.reader.conversationsOf('alice', 2, first.next)
  expect(second).toMatchObject({ conversations: [{ ord: 0 }], next: null })
  expect((await reader.conversationsOf('alice', 1)).next).toMatchObject({ id: ids[0] })
})

test('[B1] what changes between two pages moves to the front and hides nothing else', async () => {
  const { m, ids } = await filled()
  const { reader } = m.machine
  const first = await reader.conversationsOf('alice', 1)
  expect(first.conversations.map(({ id }) => id)).toEqual([ids[0]])
  await m.one(GROUPS + 1, message({ user: 'alice', conv: ids[0]!, msgId: 'again' }))
  await m.one(GROUPS + 2, message({ user: 'alice', conv: ids[9]!, msgId: 'early' }))
  const second = await reader.conversationsOf('alice', 1, first.next)
  expect(second.conversations.map(({ id }) => id)).toEqual([ids[1]])
})
