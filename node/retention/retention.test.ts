import { describe, expect, test } from 'vitest'
import type { WireError } from '#protocol'
import { groupConversationId } from '../state-machine/conversation-id.ts'
import type { Command, RetentionPolicy, Submission } from '../state-machine/commands.ts'
import {
  create,
  edit,
  erase,
  Machine,
  message,
  operation,
  recall,
  remove,
} from '../state-machine/testing.ts'
import { EventKind, type WriteResult } from '../state-machine/types.ts'
import { Retention } from './retention.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** A leader's retention over a machine that applies what it proposes. */
async function leader() {
  const machine = await Machine.open()
  const { clock } = machine
  const status = { leads: true, now: 10_000 }
  const proposed: Submission[] = []
  const submit = (
    submission: Submission,
    done: (result: WriteResult | { error: WireError }) => void,
  ): void => {
    proposed.push(submission)
    const command = { ...submission, origin: 1, request: 1 } as Command
    void (async () => done(await machine.one(status.now, command)))()
  }
  const retention = new Retention({
    clock,
    logger: silent,
    state: machine.machine.reader,
    leads: () => status.leads,
    now: () => status.now,
    submit,
  })
  /** Lets so many of its ticks pass, each to its end. */
  const ticks = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      clock.advance(1_000)
      for (let turn = 0; turn < 200; turn += 1) await Promise.resolve()
    }
  }
  return { machine, status, proposed, retention, ticks }
}

async function chat(machine: Machine, name: string, policy: RetentionPolicy | null) {
  const conv = groupConversationId('alice', name)
  const said = [1, 2, 3].map((i) => message({ user: 'alice', msgId: `${name}${i}`, conv }))
  await machine.write(1_000, create({ user: 'alice', msgId: name }), ...said)
  const set = { user: 'alice', msgId: `${name}set`, conv }
  await machine.one(1_000, operation(set, { op: 'set', retention: policy }))
  return conv
}

const firstSeq = async (machine: Machine, conv: string) =>
  (await machine.machine.reader.conversation(conv))!.firstSeq

