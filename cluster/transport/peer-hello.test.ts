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
  features: fc.option(
    fc.record({
      version: fc.string({ maxLength: 20 }),
      levels: fc.record({ min: fc.integer({ min: 1 }), max: fc.integer({ min: 1 }) }),
      level: fc.integer({ min: 1 }),
    }),
    { nil: undefined },
  ),
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
        objection(hello, read, {})
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

  test('[PF6] of versions that share none are refused by both, with who is to be upgraded', () => {
    const base = { clusterId: 'c', epoch: 'e' }
    const node = (name: string, most: number | null, level: number, min = 1): PeerHello => ({
      ...{ protocol: { min: 1, max: 2 }, ...base, name, raftId: name.repeat(8) },
      features: most === null ? undefined : { version: '1', levels: { min, max: most }, level },
    })
    const against = (one: PeerHello, other: PeerHello) => {
      const [here, there] = [objection(one, other, {}), objection(other, one, {})]
      expect(here?.code).toBe(there?.code)
      expect(here?.message).toBe(there?.message)
      return here === null ? null : `${here.code} ${here.message}`
    }
    const old = node('n1', null, 1)
    expect(against(old, node('n2', 2, 1))).toBeNull()
    expect(against(node('n1', 1, 1), node('n2', 2, 1))).toBeNull()
    expect(against(node('n1', 3, 2), node('n2', 2, 2))).toBeNull()
    const finalized =
      /VERSION n1 can do feature levels 1–1, .* n2 is at 2: n1 was started with an older/
    expect(against(old, node('n2', 2, 2))).toMatch(finalized)
    expect(against(node('n1', 1, 1), node('n2', 2, 2))).toMatch(finalized)
    // One that lags behind has not heard of the level yet, and can do it.
    expect(against(node('n1', 2, 1), node('n2', 2, 2))).toBeNull()
    expect(against(old, node('n2', 3, 2, 2))).toMatch(/^VERSION/)
    expect(against(node('n1', 2, 1), node('n2', 4, 1, 2))).toMatch(/upgrade in smaller steps/)
    // An empty directory is told so before it is taken in.
    expect(against({ ...old, clusterId: '', epoch: '' }, node('n2', 2, 2))).toMatch(finalized)
    // What it is no part of is the nearer reason.
    expect(objection({ ...old, clusterId: 'd' }, node('n2', 2, 2), {})?.code).toBe('WRONG_CLUSTER')
  })

  test('[PF7] under a name that the connection does not prove are refused', () => {
    const base = { protocol: { min: 1, max: 2 }, clusterId: 'c', epoch: 'e' }
    const [one, other] = ['n1', 'n2'].map((name) => ({ ...base, name, raftId: name.repeat(8) }))
    expect(objection(one!, other!, {})).toBeNull()
    expect(objection(one!, other!, { names: ['n3', 'n2'] })).toBeNull()
    expect(objection(one!, other!, { names: ['n3'] })).toMatchObject({
      code: 'WRONG_NAME',
      message: expect.stringContaining('n2 shows a certificate of n3') as string,
    })
    // Not even of a node that is in no cluster yet: it would hear of the cluster.
    const empty = { ...other!, clusterId: '', epoch: '' }
    expect(objection(one!, empty, { names: [] })?.code).toBe('WRONG_NAME')
  })

  test('[PF7] under the Raft id of a member of another name are refused', () => {
    const base = { protocol: { min: 1, max: 2 }, clusterId: 'c', epoch: 'e' }
    const [one, other] = ['n1', 'n2'].map((name) => ({ ...base, name, raftId: name.repeat(8) }))
    expect(objection(one!, other!, { names: ['n2'] }, 'n2')).toBeNull()
    expect(objection(one!, other!, { names: ['n2'] }, null)).toBeNull()
    for (const connection of [{ names: ['n2'] }, {}]) {
      expect(objection(one!, other!, connection, 'n3')).toMatchObject({
        code: 'WRONG_NAME',
        message: expect.stringContaining('n2 gives the Raft id of n3') as string,
      })
    }
  })

  test('[PF1] a refusal is a text of bounded length, whatever code a later version gives it', () => {
    expect(decodeRefusal(encode({ code: 'LATER', message: 'upgrade' }))).toBe('upgrade')
    for (const value of [null, {}, { message: 7 }, { message: 'x'.repeat(4_097) }]) {
      expect(() => decodeRefusal(encode(value))).toThrow(PeerProtocolError)
    }
  })
})
