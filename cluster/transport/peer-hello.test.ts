import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { outcomeOf } from '../testing/decoding.ts'
import { PeerProtocolError } from './peer-frame.ts'
import { decodeHello, decodeRefusal, objection, type PeerHello } from './peer-hello.ts'

const digits = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((all) => Buffer.from(all).toString('hex'))
const hellos: fc.Arbitrary<PeerHello> = fc.record({
  protocol: fc.record({ min: fc.nat(), max: fc.nat() }),
  clusterId: fc.oneof(fc.constant(''), digits(16)),
  epoch: fc.oneof(fc.constant(''), digits(8)),
  raftId: digits(8),
  name: fc.string({ unit: 'grapheme', maxLength: 20 }),
})
const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

describe('introductions', () => {
  test('[PF3] come as they were made, and of changed bytes as another one or not at all', () => {
    fc.assert(
      fc.property(hellos, fc.nat(), fc.nat(255), (hello, at, value) => {
        const bytes = encode(hello)
        expect(decodeHello(bytes)).toEqual(hello)
        bytes[at % bytes.length] = value
        const read = outcomeOf(() => decodeHello(bytes), PeerProtocolError)
        if (read === null) return
        expect(decodeHello(encode(read))).toEqual(read)
        objection(hello, read)
      }),
      { numRuns: 1_000 },
    )
  })

  test('[PF1] of a wrong shape are refused, with the field that is wrong', () => {
    const [hello] = fc.sample(hellos, { numRuns: 1, seed: 1 }) as [PeerHello]
    const wrong: [object, string][] = [
      [{ protocol: null }, 'protocol must be an object'],
      [{ protocol: { min: 1 } }, 'protocol.max must be an integer'],
      [{ clusterId: 7 }, 'clusterId must be a string'],
      [{ raftId: 'A'.repeat(16) }, 'raftId must be 16 hexadecimal digits'],
      [{ name: 'n'.repeat(256) }, 'name must be a string of at most 255'],
    ]
    for (const [change, error] of wrong) {
      expect(() => decodeHello(encode({ ...hello, ...change }))).toThrow(error)
    }
  })

  test('[PF1] a refusal is a text of bounded length, whatever code a later version gives it', () => {
    expect(decodeRefusal(encode({ code: 'LATER', message: 'upgrade' }))).toBe('upgrade')
    for (const value of [null, {}, { message: 7 }, { message: 'x'.repeat(4_097) }]) {
      expect(() => decodeRefusal(encode(value))).toThrow(PeerProtocolError)
    }
  })
})
