import { expect, test } from 'vitest'
import type { RetentionPolicy } from '../state-machine/commands.ts'
import { groupConversationId } from '../state-machine/conversation-id.ts'
import { create, Machine, message, remove } from '../state-machine/testing.ts'
import type { StateReader } from '../state-machine/types.ts'
import { planRemovals } from './plan-removals.ts'
import { previewRemovals } from './preview-removals.ts'

const conv = groupConversationId('alice', 'g')
const goOn = async () => true

/** Seq 1 the group at log time 1,000, then a message each 1,000: alice's of 10 bytes, bob's of 20. */
async function group(messages: number) {
  const machine = await Machine.open()
  await machine.one(1_000, create({ user: 'alice', msgId: 'g' }, 'bob'))
  for (let seq = 2; seq <= messages + 1; seq += 1) {
    const user = seq % 2 === 0 ? 'alice' : 'bob'
    const body = 'x'.repeat(user === 'alice' ? 10 : 20)
    await machine.one(seq * 1_000, message({ user, msgId: `m${seq}`, conv, body }))
  }
  return machine
}

const viewOf = async (state: StateReader) => (await state.conversation(conv))!

async function preview(m: Machine, policy: RetentionPolicy, now = 0, pause = goOn) {
  const state = m.machine.reader
  return previewRemovals({ state, conversation: await viewOf(state), policy, now, pause })
}

test('[M-53] [RT7] counts what each bound takes away, and names the oldest that stays', async () => {
  const m = await group(9)
  const policy = { maxAgeMs: 5_000 }
  expect(await preview(m, policy, 10_000)).toEqual({
    ...{ conv, policy, events: 4, stubs: 0, bytes: 40, isWhole: true },
    oldestKept: { seq: 5, at: expect.any(Number) as unknown },
  })
  expect(await preview(m, { maxCount: 2 })).toMatchObject({ events: 8, oldestKept: { seq: 9 } })
  expect(await preview(m, { maxAgeMs: 1 }, 99_000)).toMatchObject({
    ...{ events: 10, bytes: 130, oldestKept: null },
  })
  expect(await preview(m, { maxCount: 4, maxBytes: 30 })).toMatchObject({
    ...{ events: 6, stubs: 1, bytes: 90, oldestKept: { seq: 7 } },
  })
  expect(await preview(m, { maxBytes: 80 })).toMatchObject({ events: 0, stubs: 0, bytes: 0 })
})

test('[M-53] [RT7] counts all that goes command by command, and changes nothing', async () => {
  const m = await group(3_000)
  const policy = { maxCount: 2_900, maxBytes: 200 }
  const before = m.machine.reader.stateHash
  const { events, stubs, bytes } = (await preview(m, policy))!
  expect(m.machine.reader.stateHash).toBe(before)
  const state = m.machine.reader
  const gone = { events: 0, stubs: 0 }
  for (;;) {
    const view = await viewOf(state)
    const removals = await planRemovals({ state, conversation: view, policy, now: 0 })
    if (removals.length === 0) break
    for (const removal of removals) {
      if (removal.op === 'truncate') gone.events += removal.upTo - view.firstSeq + 1
      else gone.stubs += removal.seqs.length
      await m.one(9_000_000, remove(removal))
    }
  }
  expect({ events, stubs }).toEqual(gone)
  // Of 1,500 bodies each only those within 200 bytes stay: 20 of alice's, 10 of bob's.
  expect(bytes).toBe(1_480 * 10 + 1_490 * 20)
  expect((await preview(m, policy))!).toMatchObject({ events: 0, stubs: 0, bytes: 0 })
})

test('[RT7] says nothing rather than a part once nobody waits for it', async () => {
  const m = await group(600)
  expect(await preview(m, { maxBytes: 100 }, 0, async () => false)).toBeNull()
  expect(await preview(m, { maxCount: 100 }, 0, async () => false)).toBeNull()
})
