import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Message } from '../raft/messages.ts'
import type { Entry } from '../raft/types.ts'
import { decodeMessage, encodeMessage } from './message-codec.ts'
import { PeerProtocolError } from './peer-frame.ts'

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
const members = fc.array(member, { maxLength: 3 })
const configuration = fc.record({
  voters: fc.array(member, { minLength: 1, maxLength: 3 }),
  outgoing: members,
  learners: members,
})
const envelope = { from: id, to: id, term: integer }

function type<const T extends Message['type']>(...names: T[]) {
  return fc.constantFrom(...names)
}

const append = fc
  .record({
    ...envelope,
    prevIndex: fc.nat(2 ** 40),
    prevTerm: fc.nat(2 ** 40),
    commit: integer,
    data: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }),
    types: fc.array(flag, { minLength: 5, maxLength: 5 }),
  })
  .map(({ data, types, ...rest }): Message => {
    const entries = data.map((bytes, at): Entry => {
      const kind = types[at] === true ? 1 : 0
      return { term: rest.prevTerm + at, index: rest.prevIndex + 1 + at, type: kind, data: bytes }
    })
    return { type: 'append', ...rest, term: rest.prevTerm + 10, entries }
  })

const messages: fc.Arbitrary<Message> = fc.oneof(
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
  fc.record({
    type: type('heartbeat'),
    ...envelope,
    commit: integer,
    acknowledged: integer,
    readId: integer,
  }),
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
  fc.record({
    type: type('snapshot'),
    ...envelope,
    snapshot: fc.record({ index: integer, term: integer, configuration }),
  }),
  fc.record({ type: type('timeoutNow'), ...envelope }),
  fc.record({ type: type('readIndex'), ...envelope, readId: integer }),
  fc.record({ type: type('readIndexResponse'), ...envelope, readId: integer, index: integer }),
)

function plain(message: Message): unknown {
  if (message.type !== 'append') return message
  const entries = message.entries.map((entry) => ({ ...entry, data: [...entry.data] }))
  return { ...message, entries }
}

/** The message, or the one error that damage may cause. */
function tryDecode(bytes: Uint8Array): Message | PeerProtocolError {
  try {
    return decodeMessage(bytes).message
  } catch (error) {
    if (error instanceof PeerProtocolError) return error
    throw error
  }
}

const sample: Message = {
  type: 'append',
  from: '0123456789abcdef',
  to: 'fedcba9876543210',
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
        const decoded = decodeMessage(encodeMessage(message, groupId))
        expect(decoded.groupId).toBe(groupId)
        expect(plain(decoded.message)).toEqual(plain(message))
      }),
      { numRuns: 500 },
    )
  })

  test('the bytes are these, for ever', () => {
    expect(Buffer.from(encodeMessage(sample, 5)).toString('hex')).toBe(
      '010105000000' + // version, append, group 5
        '0123456789abcdef' +
        'fedcba9876543210' +
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
    const bytes = encodeMessage(sample, 0)
    const { message } = decodeMessage(bytes)
    if (message.type !== 'append') throw new Error('another type')
    expect(message.entries[0]!.data.buffer).toBe(bytes.buffer)
  })

  test('cut, grown or changed bytes give a typed error or another message, nothing else', () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.nat(255), fc.boolean(), (message, at, value, cut) => {
        const bytes = Uint8Array.from(encodeMessage(message, 1))
        if (cut) {
          expect(tryDecode(bytes.subarray(0, at % bytes.length))).toBeInstanceOf(PeerProtocolError)
        } else {
          bytes[at % bytes.length] = value
          tryDecode(bytes)
        }
        expect(tryDecode(Uint8Array.of(...encodeMessage(message, 1), 0))).toBeInstanceOf(
          PeerProtocolError,
        )
      }),
      { numRuns: 1000 },
    )
  })

  test('any bytes at all give a typed error or a message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(14), (rest, code) => {
        tryDecode(Uint8Array.of(1, code, 0, 0, 0, 0, ...rest))
        tryDecode(rest)
      }),
      { numRuns: 2000 },
    )
  })

  test('a count of entries that cannot be there allocates nothing', () => {
    const bytes = Uint8Array.from(encodeMessage(sample, 0))
    bytes.set([255, 255, 255, 255], 54)
    expect(() => decodeMessage(bytes)).toThrow('4294967295 entries cannot be')
  })

  test.each([
    { at: 0, value: 2, error: 'version 2 is unknown' },
    { at: 1, value: 99, error: 'type 99 is unknown' },
    { at: 29, value: 0x20, error: 'past 2^53-1' },
    { at: 58, value: 8, error: 'out of order' },
    { at: 66, value: 2, error: 'out of order' },
    { at: 74, value: 2, error: 'entry type 2' },
    { at: 75, value: 9, error: 'cut short' },
    { at: 75, value: 1, error: '1 bytes too many' },
  ])('byte $at as $value: $error', ({ at, value, error }) => {
    const bytes = Uint8Array.from(encodeMessage(sample, 0))
    bytes[at] = value
    expect(() => decodeMessage(bytes)).toThrow(error)
  })
})
