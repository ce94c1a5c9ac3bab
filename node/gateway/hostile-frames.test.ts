import { describe, expect, it } from 'vitest'
import { fixture } from './testing/fixture.ts'
import { errorOf, messageFrame } from './testing/samples.ts'

describe('what a hostile client sends', () => {
  it('[GW11] answers INTERNAL where a frame makes the node fail, and serves on', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    backend.answer = () => {
      throw new RangeError('out of range')
    }
    client.write(messageFrame(1))
    await clock.settle()
    expect(client.frames.map((frame) => errorOf(frame)?.code)).toEqual(['INTERNAL'])
    client.write({ t: 'ping:R', id: 2 })
    await clock.settle()
    expect(client.last('ping:A')).toMatchObject({ id: 2 })
  })
})
