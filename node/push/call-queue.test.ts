import { expect, test } from 'vitest'
import { fixedRandom, ManualClock } from '../state-machine/testing.ts'
import { CallQueue, MAX_CALLS, RETRY_MS } from './call-queue.ts'
import type { PushCall, PushOutcome } from './push-provider.ts'
import { FakeProvider, HOOK } from './testing.ts'

const callOf = (key: string): PushCall => {
  return { user: 'ben', device: 'phone', target: HOOK, inbox: 1, key, position: null }
}
const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

function queue() {
  const clock = new ManualClock()
  const ended: [string, PushOutcome['is']][] = []
  const allowed = { now: true }
  const calls = new CallQueue({
    clock,
    random: fixedRandom,
    mayCall: () => allowed.now,
    ended: ({ key }, { is }) => ended.push([key, is]),
  })
  return { clock, ended, allowed, calls, provider: new FakeProvider() }
}

test('[PU4] what fails is tried again after ever longer, then given up, told once', async () => {
  const { clock, ended, calls, provider } = queue()
  const failed = { is: 'failed' as const, why: 'down', retryAfterMs: 0 }
  provider.outcomes = Array.from({ length: 20 }, () => failed)
  calls.add(callOf('k'), provider)
  await settle()
  for (const [at, waitMs] of RETRY_MS.entries()) {
    expect(provider.calls).toHaveLength(at + 1)
    clock.advance(0.8 * waitMs - 1)
    await settle()
    expect(provider.calls, 'not so soon').toHaveLength(at + 1)
    clock.advance(0.4 * waitMs + 1)
    await settle()
  }
  expect(provider.calls).toHaveLength(RETRY_MS.length + 1)
  expect(ended).toEqual([['k', 'failed']])
  expect(calls.size).toBe(0)
})

test('[PU4] a call is held once, so many are, and a few run at one time', async () => {
  const { ended, calls, provider } = queue()
  let answer = () => {}
  provider.slow = new Promise((resolve) => (answer = resolve))
  for (let i = 0; i < MAX_CALLS; i += 1) expect(calls.add(callOf(`k${i}`), provider)).toBe(true)
  expect(calls.add(callOf('k0'), provider), 'held already').toBe(true)
  expect(calls.add(callOf('more'), provider)).toBe(false)
  await settle()
  expect(provider.calls).toHaveLength(32)
  calls.drop('k0')
  calls.drop('k9999')
  expect(calls.size).toBe(MAX_CALLS - 1)
  calls.clear()
  answer()
  await settle()
  expect(ended).toHaveLength(32)
  expect(provider.calls).toHaveLength(32)
})

test('[PU4] what need not be called any more is forgotten', async () => {
  const { ended, allowed, calls, provider } = queue()
  allowed.now = false
  calls.add(callOf('k'), provider)
  await settle()
  expect([calls.size, ended, provider.calls]).toEqual([0, [], []])
})
