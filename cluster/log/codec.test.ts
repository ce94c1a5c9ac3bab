import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Entry } from '../raft/types.ts'
import { ByteWriter } from './byte-writer.ts'
import {
  FRAME_HEADER_BYTES,
  frameBytes,
  readFrame,
  readFrameHeader,
  sealFrame,
} from './frame-codec.ts'
import { LogFormatError } from './log-format-error.ts'
import type { AppendRequest } from './log-storage.ts'
import {
  decodeBatch,
  encodeAppend,
  encodeFormation,
  encodeHead,
  encodeKept,
  headRecordBytes,
} from './record-codec.ts'
import { ALICE, BOB, FORMATION, configuration } from './testing/log-samples.ts'

function payloadOf(encode: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter()
  writer.reset(0)
  encode(writer)
  return Buffer.from(writer.buffer.subarray(0, writer.length))
}

function frameOf(
  payload: Uint8Array,
  header: { batch: number; salt: bigint; chain: number },
): Buffer {
  const buffer = Buffer.alloc(frameBytes(payload.length), 0xff)
  buffer.set(payload, FRAME_HEADER_BYTES)
  sealFrame(buffer, FRAME_HEADER_BYTES + payload.length, header)
  return buffer
}

const header = fc.record({
  batch: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  salt: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  chain: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
})

const u53 = fc.integer({ min: 1, max: 2 ** 52 })

const request: fc.Arbitrary<AppendRequest> = fc
  .record({
    first: u53,
    terms: fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.uint8Array({ maxLength: 200 }))),
    hardState: fc.option(
      fc.record({ term: u53, vote: fc.constantFrom('', ALICE, BOB), commit: u53 }),
    ),
    snapshot: fc.option(
      fc.record({ index: u53, term: u53, configuration: fc.constant(configuration(ALICE, BOB)) }),
    ),
  })
  .map(({ first, terms, hardState, snapshot }) => {
    let term = 1
    const entries = terms.map(([rise, data], at): Entry => {
      term += rise
      return { index: first + at, term, type: 0, data }
    })
    return { entries, hardState, snapshot }
  })

describe('the frame codec', () => {
  it('[LG40] gives back what it was given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), header, (payload, fields) => {
        const frame = readFrame(frameOf(payload, fields), 0)!
        expect(frame).toMatchObject({ ...fields, version: 1, bytes: frameBytes(payload.length) })
        expect(Buffer.compare(frame.payload, payload)).toBe(0)
        expect(frame.bytes % 8).toBe(0)
      }),
    )
  })

  it('[LG40] never takes a changed frame for a whole one', () => {
    const bit = fc.nat()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), header, bit, (payload, fields, at) => {
        const frame = frameOf(payload, fields)
        const byte = (at >> 3) % frame.length
        frame[byte] = frame[byte]! ^ (1 << (at & 7))
        expect(readFrame(frame, 0)).toBeNull()
      }),
    )
  })

  it('[LG40] reads any bytes without failing or reading past the end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(220), (bytes, offset) => {
        const buffer = Buffer.from(bytes)
        readFrameHeader(buffer, offset)
        expect(readFrame(buffer, offset)).toBeNull()
      }),
    )
  })

  it('[LG40] keeps its bytes for good', () => {
    const frame = frameOf(Buffer.from('abc'), { batch: 2 ** 32 + 5, salt: 0x0123n, chain: 7 })
    expect(frame.toString('hex')).toBe(
      '8b504c46' +
        'c28dd1aa' +
        '01000000' +
        '03000000' +
        '0500000001000000' +
        '2301000000000000' +
        '0700000000000000' +
        '6162630000000000',
    )
  })
})

describe('the record codec', () => {
  it('[LG41] gives back an append', () => {
    fc.assert(
      fc.property(request, (given) => {
        const batch = decodeBatch(payloadOf((writer) => encodeAppend(writer, given)))
        expect(batch.hardState).toEqual(given.hardState)
        expect(batch.snapshot).toEqual(given.snapshot)
        expect(batch.entries.map((entry) => ({ ...entry, data: [...entry.data] }))).toEqual(
          given.entries.map((entry) => ({ ...entry, data: [...entry.data] })),
        )
      }),
    )
  })

  it('[LG41] gives back what a segment restates, a formation and a compaction', () => {
    const position = { index: 9, term: 4, configuration: configuration(BOB) }
    const hardState = { term: 5, vote: BOB, commit: 2 ** 40 }
    const head = {
      raftId: ALICE,
      segment: 3,
      keptFrom: 2,
      position,
      hardState,
      formation: FORMATION,
    }
    const payload = payloadOf((writer) => {
      encodeHead(writer, head)
      encodeFormation(writer, FORMATION)
      encodeKept(writer, 77)
    })
    expect(decodeBatch(payload)).toMatchObject({ head, formation: FORMATION, keptFrom: 77 })
    const rest = payload.subarray(headRecordBytes(payload))
    expect(decodeBatch(rest)).toMatchObject({ head: null, formation: FORMATION })
    const unformed = { ...head, formation: null }
    expect(decodeBatch(payloadOf((writer) => encodeHead(writer, unformed))).head).toEqual(unformed)
  })

  it('[LG41] fails on anything else in one way only', () => {
    const damaged = fc.tuple(request, fc.nat(), fc.nat(255))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), damaged), (given) => {
        let bytes: Uint8Array
        if (given instanceof Uint8Array) bytes = given
        else {
          bytes = payloadOf((writer) => encodeAppend(writer, given[0]))
          if (bytes.length > 0) bytes[given[1] % bytes.length] = given[2]
        }
        try {
          decodeBatch(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(LogFormatError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('[LG42] refuses a record kind, version or group that it does not know', () => {
    const known = payloadOf((writer) => encodeKept(writer, 1))
    const changed = (at: number, value: number): Buffer => {
      const bytes = Buffer.from(known)
      bytes[at] = value
      return bytes
    }
    expect(decodeBatch(known).keptFrom).toBe(1)
    expect(() => decodeBatch(changed(0, 7))).toThrow('unknown record kind 7')
    expect(() => decodeBatch(changed(1, 2))).toThrow('unknown version 2')
    expect(() => decodeBatch(changed(4, 1))).toThrow('unknown record group 1')
    expect(() => decodeBatch(Buffer.concat([known, known]))).toThrow('after 6')
  })
})
