// What the SDK does about each error, by the closed list of codes.
import { beforeEach, describe, expect, test } from 'vitest'
import { ChatError } from './errors.ts'
import { ERROR_CODES, type ErrorCode } from './protocol/error-codes.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import { Harness } from './testing/harness.ts'

let harness: Harness
let cluster: FakeCluster
beforeEach(() => {
  harness = new Harness()
  cluster = harness.cluster
  cluster.group('team', 'alice')
})

/** Sends a message whose first `refusals` copies are refused; when each copy came. */
async function send(code: ErrorCode, refusals: number, retryAfterMs?: number) {
  const chat = await harness.connect('alice')
  const times: number[] = []
  cluster.fault = (frame) => {
    if (frame.t !== 'msg:R') return null
    times.push(harness.clock.monotonicMs())
    return times.length <= refusals ? FakeCluster.error(code, retryAfterMs) : null
  }
  const message = chat.conversation('team').send('hi')
  await harness.clock.advance(60_000)
  chat.close()
  return { message, delays: times.slice(1).map((ms, n) => ms - times[n]!), sends: times.length }
}

const CODES = Object.entries(ERROR_CODES) as [ErrorCode, { retryable: boolean; category: string }][]
const final = CODES.filter(([code, { retryable }]) => !retryable && code !== 'WINDOW_EXPIRED')
const passing = CODES.filter(([, { retryable }]) => retryable)

describe('the table of errors', () => {
  test.each(final)('[M-45] [ER1] %s is final: one attempt, and no retry', async (code) => {
    const { message, sends } = await send(code, Infinity)
    expect([sends, message.status]).toEqual([1, 'failed'])
    expect(message.error).toMatchObject({ code, retryable: false, outcome: 'notApplied' })
    expect(() => message.retry()).toThrow(ChatError)
  })

  test.each([
    'INVALID_MESSAGE',
    'USER_BLOCKED',
    'GROUP_NOT_FOUND',
    'AUTHENTICATION_FAILED',
  ] as const)('[M-44] [ER1] %s: one attempt', async (code) => {
    const { message, sends } = await send(code, Infinity)
    expect([sends, message.error?.code]).toEqual([1, code])
  })

  test.each(passing)(
    '[M-45] [ER2] %s passes: again with backoff, under the same id',
    async (code) => {
      const { message, delays, sends } = await send(code, 3)
      expect([sends, message.status]).toEqual([4, 'sent'])
      expect(cluster.bodies('team')).toEqual([message.msgId])
      // OUT_OF_ORDER asks for what comes before, which is there at once.
      const nominal = code === 'OUT_OF_ORDER' ? [0, 1000, 2000] : [500, 1000, 2000]
      for (const [n, delay] of nominal.entries()) {
        expect(delays[n]).toBeGreaterThanOrEqual(delay * 0.7)
        expect(delays[n]).toBeLessThanOrEqual(delay * 1.3 + 10)
      }
    },
  )

  test.each(passing)('[M-45] [ER3] %s with retryAfterMs: not before that', async (code) => {
    const { delays, sends } = await send(code, 2, 3456)
    expect(sends).toBe(3)
    for (const delay of delays) {
      expect(delay).toBeGreaterThanOrEqual(3456)
      expect(delay).toBeLessThanOrEqual(3456 + 10)
    }
  })

  test('[M-45] [ER4] a network that fails: again at once elsewhere, and never a failure', async () => {
    const chat = await harness.connect('alice')
    let sends = 0
    cluster.fault = (frame) => (frame.t === 'msg:R' && sends++ < 30 ? 'close' : null)
    const message = chat.conversation('team').send('hi')
    await harness.within(600_000, message.sent)
    expect(sends).toBe(31)
    chat.close()
  })
})
