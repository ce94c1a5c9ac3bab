import { describe, expect, test } from 'vitest'
import { type WireError, wireError } from '#protocol'
import type { Submission } from '../gateway/backend.ts'
import { FakeBackend } from '../gateway/testing/fake-backend.ts'
import { ManualClock } from '../gateway/testing/manual-clock.ts'
import { CommandKind } from '../state-machine/commands.ts'
import { type Ack, ReceiptCollector } from './receipt-collector.ts'

const DONE = {
  ok: true,
  ...{ conv: '', msgId: '', seq: 0, ord: 0, at: 0, inbox: null, duplicate: false, now: 1 },
} as const
const ben = { user: 'ben', device: 'phone' }
const delivered = (upTo: number, conv = 'c'): Ack => ({ conv, kind: 'delivered', upTo })
const read = (upTo: number, conv = 'c'): Ack => ({ conv, kind: 'read', upTo })

function setUp() {
  const clock = new ManualClock()
  const backend = new FakeBackend()
  const collector = new ReceiptCollector(clock, (submission, done) =>
    backend.submit(submission, done),
  )
  const answers: (WireError | null)[] = []
  const add = (acks: Ack[], from = ben, inbox: number | null = null) =>
    collector.add(from, acks, inbox, (error) => answers.push(error))
  return { clock, backend, collector, answers, add }
}

/** `device kind upTo` by conversation. */
function cursorsOf(submission: Submission): Record<string, string[]> {
  if (submission.kind !== CommandKind.cursors) throw new Error('no cursors')
  return Object.fromEntries(
    submission.conversations.map(({ conv, acks }) => [
      conv,
      acks.map(({ device, kind, upTo }) => `${device} ${kind} ${upTo}`),
    ]),
  )
}

describe('collecting acks', () => {
  test('[NR1] the first goes out at once, those of the next 100 ms in one entry', async () => {
    const { clock, backend, answers, add } = setUp()
    add([delivered(1)])
    await clock.settle()
    expect(backend.submissions).toHaveLength(1)
    for (let n = 2; n <= 50; n += 1) {
      add([delivered(n)])
      add([delivered(n)], { user: 'ben', device: 'laptop' })
    }
    await clock.advance(99)
    expect(backend.submissions).toHaveLength(1)
    await clock.advance(1)
    expect(backend.submissions).toHaveLength(2)
    expect(cursorsOf(backend.submissions[1]!.submission)).toEqual({
      c: ['phone delivered 50', 'laptop delivered 50'],
    })
    expect(answers).toEqual([])
    backend.submissions[1]!.done(DONE)
    expect(answers).toEqual(Array(98).fill(null))
    backend.submissions[0]!.done(DONE)
    expect(answers).toHaveLength(99)
    await clock.advance(1_000)
    expect(backend.submissions).toHaveLength(2)
    add([delivered(51)])
    await clock.settle()
    expect(backend.submissions).toHaveLength(3)
  })

  test('[NR1] of a device, conversation and kind the highest counts; read covers delivered', async () => {
    const { clock, backend, add } = setUp()
    add([delivered(4), read(3), delivered(2), delivered(9, 'd'), read(0, 'e')])
    add([read(7), delivered(6), read(5), delivered(12, 'd')], ben, 4)
    add([], ben, 3)
    await clock.settle()
    const { submission } = backend.submissions[0]!
    expect(cursorsOf(submission)).toEqual({ c: ['phone read 7'], d: ['phone delivered 12'] })
    expect(submission).toMatchObject({ inboxes: [{ ...ben, inbox: 4 }] })
  })

  test('[NR1] what says nothing is answered without an entry', async () => {
    const { clock, backend, answers, add } = setUp()
    add([])
    add([delivered(0)])
    await clock.settle()
    expect(answers).toEqual([null, null])
    expect(backend.submissions).toEqual([])
  })

  test('[NR1] a full entry does not wait; a failure is passed on to all that wait', async () => {
    const { clock, backend, answers, add } = setUp()
    add([delivered(1)])
    await clock.settle()
    for (let n = 0; n < 1_000; n += 1) add([delivered(1, `c${n}`)])
    expect(backend.submissions).toHaveLength(2)
    backend.submissions[1]!.done({ error: wireError('OUTCOME_UNKNOWN', 'who knows') })
    expect(answers).toHaveLength(1_000)
    expect(new Set(answers.map((error) => error?.code))).toEqual(new Set(['OUTCOME_UNKNOWN']))
  })

  test('[NR1] more than may wait is refused for now, and taken again once they were answered', async () => {
    const { backend, answers, add, collector } = setUp()
    const thousand = Array.from({ length: 1_000 }, (_, n) => delivered(1, `c${n}`))
    for (let n = 0; n < 100; n += 1) add(thousand)
    expect(answers).toEqual([])
    add([delivered(1)])
    expect(answers.map((error) => [error?.code, error?.retryable])).toEqual([['OVERLOADED', true]])
    for (const { done } of backend.submissions) done(DONE)
    add([delivered(1)])
    expect(answers).toHaveLength(101)
    collector.close()
    expect(answers.at(-1)?.code).toBe('DRAINING')
  })
})
