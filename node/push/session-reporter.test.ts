import { expect, test } from 'vitest'
import { FakeState } from '../gateway/testing/fake-state.ts'
import { ManualClock } from '../state-machine/testing.ts'
import { PeerProtocolError } from '#cluster'
import { decodeSessionReport, MAX_REPORTED, type SessionReport } from './session-report.ts'
import { SessionReporter } from './session-reporter.ts'
import { HOOK } from './testing.ts'

function gateway(users: number) {
  const state = new FakeState()
  const clock = new ManualClock()
  const here = new Map<string, string[]>()
  const sent: SessionReport[] = []
  let isUp = true
  const subscribe = (user: string) =>
    state.subscriptions.set(user, [{ device: 'phone', target: HOOK, told: 0, claim: 'none' }])
  for (let i = 0; i < users; i += 1) {
    here.set(`u${i}`, ['phone', 'laptop'])
    subscribe(`u${i}`)
  }
  const reporter = new SessionReporter({
    clock,
    state,
    sessions: () => here,
    hasSession: (user, device) => here.get(user)?.includes(device) ?? false,
    term: () => 3,
    send: (report) => {
      if (isUp) sent.push(report)
      return isUp
    },
  })
  const settle = async () => {
    for (let turn = 0; turn < 30; turn += 1) {
      clock.advance(1)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return {
    reporter,
    state,
    clock,
    here,
    sent,
    settle,
    subscribe,
    up: (now: boolean) => (isUp = now),
  }
}

test('[PU2] a new leader is told all devices with a subscription and a session, then what changes', async () => {
  const { reporter, here, sent, settle } = gateway(MAX_REPORTED + 1)
  reporter.leaderUp()
  await settle()
  expect(sent.map(({ term, part, here: each }) => [term, part, each.length])).toEqual([
    [3, 'first', MAX_REPORTED],
    [3, 'last', 1],
  ])
  expect(sent[0]!.here[0]).toEqual({ user: 'u0', device: 'phone' })
  here.delete('u1')
  reporter.changed('u1', 'phone')
  reporter.changed('u2', 'phone')
  reporter.changed('u2', 'laptop')
  await settle()
  expect(sent.slice(2)).toEqual([
    {
      term: 3,
      part: 'change',
      here: [{ user: 'u2', device: 'phone' }],
      gone: [{ user: 'u1', device: 'phone' }],
    },
  ])
})

test('[PU2] who has nothing to say waits; what did not go out is told again, all of it', async () => {
  const { reporter, state, here, sent, settle, subscribe, clock, up } = gateway(0)
  here.set('ben', ['phone'])
  reporter.leaderUp()
  reporter.changed('ben', 'phone')
  await settle()
  expect(sent).toEqual([])
  subscribe('ben')
  expect(state.hasPushSubscriptions).toBe(true)
  up(false)
  reporter.changed('ben', 'phone')
  await settle()
  up(true)
  clock.advance(1_000)
  await settle()
  expect(sent).toMatchObject([{ part: 'only', here: [{ user: 'ben', device: 'phone' }] }])
})

test('[PU2] a report of another form ends the connection', () => {
  const good = { term: 1, part: 'only', here: [{ user: 'a', device: 'd' }], gone: [] }
  const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))
  expect(decodeSessionReport(bytes(good))).toEqual(good)
  for (const bad of [
    { ...good, term: 0 },
    { ...good, part: 'all' },
    { ...good, here: Array(MAX_REPORTED + 1).fill(good.here[0]) },
    { ...good, gone: [{ user: 'a' }] },
    { ...good, gone: [{ user: 'a'.repeat(129), device: 'd' }] },
  ]) {
    expect(() => decodeSessionReport(bytes(bad))).toThrow(PeerProtocolError)
  }
})
