import fc from 'fast-check'
import { pack } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { decodeFrames } from './codec.ts'
import { ProtocolError } from './protocol-error.ts'
import { salvageFrame } from './salvage.ts'

const PING = { t: 'ping:R', id: 'after' }
const decode = (data: Uint8Array) => decodeFrames(data, 'parley.v1.msgpack', 'toServer')
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)])

describe('[WP5] a frame with something unreadable inside', () => {
  const bodies: readonly [string, unknown][] = [
    ['an extension', new Date(0)],
    ['undefined', undefined],
    ['a value that is nested too deep', deep(65)],
    ['one that is nested far too deep', deep(500)],
    ['a key that is no string', new Map([[1, 2]])],
  ]
  test.each(bodies)('%s: is refused under its id, and the frames behind it are read', (_, body) => {
    const data = Buffer.concat([
      Buffer.from([0x92]),
      pack({ t: 'msg:R', conv: 'c', msgId: 'm', body, id: 7 }),
      pack(PING),
    ])
    const [refused, ping] = decode(data)
    expect(refused).toBeInstanceOf(ProtocolError)
    expect(refused).toMatchObject({ code: 'INVALID_MESSAGE', id: 7, frameType: 'msg:R' })
    expect(ping).toMatchObject(PING)
  })

  test('cut short, nothing can be said of it', () => {
    const data = pack({ t: 'msg:R', conv: 'c', msgId: 'm', id: 7, body: new Date(0) })
    for (let length = 1; length < data.length; length++) {
      const [refused] = decode(data.subarray(0, length))
      expect(refused).toMatchObject({ id: null, code: 'INVALID_MESSAGE' })
    }
  })

  test('an id that is none stays null', () => {
    for (const id of [-1, 1.5, '', [1], { a: 1 }, new Date(0), null]) {
      const [refused] = decode(pack({ t: 'ping:R', id, inbox: new Date(0) }))
      expect(refused).toMatchObject({ id: null })
    }
  })
})

test('[WP4] salvaging finds the end of every value and survives every byte', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.uint8Array({ maxLength: 50 }), (value, rest) => {
      const data = pack({ t: 'x:R', id: 3, value })
      const both = Buffer.concat([data, rest])
      expect(salvageFrame(both, 0)).toEqual({ end: data.length, id: 3, frameType: 'x:R' })
      const end = salvageFrame(rest, 0)?.end ?? 0
      expect(end).toBeLessThanOrEqual(rest.length)
    }),
    { numRuns: 500 },
  )
})
