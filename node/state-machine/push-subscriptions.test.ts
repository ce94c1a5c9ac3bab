import { describe, expect, test } from 'vitest'
import { StoreDamagedError } from '../store/store.ts'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import { pushKey } from './keys.ts'
import { MAX_SUBSCRIPTIONS, PUSH_BLOCKS } from './push-subscriptions.ts'
import { erase, Machine, message, push, reached, revoke } from './testing.ts'

const WEB = {
  kind: 'web' as const,
  endpoint: 'https://push.example.org/x',
  p256dh: `B${'a'.repeat(86)}`,
  auth: 'b'.repeat(22),
}
const HOOK = { kind: 'webhook' as const, endpoint: 'token' }

/** Ben's phone has a subscription, and ann wrote to him so many times. */
async function opened(directory = new MemoryStoreDirectory(), messages = 0): Promise<Machine> {
  const m = await Machine.open({ directory })
  await m.one(1, push('ben', 'phone', { op: 'subscribe', target: WEB }))
  for (let i = 1; i <= messages; i += 1) {
    await m.one(1 + i, message({ user: 'ann', msgId: `m${i}`, to: 'ben' }))
  }
  return m
}

const of = (m: Machine) => m.machine.reader.pushSubscriptions('ben')
const claim = async (m: Machine, inbox: number) =>
  m.one(50, push('ben', 'phone', { op: 'claim', inbox }))

describe('push subscriptions', () => {
  test('[B9] one claim holds per absence, and none is of a number that was claimed before', async () => {
    const m = await opened(undefined, 2)
    expect(await claim(m, 1)).toMatchObject({ ok: true, seq: 1 })
    expect(await claim(m, 2)).toMatchObject({ ok: true, seq: 1 })
    expect(await claim(m, 1), 'a copy').toMatchObject({ seq: 1 })
    await m.one(51, push('ben', 'phone', { op: 'done', inbox: 1 }))
    expect(await of(m)).toMatchObject([{ told: 1, claim: 'done' }])
    expect(await claim(m, 2)).toMatchObject({ seq: 1 })
    await m.one(52, push('ben', 'phone', { op: 'seen' }))
    expect(await claim(m, 1), 'a copy that comes late').toMatchObject({ seq: 0 })
    expect(await claim(m, 2)).toMatchObject({ seq: 2 })
    expect(await of(m)).toEqual([{ device: 'phone', target: WEB, told: 2, claim: 'claimed' }])
  })

  test('[B9] an ack ends the absence, but not one from before the call', async () => {
    const m = await opened(undefined, 3)
    await claim(m, 2)
    await m.one(51, reached('ben', 'phone', 1))
    expect(await of(m)).toMatchObject([{ claim: 'claimed' }])
    await m.one(52, reached('ben', 'laptop', 3))
    expect(await of(m)).toMatchObject([{ claim: 'claimed' }])
    await m.one(53, reached('ben', 'phone', 2))
    expect(await of(m)).toMatchObject([{ told: 2, claim: 'none' }])
  })

  test('[B9] what a device had when it subscribed calls nobody; a renewal forgets nothing', async () => {
    const m = await opened(undefined, 2)
    await m.one(9, push('ben', 'laptop', { op: 'subscribe', target: HOOK }))
    expect(await of(m)).toMatchObject([{ told: 0 }, { device: 'laptop', target: HOOK, told: 2 }])
    await claim(m, 1)
    await m.one(60, push('ben', 'phone', { op: 'subscribe', target: HOOK }))
    expect(await of(m)).toMatchObject([{ target: HOOK, told: 1, claim: 'claimed' }, {}])
  })

  test('[B9] an endpoint that is gone ends its subscription, never a newer one', async () => {
    const m = await opened()
    await m.one(2, push('ben', 'phone', { op: 'unsubscribe', endpoint: 'another' }))
    expect(await of(m)).toHaveLength(1)
    await m.one(3, push('ben', 'phone', { op: 'unsubscribe', endpoint: WEB.endpoint }))
    expect(await of(m)).toEqual([])
    expect(await claim(m, 1)).toMatchObject({ seq: 0 })
  })

  test('[B9] who lost his tokens or is erased is called no more', async () => {
    const m = await opened()
    await m.one(2, push('ben', 'laptop', { op: 'subscribe', target: HOOK }))
    await m.one(3, revoke('ben', 'phone', 1))
    expect(await of(m)).toMatchObject([{ device: 'laptop' }])
    await m.write(4, revoke('ben', null, 1), push('ben', 'tv', { op: 'subscribe', target: HOOK }))
    expect(await of(m)).toMatchObject([{ device: 'tv' }])
    await m.one(5, erase('ben'))
    expect(await of(m)).toEqual([])
  })

  test('[B9] a user has so many devices, and the oldest goes', async () => {
    const m = await Machine.open()
    const all = Array.from({ length: MAX_SUBSCRIPTIONS + 1 }, (_, i) => `d${i}`)
    await m.write(1, ...all.map((d) => push('ben', d, { op: 'subscribe', target: HOOK })))
    expect((await of(m)).map(({ device }) => device)).toEqual(all.slice(1))
  })

  test('[K5] they outlive a restart; a lost block is damage, not a device called twice', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await opened(directory, 1)
    await claim(m, 1)
    await m.machine.checkpoint()
    await m.machine.close()
    const again = await Machine.open({ directory })
    expect(await of(again)).toEqual([{ device: 'phone', target: WEB, told: 1, claim: 'claimed' }])
    const { users, next } = (await again.machine.reader.pushUsers(0))!
    expect(users).toEqual(['ben'])
    expect(await again.machine.reader.pushUsers(next)).toBeNull()
    await again.machine.close()
    const third = await Machine.open({ directory })
    const absent = Array.from({ length: PUSH_BLOCKS }, (_, block) => ({
      key: pushKey(block),
      value: null,
    }))
    const index = third.machine.appliedIndex + 1
    await directory.store.checkpoint({ index, term: 1, ahead: [], objects: absent })
    await expect(of(third)).rejects.toThrow(StoreDamagedError)
  })
})
