import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeConfiguration } from '../raft/configuration.ts'
import type { Entry } from '../raft/types.ts'
import { allocatedIn, outcomeOf } from '../testing/decoding.ts'
import { AppendFrames } from './append-frames.ts'
import { decodeMessage, encodeMessage, type PeerMessage } from './message-codec.ts'
import { FRAME_HEADER_BYTES, PeerProtocolError } from './peer-frame.ts'

const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n) => n.toString(16).padStart(16, '0'))
const integer = fc.oneof(
  fc.nat(1000),
  fc.maxSafeNat(),
  fc.constantFrom(2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
)
const flag = fc.boolean()
const member = fc.record({
  id,
  name: fc.string(),
  peerAddress: fc.string(),
  clientUrl: fc.string(),
})
const members = fc.uniqueArray(member, { maxLength: 3, selector: ({ id }) => id })
const configuration = members
  .filter(({ length }) => length > 0)
  .map((all) => ({ voters: all.slice(0, 1), outgoing: [], learners: all.slice(1) }))
const RECEIVER = 'fedcba9876543210'
const envelope = { from: id, to: id, term: integer }

function type<const T extends PeerMessage['type']>(...names: T[]) {
  return fc.constantFrom(...names)
}

const append = fc
  .record({
    ...envelope,
    prevIndex: fc.nat(2 ** 40),
    prevTerm: fc.nat(2 ** 40),
    commit: integer,
    data: fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        configuration.map((of) => ({ configuration: encodeConfiguration(of) })),
      ),
      { maxLength: 5 },
    ),
  })
  .map(({ data, ...rest }): PeerMessage => {
    const entries = data.map((of, at): Entry => {
      const position = { term: rest.prevTerm + at, index: rest.prevIndex + 1 + at }
      if (of instanceof Uint8Array) return { ...position, type: 0, data: of }
      return { ...position, type: 1, data: of.configuration }
    })
    return { type: 'append', ...rest, to: RECEIVER, term: rest.prevTerm + 10, entries }
  })

const messages: fc.Arbitrary<PeerMessage> = fc.oneof(
  append,
  fc.record({
    type: type('appendResponse'),
    ...envelope,
    index: integer,
    rejected: flag,
    hintIndex: integer,
    hintTerm: integer,
    lastIndex: integer,
  }),
  fc
    .record({ type: type('heartbeat'), ...envelope, commit: integer, acknowledged: integer })
    .map((fields) => ({
      ...fields,
      commit: Math.min(fields.commit, fields.acknowledged),
      readId: fields.commit,
    })),
  fc.record({ type: type('heartbeatResponse'), ...envelope, readId: integer }),
  fc.record({ type: type('commit'), ...envelope, commit: integer }),
  fc.record({
    type: type('preVote', 'vote'),
    ...envelope,
    lastIndex: integer,
    lastTerm: integer,
    transfer: flag,
  }),
  fc.record({ type: type('preVoteResponse', 'voteResponse'), ...envelope, rejected: flag }),
  fc.record({ type: type('timeoutNow'), ...envelope }),
  fc.record({ type: type('readIndex'), ...envelope, readId: integer }),
  fc.record({ type: type('readIndexResponse'), ...envelope, readId: integer, index: integer }),
)

function plain(message: PeerMessage): unknown {
  if (message.type !== 'append') return message
  const entries = message.entries.map((entry) => ({ ...entry, data: [...entry.data] }))
  return { ...message, entries }
}

/** The body of its frame. */
const encode = (message: PeerMessage, groupId: number): Uint8Array =>
  encodeMessage(message, groupId).subarray(FRAME_HEADER_BYTES)
const decode = (bytes: Uint8Array) => decodeMessage(bytes, RECEIVER)

/** What hostile bytes are: the same again if they are accepted, else the one error. */
function judge(bytes: Uint8Array): 'accepted' | 'refused' {
  const { value, bytes: allocated } = allocatedIn(() =>
    outcomeOf(() => decode(bytes), PeerProtocolError),
  )
  expect(allocated).toBeLessThanOrEqual(4 * bytes.length)
  if (value === null) return 'refused'
  expect(Buffer.compare(encode(value.message, value.groupId), bytes)).toBe(0)
  return 'accepted'
}

const sample: PeerMessage = {
  type: 'append',
  from: '0123456789abcdef',
  to: RECEIVER,
  term: 7,
  prevIndex: 2 ** 40,
  prevTerm: 6,
  commit: 3,
  entries: [{ term: 7, index: 2 ** 40 + 1, type: 0, data: Buffer.from('hi') }],
}

