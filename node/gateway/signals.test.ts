import { describe, expect, it } from 'vitest'
import { fixture } from './testing/fixture.ts'
import { BODY } from './testing/samples.ts'

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
})