describe('[M-53] the leader’s retention', () => {
  test('[RT1] proposes what conversations with a policy are to lose, and nothing for the others', async () => {
    const { machine, ticks, proposed, retention } = await leader()
    const kept = await chat(machine, 'kept', null)
    const short = await chat(machine, 'short', { maxCount: 1 })
    const old = await chat(machine, 'old', { maxAgeMs: 5_000 })
    await ticks(3)
    expect(await firstSeq(machine, kept)).toBe(1)
    expect(await firstSeq(machine, short)).toBe(4)
    expect(await firstSeq(machine, old)).toBe(6)
    expect(proposed).toHaveLength(2)
    retention.close()
  })

  test('[RT1] a follower proposes nothing; a new leader takes it up from what the log says', async () => {
    const { machine, status, ticks, proposed, retention } = await leader()
    const conv = await chat(machine, 'short', { maxCount: 1 })
    status.leads = false
    await ticks(3)
    expect(proposed).toEqual([])
    status.leads = true
    await ticks(2)
    expect(await firstSeq(machine, conv)).toBe(4)
    retention.close()
    await ticks(2)
    expect(proposed).toHaveLength(1)
  })

  test('[RT5] users who go on talking keep nobody else from being erased', async () => {
    const { machine, ticks, retention } = await leader()
    const talkers = ['ann', 'ben', 'cas', 'dee']
    let said = 0
    const talk = async (): Promise<void> => {
      said += 1
      for (const user of talkers) {
        await machine.one(2_000, message({ user, msgId: `${user}${said}`, to: 'zoe' }))
      }
    }
    await machine.one(2_000, message({ user: 'pat', msgId: 'p', to: 'zoe' }))
    await talk()
    for (const user of [...talkers, 'pat']) await machine.one(2_000, erase(user))
    for (let i = 0; i < 4; i += 1) {
      await ticks(1)
      await talk()
    }
    expect(await machine.machine.reader.erasingUsers('', 9)).not.toContain('pat')
    retention.close()
  })

  test('[RT4] what is quiet is not read again before a message or the time changes it', async () => {
    const { machine, status, ticks, retention } = await leader()
    const conv = await chat(machine, 'old', { maxAgeMs: 20_000 })
    const { reader } = machine.machine
    let reads = 0
    const real = reader.allEventsAfter.bind(reader)
    reader.allEventsAfter = (...args) => {
      reads += 1
      return real(...args)
    }
    await ticks(2)
    const before = reads
    await ticks(3)
    expect(reads).toBe(before)
    status.now = 30_000
    await ticks(2)
    expect(await firstSeq(machine, conv)).toBe(6)
    retention.close()
  })

  test('[RT1] the list of conversations with a policy is the same from memory and from the store', async () => {
    const { machine, retention } = await leader()
    const ids: string[] = []
    for (const name of ['a', 'b', 'c', 'd']) ids.push(await chat(machine, name, { maxCount: 9 }))
    const list = async () => {
      const { reader } = machine.machine
      const found = await reader.retainedConversations('', 2)
      return [...found, ...(await reader.retainedConversations(found.at(-1)!, 2))]
    }
    const sorted = ids.toSorted()
    expect(await list()).toEqual(sorted)
    await machine.machine.checkpoint()
    expect(await list()).toEqual(sorted)
    const off = { user: 'alice', msgId: 'off', conv: sorted[1]! }
    await machine.one(2_000, operation(off, { op: 'set', retention: null }))
    expect(await machine.machine.reader.retainedConversations('', 9)).toEqual(
      sorted.filter((id) => id !== sorted[1]),
    )
    await machine.machine.checkpoint()
    expect(await machine.machine.reader.retainedConversations('', 9)).toHaveLength(3)
    retention.close()
  })

  test('[RT5] an erased user leaves stubs in every conversation, his edits and later messages too', async () => {
    const { machine, ticks, proposed, retention } = await leader()
    const conv = await chat(machine, 'one', null)
    const other = await chat(machine, 'two', null)
    await machine.write(
      2_000,
      operation(
        { user: 'alice', msgId: 'add', conv },
        { op: 'add', member: 'bob', role: 'member' },
      ),
      message({ user: 'bob', msgId: 'b1', conv, body: 'bob was here' }),
      message({ user: 'bob', msgId: 'b2', to: 'cy', body: 'and here' }),
      edit({ user: 'alice', msgId: 'e', conv, target: 2, body: 'changed' }),
      erase('alice'),
    )
    await ticks(1)
    await machine.one(3_000, message({ user: 'alice', msgId: 'late', conv }))
    await ticks(3)
    const { reader } = machine.machine
    const bodies = async (id: string, user: string) =>
      (await reader.allEventsAfter(id, 0, 99))!.events
        .filter(({ from, kind }) => from === user && kind <= EventKind.edit)
        .map(({ body, expired }) => [body, expired])
    for (const id of [conv, other]) {
      const own = await bodies(id, 'alice')
      expect(own).toEqual(own.map(() => [null, true]))
    }
    expect(await bodies(conv, 'alice')).toHaveLength(5)
    expect(await bodies(conv, 'bob')).toEqual([[expect.anything(), false]])
    // It ends by itself, for every node.
    expect(await reader.erasingUsers('', 9)).toEqual([])
    const before = proposed.length
    await ticks(3)
    expect(proposed).toHaveLength(before)
    retention.close()
  })

  test('[RT5] edits that nobody sees any more are erased too', async () => {
    const { machine, ticks, proposed, retention } = await leader()
    const conv = await chat(machine, 'one', null)
    const results = await machine.write(
      2_000,
      edit({ user: 'alice', msgId: 'e1', conv, target: 2, body: 'first' }),
      edit({ user: 'alice', msgId: 'e2', conv, target: 2, body: 'second' }),
      recall({ user: 'alice', msgId: 'r', conv, target: 2 }),
      edit({ user: 'alice', msgId: 'e3', conv, target: 3, body: 'third' }),
      remove({ op: 'expire', from: conv, seqs: [3] }),
      erase('alice'),
    )
    await ticks(3)
    const { reader } = machine.machine
    expect(await reader.erasingUsers('', 9)).toEqual([])
    expect(await reader.bodiesAfter(conv, 'alice', 0, 99)).toEqual({ seqs: [], next: null })
    const removed = proposed.flatMap((submission) =>
      'removal' in submission && 'seqs' in submission.removal ? submission.removal.seqs : [],
    )
    const edits = [0, 1, 3].map((at) => results[at]).map((result) => result?.ok && result.seq)
    expect(removed).toEqual(expect.arrayContaining(edits))
    retention.close()
  })

  test('[RT5] a user to be erased is known after a start', async () => {
    const { machine, status, ticks, retention } = await leader()
    status.leads = false
    const conv = await chat(machine, 'one', null)
    await machine.one(2_000, erase('alice'))
    await machine.machine.checkpoint()
    expect(await machine.machine.reader.erasingUsers('', 9)).toEqual(['alice'])
    status.leads = true
    await ticks(4)
    await machine.machine.checkpoint()
    expect(await machine.machine.reader.erasingUsers('', 9)).toEqual([])
    const page = (await machine.machine.reader.eventsAfter(conv, 'alice', 1, 1))!
    expect(page.events[0]).toMatchObject({ expired: true, body: null })
    retention.close()
  })
})
