import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allocatedIn, outcomeOf } from '../testing/decoding.ts'
import { MAX_HELLO_BYTES, PeerFrameKind, PeerFrameReader, PeerProtocolError } from './peer-frame.ts'
import { encodePeerFrame } from './peer-frame-writer.ts'

const kind = fc.constantFrom(...Object.values(PeerFrameKind))
const frames = fc.array(
  fc.tuple(kind, fc.uint8Array({ maxLength: 60 })).map(([of, body]) => encodePeerFrame(of, body)),
  { minLength: 1, maxLength: 5 },
)

/** What a reader makes of the pieces, each frame written again; `null` after what it accepted. */
function read(pieces: readonly Uint8Array[]): { taken: Buffer; refused: boolean } {
  const taken: Uint8Array[] = []
  const reader = new PeerFrameReader(
    (of, body) => taken.push(encodePeerFrame(of as PeerFrameKind, body)),
    () => MAX_HELLO_BYTES,
  )
  const whole = outcomeOf(() => {
    for (const piece of pieces) reader.push(piece)
    return true
  }, PeerProtocolError)
  return { taken: Buffer.concat(taken), refused: whole === null }
}

describe('frames between nodes', () => {
  test('the bytes are these, for ever', () => {
    const frame = encodePeerFrame(PeerFrameKind.ping, Buffer.from('hi'))
    expect(Buffer.from(frame).toString('hex')).toBe('07000000' + '19cdb68e' + '03' + '6869')
  })

  test('[PF3] come out whole, however the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 8 }), (sent, cuts) => {
        const stream = Buffer.concat(sent)
        const at = [0, ...cuts.map((cut) => cut % stream.length).sort((a, b) => a - b)]
        const pieces = at.map((from, i) => stream.subarray(from, at[i + 1]))
        const { taken, refused } = read(pieces)
        expect([Buffer.compare(taken, stream), refused]).toEqual([0, false])
      }),
      { numRuns: 300 },
    )
  })

  test('[PF1] a changed byte is noticed, what came before it stands, and no memory is wasted on it', () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (sent, at, change) => {
        const stream = Buffer.concat(sent)
        const place = at % stream.length
        const damaged = Buffer.from(stream)
        damaged[place]! ^= change
        const { value, bytes } = allocatedIn(() => read([damaged]))
        // The frames before the damage, and none that was not sent.
        const { taken } = value
        expect(taken.length).toBeLessThanOrEqual(place)
        expect(Buffer.compare(taken, stream.subarray(0, taken.length))).toBe(0)
        expect(bytes).toBeLessThanOrEqual(MAX_HELLO_BYTES + 4 * stream.length)
      }),
      { numRuns: 1_000 },
    )
  })

  test('[PF1] any bytes at all give what was sent in them, or the one error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (stream) => {
        const { taken } = read([stream])
        expect(Buffer.compare(taken, stream.subarray(0, taken.length))).toBe(0)
      }),
      { numRuns: 1_000 },
    )
  })
})
