import { describe, expect, it } from 'vitest'
import { wireError } from '#protocol'
import { directConversationId } from '../state-machine/conversation-id.ts'
import { fixture } from './testing/fixture.ts'
import { BODY, errorOf, view } from './testing/samples.ts'

describe('signals', () => {
  it('[SG3] a signal is taken, and goes out with the session that counts it', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    client.write({
      t: 'signal:R',
      id: 1,
      to: 'bob',
      name: 'typing',
      body: BODY,
      n: 5,
      ttlMs: 60_000,
    })
    await clock.settle()
    expect(client.frames).toEqual([expect.objectContaining({ t: 'signal:A', id: 1 })])
    expect(backend.published).toEqual([
      expect.objectContaining({ to: 'bob', from: 'alice', device: 'd1', n: 5, ttlMs: 10_000 }),
    ])
    expect(backend.submissions).toHaveLength(0)
  })

  it('[SG5] [GW27] is refused only after everything acknowledged was applied', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    const say = (id: number, conv: string) =>
      client.write({ t: 'signal:R', id, conv, name: 'typing', body: BODY, n: id })
    backend.readIndexAnswer = { index: 12 }
    backend.state.conversations.set('c2', view('c2', 'bob'))
    say(1, 'c1')
    say(2, 'c2')
    say(3, 'c3')
    await clock.settle()
    expect(client.frames).toEqual([])
    backend.state.conversations.set('c1', view('c1', 'alice'))
    backend.apply(12)
    await clock.settle()
    expect(backend.published).toEqual([expect.objectContaining({ conv: 'c1', n: 1 })])
    expect(client.frames).toMatchObject([
      { t: 'signal:A', id: 1 },
      { id: 2, error: { code: 'NOT_MEMBER' } },
      { id: 3, error: { code: 'GROUP_NOT_FOUND' } },
    ])
    backend.readIndexAnswer = { error: wireError('NO_LEADER', 'nobody leads') }
    say(4, 'c2')
    await clock.settle()
    expect(client.last('signal:A')).toMatchObject({ id: 4, error: { code: 'NO_LEADER' } })
  })

  it('[SG5] a session sends so many signals a second', async () => {
    const { clock, open, backend } = fixture({ signalsPerSecond: 2 })
    const client = await open()
    for (const id of [1, 2, 3]) {
      client.write({ t: 'signal:R', id, to: 'bob', name: 'typing', body: BODY, n: id })
    }
    await clock.settle()
    expect(backend.published).toHaveLength(2)
    expect(client.last('signal:A')).toMatchObject({ id: 2 })
    expect(client.frames.filter((frame) => 'error' in frame)).toEqual([
      expect.objectContaining({
        id: 3,
        error: expect.objectContaining({ code: 'RATE_LIMITED', retryAfterMs: 500 }),
      }),
    ])
  })

  it('[SG5] who is blocked does not signal, by the name of the other side or of the conversation', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    const id = directConversationId('alice', 'bob')
    const members = ['alice', 'bob'].map((user) => {
      return { user, role: 'member' as const, blocks: user === 'bob' }
    })
    backend.state.conversations.set(id, { ...view(id), kind: 'direct', members })
    for (const where of [{ to: 'bob' }, { conv: id }]) {
      client.write({ t: 'signal:R', id: 1, ...where, name: 'typing', body: BODY, n: 1 })
    }
    await clock.settle()
    expect(client.frames.map((frame) => errorOf(frame).code)).toEqual([
      'USER_BLOCKED',
      'USER_BLOCKED',
    ])
    expect(backend.published).toEqual([])
  })
})
