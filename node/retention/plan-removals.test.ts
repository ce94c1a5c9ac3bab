import { describe, expect, test } from 'vitest'
import type { RetentionPolicy } from '../state-machine/commands.ts'
import { groupConversationId } from '../state-machine/conversation-id.ts'
import { create, edit, Machine, message, operation, remove } from '../state-machine/testing.ts'
import { planRemovals } from './plan-removals.ts'

const conv = groupConversationId('alice', 'g')

/** Seq 1 the group at log time 1,000, then a message each 1,000: alice's of 10 bytes, bob's of 20. */
async function group(messages: number, isLarge: (seq: number) => boolean = () => false) {
  const machine = await Machine.open()
  await machine.one(1_000, create({ user: 'alice', msgId: 'g' }, 'bob'))
  for (let seq = 2; seq <= messages + 1; seq += 1) {
    const user = seq % 2 === 0 ? 'alice' : 'bob'
    const body = 'x'.repeat(user === 'alice' ? 10 : 20)
    await machine.one(
      seq * 1_000,
      message({ user, msgId: `m${seq}`, conv, body, large: isLarge(seq) }),
    )
  }
  return machine
}

async function plan(machine: Machine, policy: RetentionPolicy, now = 0) {
  const state = machine.machine.reader
  const conversation = (await state.conversation(conv))!
  return planRemovals({ state, conversation, policy, now })
}

describe('[M-53] what a policy takes away', () => {
  test('[RT2] what is older than maxAgeMs by log time', async () => {
    const m = await group(9)
    expect(await plan(m, { maxAgeMs: 5_000 }, 10_000)).toEqual([
      { op: 'truncate', from: conv, upTo: 4 },
    ])
    expect(await plan(m, { maxAgeMs: 9_000 }, 10_000)).toEqual([])
    expect(await plan(m, { maxAgeMs: 1 }, 99_000)).toEqual([
      { op: 'truncate', from: conv, upTo: 10 },
    ])
  })

  test('[RT2] all but the newest maxCount messages, other events not counted', async () => {
    const m = await group(5)
    await m.one(7_000, operation({ user: 'alice', msgId: 's', conv }, { op: 'set', name: 'x' }))
    expect(await plan(m, { maxCount: 5 })).toEqual([])
    expect(await plan(m, { maxCount: 2 })).toEqual([{ op: 'truncate', from: conv, upTo: 4 }])
    await m.one(8_000, remove({ op: 'truncate', from: conv, upTo: 4 }))
    expect(await plan(m, { maxCount: 2 })).toEqual([])
    expect(await plan(m, { maxCount: 1 })).toEqual([{ op: 'truncate', from: conv, upTo: 5 }])
  })

  test('[RT3] bodies of a sender over maxBytes: large ones first, then the oldest, edits with them', async () => {
    const m = await group(9, (seq) => seq === 9)
    // Bob has 3, 5, 7, 9 of 20 bytes each; alice five of 10.
    expect(await plan(m, { maxBytes: 80 })).toEqual([])
    expect(await plan(m, { maxBytes: 70 })).toEqual([{ op: 'expire', from: conv, seqs: [9] }])
    expect(await plan(m, { maxBytes: 50 })).toEqual([{ op: 'expire', from: conv, seqs: [3, 9] }])
    await m.one(11_000, edit({ user: 'bob', msgId: 'e', conv, target: 3, body: 'y'.repeat(20) }))
    expect(await plan(m, { maxBytes: 60 })).toEqual([
      { op: 'expire', from: conv, seqs: [3, 9, 11] },
    ])
    await m.one(12_000, remove({ op: 'expire', from: conv, seqs: [3, 9, 11] }))
    expect(await plan(m, { maxBytes: 50 })).toEqual([])
  })

  test('[RT2] [RT3] bounds together: what is cut off counts no more', async () => {
    const m = await group(9)
    expect(await plan(m, { maxCount: 4, maxBytes: 30 })).toEqual([
      { op: 'truncate', from: conv, upTo: 6 },
      { op: 'expire', from: conv, seqs: [7] },
    ])
  })

  test('[RT4] a walk that is told to stop proposes no list of bodies', async () => {
    const m = await group(300)
    const state = m.machine.reader
    const conversation = (await state.conversation(conv))!
    const options = { state, conversation, policy: { maxBytes: 10 }, now: 0 }
    expect(await planRemovals({ ...options, pause: async () => false })).toEqual([])
    expect(await planRemovals({ ...options, pause: async () => true })).toHaveLength(1)
  })
})
