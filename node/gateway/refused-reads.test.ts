import { describe, expect, it } from 'vitest'
import { type RequestFrame, wireError } from '#protocol'
import { fixture } from './testing/fixture.ts'
import { errorOf, event, view } from './testing/samples.ts'

const READS: readonly RequestFrame[] = [
  { t: 'pull:R', id: 1, conv: 'c1', after: 0, limit: 10 },
  { t: 'pull:R', id: 1, conv: 'c1', before: 99, limit: 10 },
  { t: 'conv:R', id: 1, op: 'get', conv: 'c1' },
]

describe.each(READS)('$t $op $after', (read) => {
  it('[GW27] is refused for good only after everything acknowledged was applied', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    backend.readIndexAnswer = { index: 12 }
    client.write(read)
    await clock.settle()
    expect(client.frames).toEqual([])
    backend.apply(12)
    await clock.settle()
    expect(errorOf(client.frames[0]!)).toMatchObject({ code: 'GROUP_NOT_FOUND' })
  })

  it('[GW27] finds what this node did not know when it was asked', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    backend.readIndexAnswer = { index: 12 }
    client.write(read)
    await clock.settle()
    backend.state.conversations.set('c1', view('c1', 'alice'))
    backend.state.events.set('c1', [event(1)])
    backend.apply(12)
    await clock.settle()
    expect(client.frames).toHaveLength(1)
    expect(client.frames[0]).not.toHaveProperty('error')
  })

  it('[GW27] without a leader a node that does not know says so, retryably', async () => {
    const { clock, open, backend } = fixture()
    backend.readIndexAnswer = { error: wireError('NO_LEADER', 'nobody leads') }
    const client = await open()
    client.write(read)
    await clock.settle()
    expect(errorOf(client.frames[0]!)).toMatchObject({ code: 'NO_LEADER', retryable: true })
  })

  it('[GW27] tells a stranger nothing but that', async () => {
    const { clock, open, backend } = fixture()
    backend.state.conversations.set('c1', view('c1', 'bob'))
    backend.state.events.set('c1', [])
    backend.state.gap = { from: 1, to: 7, reason: 'membership' }
    backend.state.strangers.add('alice')
    const client = await open()
    client.write(read)
    await clock.settle()
    expect(client.frames).toHaveLength(1)
    expect(errorOf(client.frames[0]!)).toMatchObject({ code: 'NOT_MEMBER' })
    expect(Object.keys(client.frames[0]!).sort()).toEqual(['error', 'id', 't'])
  })
})