describe('peer messages as bytes', () => {
  test('every message comes back as it was, with its group', () => {
    fc.assert(
      fc.property(messages, fc.nat(2 ** 31 - 1), (message, groupId) => {
        const decoded = decode(encode(message, groupId))
        expect(decoded.groupId).toBe(groupId)
        expect(plain(decoded.message)).toEqual(plain(message))
      }),
      { numRuns: 500 },
    )
  })

  test('the bytes are these, for ever', () => {
    expect(Buffer.from(encode(sample, 5)).toString('hex')).toBe(
      '010e05000000' + // version, append, group 5
        '0123456789abcdef' +
        '0700000000000000' + // term
        '0000000000010000' + // prevIndex 2^40
        '0600000000000000' + // prevTerm
        '0300000000000000' + // commit
        '01000000' + // one entry
        '0700000000000000' +
        '0100000000010000' +
        '00' +
        '02000000' +
        '6869',
    )
  })

  test('entries are views into the bytes', () => {
    const bytes = encode(sample, 0)
    const { message } = decode(bytes)
    if (message.type !== 'append') throw new Error('another type')
    expect(message.entries[0]!.data.buffer).toBe(bytes.buffer)
  })

  test('[PF3] cut, grown or changed bytes are refused, or are those of another message', () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.nat(255), fc.boolean(), (message, at, value, cut) => {
        const bytes = Uint8Array.from(encode(message, 1))
        expect(judge(Uint8Array.of(...bytes, 0))).toBe('refused')
        if (cut) expect(judge(bytes.subarray(0, at % bytes.length))).toBe('refused')
        else {
          bytes[at % bytes.length] = value
          judge(bytes)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('[PF3] any bytes at all are refused, or are those of a message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(15), (rest, code) => {
        judge(Uint8Array.of(1, code, 0, 0, 0, 0, ...rest))
        judge(rest)
      }),
      { numRuns: 2000 },
    )
  })

  test('[PF1] a configuration that the core could not read, or that could not vote, does not reach it', () => {
    const { voters } = fc.sample(configuration, { numRuns: 1, seed: 1 })[0]!
    const data = [
      Buffer.from('{'),
      Buffer.from('{"format":2,"voters":[],"outgoing":[],"learners":[]}'),
      encodeConfiguration({ voters: [], outgoing: [], learners: [] }),
      encodeConfiguration({ voters, outgoing: [], learners: voters }),
      encodeConfiguration({ voters, outgoing: voters, learners: [] }),
    ]
    for (const bytes of data) {
      const entries = [{ term: 7, index: 2 ** 40 + 1, type: 1, data: bytes }] as const
      expect(judge(encode({ ...sample, entries } as PeerMessage, 0))).toBe('refused')
    }
  })

  test('[PF1] a heartbeat that commits more than its receiver has does not reach the core', () => {
    const { from, to, term } = sample
    const heartbeat = { type: 'heartbeat', from, to, term, commit: 5, acknowledged: 5, readId: 0 }
    const bytes = Uint8Array.from(encode(heartbeat as PeerMessage, 0))
    expect(judge(bytes)).toBe('accepted')
    bytes[30] = 6
    expect(judge(bytes)).toBe('refused')
  })

  test('[PF1] the name of a snapshot does not travel as a message: the core would install what is not there', () => {
    const bytes = Uint8Array.from(encode({ ...sample, type: 'timeoutNow' } as PeerMessage, 0))
    bytes[1] = 10
    expect(judge(bytes)).toBe('refused')
  })

  test('[PF4] one frame goes to all who lack the same entries at one time, another to the others', () => {
    const frames = new AppendFrames(0)
    const first = frames.frameOf(sample)
    expect(frames.frameOf({ ...sample, to: '1'.repeat(16) } as PeerMessage)).toBe(first)
    for (const other of [{ commit: 4 }, { prevIndex: 9, entries: [] }, { entries: [] }]) {
      const message = { ...sample, ...other } as PeerMessage
      const frame = frames.frameOf(message)
      expect(frame).not.toBe(first)
      const { message: read } = decode(frame.subarray(FRAME_HEADER_BYTES))
      expect(plain(read)).toEqual(plain(message))
    }
  })

  test('a count of entries that cannot be there allocates nothing', () => {
    const bytes = Uint8Array.from(encode(sample, 0))
    bytes.set([255, 255, 255, 255], 46)
    expect(() => decode(bytes)).toThrow('4294967295 entries cannot be')
  })

  test.each([
    { at: 0, value: 2, error: 'version 2 is unknown' },
    { at: 1, value: 99, error: 'type 99 is unknown' },
    { at: 21, value: 0x20, error: 'past 2^53-1' },
    { at: 50, value: 8, error: 'out of order' },
    { at: 58, value: 2, error: 'out of order' },
    { at: 66, value: 2, error: 'entry type 2' },
    { at: 67, value: 9, error: 'cut short' },
    { at: 67, value: 1, error: '1 bytes too many' },
  ])('byte $at as $value: $error', ({ at, value, error }) => {
    const bytes = Uint8Array.from(encode(sample, 0))
    bytes[at] = value
    expect(() => decode(bytes)).toThrow(error)
  })
})
