import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allocatedIn, outcomeOf } from '../testing/decoding.ts'
import { FRAME_HEADER_BYTES, PeerProtocolError } from '../transport/peer-frame.ts'
import {
  decodeAck,
  decodeChunk,
  decodeOffer,
  encodeChunk,
  type SnapshotAck,
  type SnapshotChunk,
  type SnapshotOffer,
} from './snapshot-frames.ts'

const member = (digit: string) => ({
  id: digit.repeat(16),
  name: `n${digit}`,
  peerAddress: `n${digit}:1`,
  clientUrl: `http://n${digit}`,
})
const configuration = { voters: [member('1'), member('2')], outgoing: [], learners: [member('3')] }
const offers: fc.Arbitrary<SnapshotOffer> = fc
  .record({ id: fc.maxSafeNat(), index: fc.integer({ min: 1 }), term: fc.nat(), later: fc.nat() })
  .map(({ id, index, term, later }) => {
    const meta = { index, term: term + 1, configuration }
    return { id, term: term + 1 + later, meta }
  })
const acks: fc.Arbitrary<SnapshotAck> = fc.record({
  id: fc.maxSafeNat(),
  offset: fc.maxSafeNat(),
  state: fc.constantFrom('more', 'done', 'failed'),
})
const chunks: fc.Arbitrary<SnapshotChunk> = fc.record({
  id: fc.maxSafeNat(),
  offset: fc.maxSafeNat(),
  last: fc.boolean(),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }),
})

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const bodyOf = (chunk: SnapshotChunk): Uint8Array => encodeChunk(chunk).subarray(FRAME_HEADER_BYTES)
const change = { at: fc.nat(), value: fc.nat(255) }

describe('frames of a snapshot', () => {
  test('[PF3] offers and acknowledgements come as they were made, or changed as others or not at all', () => {
    const cases = fc.oneof(
      offers.map((value) => ({ value, decode: decodeOffer as (body: Uint8Array) => unknown })),
      acks.map((value) => ({ value, decode: decodeAck as (body: Uint8Array) => unknown })),
    )
    fc.assert(
      fc.property(cases, fc.record(change), ({ value, decode }, { at, value: byte }) => {
        const bytes = json(value)
        expect(decode(bytes)).toEqual(value)
        bytes[at % bytes.length] = byte
        const read = outcomeOf(() => decode(bytes), PeerProtocolError)
        if (read !== null) expect(decode(json(read))).toEqual(read)
      }),
      { numRuns: 1_000 },
    )
  })

  test('[PF1] an offer that the core could not take, and an acknowledgement of another state, are refused', () => {
    const [offer] = fc.sample(offers, { numRuns: 1, seed: 1 }) as [SnapshotOffer]
    const { meta } = offer
    const wrong = [
      { ...offer, term: meta.term - 1 },
      { ...offer, meta: { ...meta, index: 0 } },
      { ...offer, meta: null },
      ...[[], [member('1'), member('1')], [{ ...member('1'), id: 'one' }]].map((voters) => ({
        ...offer,
        meta: { ...meta, configuration: { ...configuration, voters } },
      })),
    ]
    for (const value of wrong) expect(() => decodeOffer(json(value))).toThrow(PeerProtocolError)
    const ack = { id: 1, offset: 0, state: 'maybe' }
    expect(() => decodeAck(json(ack))).toThrow('state must be one of more, done, failed')
  })

  test('[PF3] chunks are the same bytes again, or refused; their content is not copied', () => {
    const changed = fc
      .tuple(chunks, fc.record(change), fc.nat(2))
      .map(([chunk, { at, value }, way]) => {
        const bytes = Uint8Array.from(bodyOf(chunk))
        if (way === 1) return bytes.subarray(0, at % bytes.length)
        if (way === 2) bytes[at % bytes.length] = value
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 40 })), (body) => {
        const { value, bytes } = allocatedIn(() =>
          outcomeOf(() => decodeChunk(body), PeerProtocolError),
        )
        expect(bytes).toBe(0)
        if (value !== null) expect(Buffer.compare(bodyOf(value), body)).toBe(0)
      }),
      { numRuns: 1_000 },
    )
    fc.assert(
      fc.property(chunks, (chunk) => {
        const { bytes, ...rest } = decodeChunk(bodyOf(chunk))
        expect({ ...rest, bytes: [...bytes] }).toEqual({ ...chunk, bytes: [...chunk.bytes] })
      }),
    )
  })
})
