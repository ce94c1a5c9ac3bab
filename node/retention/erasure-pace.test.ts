import { expect, test } from 'vitest'
import { groupConversationId } from '../state-machine/conversation-id.ts'
import { type Command, CommandKind, type Submission } from '../state-machine/commands.ts'
import { create, Machine, message, remove } from '../state-machine/testing.ts'
import { ErasurePace } from './erasure-pace.ts'

const WINDOW_MS = 60_000
const conv = groupConversationId('alice', 'g')

/** A node over a machine that applies what it asks for; log time follows the clock if it leads. */
async function node(leads: boolean, savesSpace = false) {
  const m = await Machine.open({
    settings: { windowMs: WINDOW_MS },
    limits: { hotBytes: 0, chunkBytes: 400 },
  })
  const { clock, machine } = m
  machine.saveSpace(savesSpace)
  const asked: Submission[] = []
  const pace = new ErasurePace({
    clock,
    now: () => (leads ? clock.monotonicMs() : 0),
    needsEntry: (logTime) => machine.erasureNeedsEntry(logTime),
    savesSpace: () => machine.savesSpace,
    submit: (submission) => {
      asked.push(submission)
      void m.one(clock.monotonicMs(), { ...submission, origin: 1, request: 1 } as Command)
    },
    onError: (error) => {
      throw error
    },
  })
  /** Nothing happens but time. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1_000) {
      clock.advance(Math.min(left, 1_000))
      for (let turn = 0; turn < 100; turn += 1) await Promise.resolve()
    }
  }
  return { m, asked, pace, pass }
}

/** Bodies that the store holds. */
async function secrets({ directory }: Machine): Promise<number> {
  let text = ''
  for await (const { value } of directory.store!.range(Buffer.from([1]), Buffer.from([255]))) {
    text += Buffer.from(value).toString('latin1')
  }
  return [...text.matchAll(/secret \d+\./g)].length
}

async function said(m: Machine, count: number): Promise<void> {
  await m.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
  for (let n = 0; n < count; n += 1) {
    await m.one(2, message({ user: 'alice', msgId: `m${n}`, conv, body: `secret ${n}.` }))
  }
}

test('[RT6] erased text leaves the store of an idle node within a minute of the window’s end', async () => {
  const { m, asked, pace, pass } = await node(true)
  await said(m, 20)
  await m.one(3, remove({ op: 'truncate', from: conv, upTo: 15 }))
  await pass(WINDOW_MS - 5_000)
  expect(asked).toEqual([])
  expect(await secrets(m)).toBe(20)
  await pass(60_000)
  expect(await secrets(m)).toBe(6)
  expect(asked.every(({ kind }) => kind === CommandKind.cursors)).toBe(true)
  // Then it is quiet again.
  const before = asked.length
  await pass(5 * WINDOW_MS)
  expect(asked).toHaveLength(before)
  pace.close()
  await m.machine.close()
})

test('[RT6] [D7] on a disk that is nearly full it is gone ten seconds after the window’s end', async () => {
  const { m, pace, pass } = await node(true, true)
  await said(m, 20)
  await m.one(3, remove({ op: 'truncate', from: conv, upTo: 15 }))
  // Until then no cut is any use.
  await pass(20_000)
  expect(m.machine.statistics.checkpointIndex).toBe(0)
  await pass(WINDOW_MS - 25_000)
  expect(await secrets(m)).toBe(20)
  await pass(15_000)
  expect(await secrets(m)).toBe(6)
  pace.close()
  await m.machine.close()
})

test('[RT6] a disk that gets short of room later does not wait for what a roomy one waits for', async () => {
  const { m, pace, pass } = await node(true)
  await said(m, 20)
  await m.one(3, remove({ op: 'truncate', from: conv, upTo: 15 }))
  await pass(WINDOW_MS - 5_000)
  const { checkpointIndex } = m.machine.statistics
  expect(checkpointIndex).toBeGreaterThan(0)
  await pass(10_000)
  expect(m.machine.statistics.checkpointIndex).toBe(checkpointIndex)
  m.machine.saveSpace(true)
  await pass(2_000)
  expect(m.machine.statistics.checkpointIndex).toBeGreaterThan(checkpointIndex)
  pace.close()
  await m.machine.close()
})

test('[RT6] who does not lead asks for what is due by the log, and for no time', async () => {
  const { m, asked, pass } = await node(false)
  await said(m, 20)
  await m.one(3, remove({ op: 'truncate', from: conv, upTo: 15 }))
  await pass(4 * WINDOW_MS)
  expect(asked).toEqual([])
  // An entry of the leader's tells the time.
  await m.one(2 * WINDOW_MS, message({ user: 'eve', msgId: 'e', to: 'eve' }))
  await pass(60_000)
  expect(await secrets(m)).toBe(6)
  expect(asked.length).toBeGreaterThan(0)
  expect(asked.length).toBeLessThan(12)
})
