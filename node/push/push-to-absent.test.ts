import { describe, expect, test } from 'vitest'
import { push, reached } from '../state-machine/testing.ts'
import { FakeProvider, HOOK, Leader } from './testing.ts'

const claims = async ({ m }: Leader) =>
  (await m.machine.reader.pushSubscriptions('ben')).map(({ told, claim }) => [told, claim])

describe('the leader calls devices that are away', () => {
  test('[M-15] [PU1] once per absence, for a message of somebody else', async () => {
    const leader = await Leader.open()
    const { provider } = leader
    await leader.say('ann', 'ben')
    expect(provider.calls).toMatchObject([
      { user: 'ben', device: 'phone', target: HOOK, inbox: 1, position: { seq: 1 } },
    ])
    expect(provider.calls[0]!.key).toMatch(/^[\w-]{32}$/)
    expect(await claims(leader)).toEqual([[1, 'done']])
    for (let i = 0; i < 3; i += 1) await leader.say('ann', 'ben')
    await leader.pass(60_000)
    expect(provider.calls).toHaveLength(1)
  })

  test('[PU1] what a user says himself calls none of his devices', async () => {
    const leader = await Leader.open()
    await leader.say('ben', 'ann')
    await leader.pass(5_000)
    expect(leader.provider.calls).toEqual([])
  })

  test('[PU2] a device that is there is not called; it is once it left without the message', async () => {
    const leader = await Leader.open()
    leader.here('ben', 'phone')
    await leader.say('ann', 'ben')
    await leader.pass(30_000)
    expect(leader.provider.calls).toEqual([])
    leader.gone('ben', 'phone')
    await leader.pass(1_000)
    expect(leader.provider.calls, 'it may be back at once').toEqual([])
    await leader.pass(2_000)
    expect(leader.provider.calls).toHaveLength(1)
  })

  test('[PU2] it is not called for what it acknowledged', async () => {
    const leader = await Leader.open()
    leader.here('ben', 'phone')
    await leader.say('ann', 'ben')
    await leader.write(reached('ben', 'phone', 1))
    leader.gone('ben', 'phone')
    await leader.pass(30_000)
    expect(leader.provider.calls).toEqual([])
  })

  test('[PU1] the next absence is called again, under another key, for what is new', async () => {
    const leader = await Leader.open()
    const { provider } = leader
    await leader.say('ann', 'ben')
    leader.here('ben', 'phone')
    await leader.pass(500)
    expect(await claims(leader)).toEqual([[1, 'none']])
    leader.gone('ben', 'phone')
    await leader.pass(10_000)
    expect(provider.calls, 'nothing new').toHaveLength(1)
    await leader.say('ann', 'ben')
    await leader.pass(500)
    expect(provider.calls.map(({ inbox }) => inbox)).toEqual([1, 2])
    expect(provider.calls[0]!.key).not.toBe(provider.calls[1]!.key)
  })

  test('[M-15] [PU3] a new leader waits for every gateway, 10 s at most, and repeats what has no end', async () => {
    const first = await Leader.open()
    first.provider.slow = new Promise(() => {})
    await first.say('ann', 'ben')
    first.push.close()
    const second = new Leader(first.m, new FakeProvider())
    second.term = 2
    second.up = ['n2', 'n3']
    await second.pass(500)
    second.report('n1', { part: 'only' })
    second.report('n2', { part: 'first' })
    second.report('n2', { part: 'last' })
    await second.pass(2_000)
    expect(second.provider.calls, 'n3 has said nothing').toEqual([])
    second.report('n3', { part: 'only' })
    await second.pass(500)
    expect(second.provider.calls.map(({ key }) => key)).toEqual([first.provider.calls[0]!.key])
    expect(await claims(second)).toEqual([[1, 'done']])

    const third = new Leader(first.m, new FakeProvider())
    third.term = 3
    third.up = ['n2']
    await third.say('ann', 'ben')
    await third.write(push('ben', 'phone', { op: 'seen' }))
    await third.pass(9_000)
    expect(third.provider.calls).toEqual([])
    await third.pass(4_000)
    expect(third.provider.calls).toHaveLength(1)
  })

  test('[PU3] what came while nobody led is found', async () => {
    const leader = await Leader.open()
    leader.term = null
    await leader.pass(500)
    await leader.say('ann', 'ben')
    await leader.pass(5_000)
    expect(leader.provider.calls).toEqual([])
    leader.term = 7
    await leader.pass(250)
    leader.report('n1', { part: 'only' })
    await leader.pass(500)
    expect(leader.provider.calls).toHaveLength(1)
  })

  test('[PU4] a failed call comes again under its key, an endpoint that is gone never', async () => {
    const leader = await Leader.open()
    const { provider } = leader
    provider.outcomes = [
      { is: 'failed', why: 'down', retryAfterMs: 0 },
      { is: 'failed', why: 'down', retryAfterMs: 30_000 },
      { is: 'gone' },
    ]
    await leader.say('ann', 'ben')
    await leader.pass(1_500)
    expect(provider.calls).toHaveLength(2)
    await leader.pass(20_000)
    expect(provider.calls).toHaveLength(2)
    await leader.pass(15_000)
    expect(new Set(provider.calls.map(({ key }) => key)).size).toBe(1)
    expect(provider.calls).toHaveLength(3)
    expect(await claims(leader)).toEqual([])
  })

  test('[PU4] a device that comes back is not called any more, whatever failed before', async () => {
    const leader = await Leader.open()
    leader.provider.outcomes = [{ is: 'failed', why: 'down', retryAfterMs: 0 }]
    await leader.say('ann', 'ben')
    leader.here('ben', 'phone')
    await leader.pass(250)
    leader.gone('ben', 'phone')
    await leader.pass(60_000)
    expect(leader.provider.calls).toHaveLength(1)
    expect(await claims(leader)).toEqual([[1, 'none']])
  })

  test('[PU4] an end that the log did not take is proposed again, and the call not repeated', async () => {
    const leader = await Leader.open()
    let answer = () => {}
    leader.provider.slow = new Promise((resolve) => (answer = resolve))
    await leader.say('ann', 'ben')
    leader.failing = 'NO_LEADER'
    answer()
    await leader.pass(5_000)
    expect(await claims(leader)).toEqual([[1, 'claimed']])
    leader.failing = null
    await leader.pass(5_000)
    expect(await claims(leader)).toEqual([[1, 'done']])
    expect(leader.provider.calls).toHaveLength(1)
  })

  test('[PU2] clients of a gateway that is gone get time to come to another one', async () => {
    const leader = await Leader.open()
    leader.up = ['n2']
    leader.report('n2', { part: 'only', here: [{ user: 'ben', device: 'phone' }] })
    await leader.pass(500)
    leader.up = []
    await leader.say('ann', 'ben')
    await leader.pass(15_000)
    expect(leader.provider.calls).toEqual([])
    leader.here('ben', 'phone')
    await leader.pass(30_000)
    expect(leader.provider.calls).toEqual([])
  })
})
