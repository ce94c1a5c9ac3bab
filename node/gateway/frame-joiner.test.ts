import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBody, encodeBody } from '#protocol'
import { EncodedMark, joinFrames } from './frame-joiner.ts'
import { formatMark, parseMark } from './mark.ts'

/** A map of `size` pairs. */
const map = (size: number, tag: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: size }, (_, at) => [`k${at}`, tag]))

describe('frame joiner', () => {
  it('[GW21] [GW23] adds mark and inbox numbers, whatever the size, in both subprotocols', () => {
    const size = fc.integer({ min: 1, max: 40 })
    const inbox = fc.oneof(fc.constant(0), fc.nat(300), fc.nat(2 ** 32 - 1))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(size, inbox), { minLength: 1, maxLength: 40 }),
        fc.string({ maxLength: 60 }),
        fc.boolean(),
        (given, text, marked) => {
          const frames = given.map(([pairs], at) => map(pairs, at))
          const inboxes = given.map(([, number]) => number)
          const mark = marked ? new EncodedMark(text) : null
          const expected = frames.map((frame, at) => ({
            ...frame,
            ...(inboxes[at] === 0 ? {} : { inbox: inboxes[at] }),
            ...(marked && at === frames.length - 1 ? { mark: text } : {}),
          }))
          const whole = expected.length === 1 ? expected[0] : expected
          const bytes = joinFrames(frames.map(encodeBody), inboxes, 0, frames.length, mark)
          expect(decodeBody(bytes as Uint8Array)).toEqual(whole)
          const json = joinFrames(
            frames.map((frame) => JSON.stringify(frame)),
            inboxes,
            0,
            frames.length,
            mark,
          )
          expect(JSON.parse(json as string)).toEqual(whole)
        },
      ),
    )
  })

  it('[GW20] joins a part of a list', () => {
    const frames = [1, 2, 3, 4].map((tag) => encodeBody(map(1, tag)))
    expect(decodeBody(joinFrames(frames, [0, 0, 0, 0], 1, 3, null) as Uint8Array)).toEqual([
      map(1, 2),
      map(1, 3),
    ])
  })

  it('[GW21] leaves the frames it was given as they were: they are shared', () => {
    const frame = encodeBody(map(2, 1))
    const before = Uint8Array.from(frame)
    joinFrames([frame], [5], 0, 1, new EncodedMark('e.1'))
    joinFrames([frame, frame], [0, 7], 0, 2, new EncodedMark('e.1'))
    expect(Uint8Array.from(frame)).toEqual(before)
  })
})

describe('mark', () => {
  it('[GW14] reads what it wrote', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9.-]{1,40}$/),
        fc.nat({ max: Number.MAX_SAFE_INTEGER }),
        (epoch, index) => {
          expect(parseMark(formatMark(epoch, index))).toEqual({ epoch, index })
        },
      ),
    )
  })

  it.each(['', 'e1', 'e1.', '.5', 'e1.-1', 'e1.A', `e1.${'z'.repeat(11)}`, `${'e'.repeat(65)}.1`])(
    '[GW14] takes %j for no mark',
    (mark) => expect(parseMark(mark)).toBeNull(),
  )
})
