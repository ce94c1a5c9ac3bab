import fc from 'fast-check'
import { pack } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { encodeBody } from './body-codec.ts'
import { SUBPROTOCOLS, decodeFrames, encodeFrame, joinFrames, type Subprotocol } from './codec.ts'
import { wireError } from './error-codes.ts'
import { arbitraryFrame, arbitraryJson } from './frames.arbitrary.ts'
import type { Frame, MessageRequest, ServerFrame } from './frames.ts'
import { encodePlainFrame } from './plain-frame.ts'
import { ProtocolError } from './protocol-error.ts'
import { OPAQUE_FIELDS, REQUEST_SCHEMAS, SERVER_SCHEMAS, type Fields } from './schema.ts'

const asFrame = (value: unknown): Frame => value as Frame

/** Views and Buffers compare equal to plain arrays of the same bytes. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return { bytes: [...value] }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || value instanceof Error) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item)]))
}

const message: MessageRequest = {
  t: 'msg:R',
  id: 7,
  conv: 'team-42',
  msgId: 'phone_1_1700000000000',
  body: encodeBody({ text: 'hello' }),
  replyTo: 3,
  prev: 'phone_0_1700000000000',
  since: 1_700_000_000_000,
}

describe.each(SUBPROTOCOLS)('[WP1] every frame survives %s', (subprotocol) => {
  for (const direction of ['toServer', 'toClient'] as const) {
    test(`frames ${direction}`, () => {
      fc.assert(
        fc.property(arbitraryFrame(direction), (frame) => {
          const data = encodeFrame(asFrame(frame), subprotocol)
          const decoded = decodeFrames(data, subprotocol, direction as 'toServer')
          expect(plain(decoded)).toEqual([plain(frame)])
        }),
        { numRuns: 600 },
      )
    })
  }

  test('many frames in one message keep their order', () => {
    const frames = [1, 2, 3].map((id) => encodeFrame({ ...message, id }, subprotocol))
    const decoded = decodeFrames(joinFrames(frames), subprotocol, 'toServer')
    expect(decoded.map((frame) => (frame as MessageRequest).id)).toEqual([1, 2, 3])
    expect(joinFrames([frames[0]!])).toBe(frames[0])
  })

  test('a wrong frame stands in its place and hinders no other', () => {
    const frames = [
      encodeFrame({ ...message, id: 1 }, subprotocol),
      encodeFrame({ ...message, id: 2, msgId: 'no spaces' }, subprotocol),
      encodeFrame({ ...message, id: 3 }, subprotocol),
    ]
    const [first, second, third] = decodeFrames(joinFrames(frames), subprotocol, 'toServer')
    expect(first).toMatchObject({ id: 1 })
    expect(second).toBeInstanceOf(ProtocolError)
    expect(second).toMatchObject({ id: 2, code: 'INVALID_MESSAGE', frameType: 'msg:R' })
    expect(third).toMatchObject({ id: 3 })
  })
})

test('[WP2] the same body has the same bytes through either subprotocol', () => {
  fc.assert(
    fc.property(arbitraryJson, (value) => {
      const frame: MessageRequest = { ...message, body: encodeBody(value) }
      const bodies = SUBPROTOCOLS.map((subprotocol) => {
        const [decoded] = decodeFrames(encodeFrame(frame, subprotocol), subprotocol, 'toServer')
        return [...(decoded as MessageRequest).body]
      })
      expect(bodies[0]).toEqual([...frame.body])
      expect(bodies[1]).toEqual(bodies[0])
    }),
    { numRuns: 1000 },
  )
})

test('[WP2] half of a surrogate pair is never stored: no receiver could read it', () => {
  for (const text of ['a\ud83d', '\udfffb', 'a\ud800'.repeat(100)]) {
    const body = encodeBody({ text, [text]: 1 })
    expect(Buffer.from(body).includes(text.toWellFormed())).toBe(true)
    const data = `{"t":"msg:R","id":1,"conv":"c","msgId":"m","body":${JSON.stringify({ text, [text]: 1 })}}`
    const [decoded] = decodeFrames(data, 'parley.v1.json', 'toServer')
    expect(plain((decoded as MessageRequest).body)).toEqual(plain(body))
  }
})

test('[WP3] a body nests as deep wherever it stands, and has a type wherever that stands', () => {
  const nest = (levels: number): unknown => (levels === 0 ? new Uint8Array(3) : [nest(levels - 1)])
  const fields = { id: 7, conv: 'c', msgId: 'm', body: nest(64) }
  for (const frame of [
    { t: 'msg:R', ...fields },
    { ...fields, t: 'msg:R' },
  ]) {
    const [decoded] = decodeFrames(pack(frame), 'parley.v1.msgpack', 'toServer')
    expect(decoded).toMatchObject({ t: 'msg:R', id: 7 })
    const text = encodeFrame(decoded as MessageRequest, 'parley.v1.json')
    expect(decodeFrames(text, 'parley.v1.json', 'toServer')).toMatchObject([{ t: 'msg:R', id: 7 }])
  }
})

test('[WP3] of equal keys the last counts, as in JSON', () => {
  const type = (text: string) => Buffer.from([0xa1, 0x74, 0xa0 | text.length, ...Buffer.from(text)])
  const id = Buffer.from([0xa2, 0x69, 0x64, 9])
  const decoded = (...keys: Buffer[]) => {
    const data = Buffer.concat([Buffer.from([0x83]), ...keys])
    return decodeFrames(data, 'parley.v1.msgpack', 'toServer')[0]
  }
  expect(decoded(type('list'), type('ping:R'), id)).toMatchObject({ t: 'ping:R', id: 9 })
  expect(decoded(type('ping:R'), type('list'), id)).toMatchObject({ code: 'UNSUPPORTED', id: 9 })
})

test('[WP3] fields in any order and of any encoder are read alike', () => {
  const fields = { id: 7, conv: 'c', msgId: 'm', body: { a: 1 }, since: 1_700_000_000_000 }
  const first = pack({ t: 'msg:R', ...fields })
  const last = pack({ ...fields, unknown: { deep: [1, { x: 'y' }] }, t: 'msg:R' })
  const [hot] = decodeFrames(first, 'parley.v1.msgpack', 'toServer')
  const [cold] = decodeFrames(last, 'parley.v1.msgpack', 'toServer')
  expect(hot).toMatchObject({ ...fields, body: expect.any(Uint8Array) })
  expect(plain(cold)).toEqual(plain(hot))
})

test('[WP3] the hand-written decoder of msg:R agrees with the table', () => {
  const reorder = (data: Uint8Array): Uint8Array => {
    // With an unknown field as the first key the table-driven decoder has to do it.
    const head = data[0]!
    return Uint8Array.from([head + 1, 0xa1, 0x7a, 0x01, ...data.subarray(1)])
  }
  fc.assert(
    fc.property(
      arbitraryFrame('toServer', 'msg:R'),
      fc.option(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))),
      (frame, damage) => {
        const data = Uint8Array.from(encodeFrame(asFrame(frame), 'parley.v1.msgpack') as Uint8Array)
        if (damage !== null) data[1 + (damage[0] % (data.length - 1))] = damage[1]
        const [hot] = decodeFrames(data, 'parley.v1.msgpack', 'toServer')
        const [cold] = decodeFrames(reorder(data), 'parley.v1.msgpack', 'toServer')
        if (hot instanceof ProtocolError || cold instanceof ProtocolError) {
          expect(cold).toBeInstanceOf(ProtocolError)
          expect(hot).toBeInstanceOf(ProtocolError)
          expect((hot as ProtocolError).code).toBe((cold as ProtocolError).code)
        } else expect(plain(hot)).toEqual(plain(cold))
      },
    ),
    { numRuns: 1500 },
  )
})

describe('[WP4] hostile input', () => {
  /** Whether decoding gave frames and `ProtocolError`s alone; anything that it throws goes on. */
  const isHandled = (data: Uint8Array | string, subprotocol: Subprotocol): boolean =>
    (['toServer', 'toClient'] as const).every((direction) =>
      decodeFrames(data, subprotocol, direction as 'toServer').every(
        (frame) => frame instanceof ProtocolError || typeof frame.t === 'string',
      ),
    )

  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        expect(isHandled(data, 'parley.v1.msgpack')).toBe(true)
        expect(isHandled(data, 'parley.v1.json')).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  test('random values under the right names', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('t', 'id', 'conv', 'msgId', 'body', 'op', 'acks', 'v', 'members', 'mark'),
          fc.oneof(arbitraryJson, fc.constantFrom('msg:R', 'conv:R', 'create', 'ack:R', 'msg:A')),
        ),
        (value) => {
          expect(isHandled(JSON.stringify(value), 'parley.v1.json')).toBe(true)
          expect(isHandled(encodeBody(value), 'parley.v1.msgpack')).toBe(true)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('truncated and damaged frames', () => {
    fc.assert(
      fc.property(
        arbitraryFrame('toServer'),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        (f, at, b) => {
          const data = Uint8Array.from(encodeFrame(asFrame(f), 'parley.v1.msgpack') as Uint8Array)
          expect(isHandled(data.subarray(0, at % data.length), 'parley.v1.msgpack')).toBe(true)
          data[at % data.length] = b
          expect(isHandled(data, 'parley.v1.msgpack')).toBe(true)
        },
      ),
      { numRuns: 1500 },
    )
  })

  test('lengths that are lies allocate nothing and take no time', () => {
    const lies = [
      [0xdd, 0xff, 0xff, 0xff, 0xff],
      [0xdf, 0xff, 0xff, 0xff, 0xff],
      [0x81, 0xa1, 0x74, 0xdb, 0xff, 0xff, 0xff, 0xff],
      [0x81, 0xa4, 0x62, 0x6f, 0x64, 0x79, 0xc6, 0xff, 0xff, 0xff, 0xff],
      [0x81, 0xa4, 0x61, 0x63, 0x6b, 0x73, 0xdd, 0xff, 0xff, 0xff, 0xff],
    ]
    for (const lie of lies) {
      const decoded = decodeFrames(Uint8Array.from(lie), 'parley.v1.msgpack', 'toServer')
      expect(decoded).toHaveLength(1)
      expect(decoded[0]).toMatchObject({ code: expect.stringMatching(/INVALID|TOO_LARGE/) })
    }
  })

  test('nesting is bounded in either subprotocol, and at the same depth', () => {
    const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth))
    const raw = (depth: number): Uint8Array =>
      Uint8Array.from([...Array.from({ length: depth - 1 }, () => 0x91), 0x90])
    for (const [depth, good] of [
      [64, true],
      [65, false],
    ] as const) {
      const json = JSON.stringify({ t: 'msg:R', id: 1, conv: 'c', msgId: 'm', body: nested(depth) })
      const packed = encodeFrame({ ...message, body: raw(depth) }, 'parley.v1.msgpack')
      const results = [
        decodeFrames(json, 'parley.v1.json', 'toServer')[0],
        decodeFrames(packed, 'parley.v1.msgpack', 'toServer')[0],
      ]
      for (const result of results) {
        if (good) expect(result).toMatchObject({ t: 'msg:R' })
        else expect(result).toMatchObject({ code: 'INVALID_MESSAGE' })
      }
    }
    const bomb = '['.repeat(500_000) + ']'.repeat(500_000)
    expect(decodeFrames(bomb, 'parley.v1.json', 'toServer')[0]).toBeInstanceOf(ProtocolError)
    const packedBomb = new Uint8Array(500_000).fill(0x91)
    expect(decodeFrames(packedBomb, 'parley.v1.msgpack', 'toServer')[0]).toBeInstanceOf(
      ProtocolError,
    )
  })

  test('metadata nests one level less, as it is told inside the body of an event', () => {
    const raw = (depth: number): Uint8Array =>
      Uint8Array.from([...Array.from({ length: depth - 1 }, () => 0x91), 0x90])
    for (const operation of [
      { op: 'create', members: [] },
      { op: 'set', conv: 'c' },
    ] as const) {
      const decode = (depth: number) => {
        const frame = { t: 'conv:R', id: 1, msgId: 'm', ...operation, meta: raw(depth) } as const
        const packed = encodeFrame(frame, 'parley.v1.msgpack')
        const text = encodeFrame(frame, 'parley.v1.json')
        return [
          decodeFrames(packed, 'parley.v1.msgpack', 'toServer')[0],
          decodeFrames(text, 'parley.v1.json', 'toServer')[0],
        ]
      }
      for (const result of decode(63)) expect(result).toMatchObject({ t: 'conv:R' })
      for (const result of decode(64)) expect(result).toMatchObject({ code: 'INVALID_MESSAGE' })
    }
  })

  test('too many frames in one message', () => {
    const text = JSON.stringify(Array.from({ length: 1025 }, () => 1))
    const packed = pack(Array.from({ length: 1025 }, () => 1))
    for (const decoded of [
      decodeFrames(text, 'parley.v1.json', 'toServer'),
      decodeFrames(packed, 'parley.v1.msgpack', 'toServer'),
    ]) {
      expect(decoded).toHaveLength(1)
      expect(decoded[0]).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
    }
  })
})

test('[WP5] a refusal that quotes what was sent can be read by whoever sent it', () => {
  for (const type of ['x\ud800', 'long'.repeat(10_000)]) {
    const [refused] = decodeFrames(JSON.stringify({ t: type }), 'parley.v1.json', 'toServer')
    const { code, message } = refused as ProtocolError
    const answer = encodeFrame({ t: 'error:N', error: wireError(code, message) }, 'parley.v1.json')
    expect(decodeFrames(answer, 'parley.v1.json', 'toClient')).toMatchObject([{ t: 'error:N' }])
  }
})

describe('[WP5] a refusal names the field and what was expected', () => {
  const cases: readonly [string, Record<string, unknown>, string, RegExp][] = [
    ['no t', { id: 1 }, 'INVALID_MESSAGE', /t must name/],
    ['unknown frame', { t: 'foo:R', id: 1 }, 'UNSUPPORTED', /unknown frame foo:R/],
    ['a server frame', { t: 'msg:N', id: 1 }, 'UNSUPPORTED', /unknown frame/],
    ['missing field', { t: 'pull:R', id: 1, after: 0, limit: 1 }, 'INVALID_MESSAGE', /conv is req/],
    ['neither side', { t: 'msg:R', id: 1, msgId: 'm', body: 1 }, 'INVALID_MESSAGE', /conv and to/],
    [
      'both sides',
      { t: 'msg:R', id: 1, msgId: 'm', body: 1, conv: 'c', to: 'u' },
      'INVALID_MESSAGE',
      /exactly one/,
    ],
    [
      'alphabet',
      { t: 'msg:R', id: 1, msgId: 'é', body: 1, conv: 'c' },
      'INVALID_MESSAGE',
      /msgId must be 1 to 64 characters/,
    ],
    [
      'length',
      { t: 'hello:R', id: 1, v: [1, 1], device: 'd'.repeat(41) },
      'INVALID_MESSAGE',
      /device must be 1 to 40/,
    ],
    ['range', { t: 'hello:R', id: 1, v: [2, 1], device: 'd' }, 'INVALID_MESSAGE', /v must be/],
    ['enum', { t: 'hello:R', id: 1, v: [1, 1], device: 'd', mode: 'x' }, 'UNSUPPORTED', /mode/],
    ['operation', { t: 'conv:R', id: 1, op: 'explode' }, 'UNSUPPORTED', /op has an unknown value/],
    ['no operation', { t: 'conv:R', id: 1 }, 'INVALID_MESSAGE', /op is required/],
    [
      'integer',
      { t: 'pull:R', id: 1, conv: 'c', after: -1, limit: 1 },
      'INVALID_MESSAGE',
      /after must be an integer/,
    ],
    [
      'body',
      { t: 'msg:R', id: 1, conv: 'c', msgId: 'm', body: 'x'.repeat(70_000) },
      'PAYLOAD_TOO_LARGE',
      /body has 70005 bytes/,
    ],
  ]
  test.each(cases)('%s', (_, frame, code, words) => {
    const json = decodeFrames(JSON.stringify(frame), 'parley.v1.json', 'toServer')
    const packed = decodeFrames(encodeBody(frame), 'parley.v1.msgpack', 'toServer')
    for (const [error] of [json, packed]) {
      expect(error).toBeInstanceOf(ProtocolError)
      expect(error).toMatchObject({ id: 1, code, message: expect.stringMatching(words) })
    }
  })

  test('without a readable id it stays null', () => {
    const frame = { t: 'msg:R', id: { no: 1 }, conv: 'c', msgId: 'm', body: 1 }
    for (const [error] of [
      decodeFrames(JSON.stringify(frame), 'parley.v1.json', 'toServer'),
      decodeFrames(encodeBody(frame), 'parley.v1.msgpack', 'toServer'),
    ]) {
      expect(error).toMatchObject({ id: null, code: 'INVALID_MESSAGE' })
    }
  })

  test('extension types are refused', () => {
    const data = pack({ t: 'msg:R', id: 1, conv: 'c', msgId: 'm', body: new Date(0) })
    const [error] = decodeFrames(data, 'parley.v1.msgpack', 'toServer')
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE' })
  })

  test('the wrong kind of WebSocket message', () => {
    const [error] = decodeFrames('{}', 'parley.v1.msgpack', 'toServer')
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE', message: /binary/ })
  })
})

test('[WP6] null for an absent optional field is fine, null as a body is a body', () => {
  const frame = { t: 'msg:R', id: 1, conv: 'c', to: null, msgId: 'm', body: null, prev: null }
  for (const [decoded] of [
    decodeFrames(JSON.stringify(frame), 'parley.v1.json', 'toServer'),
    decodeFrames(encodeBody(frame), 'parley.v1.msgpack', 'toServer'),
  ]) {
    expect(plain(decoded)).toEqual({
      t: 'msg:R',
      id: 1,
      conv: 'c',
      msgId: 'm',
      body: { bytes: [0xc0] },
    })
  }
})

test.each(SUBPROTOCOLS)(
  '[WP1] what would be no integer on the wire is never written (%s)',
  (sub) => {
    for (const seq of [1.5, -1, NaN, 2 ** 53]) {
      const frame = { t: 'msg:N', conv: 'c', seq } as const
      expect(() => encodeFrame(frame, sub)).toThrow(/invariant/)
    }
    expect(encodeFrame({ t: 'ping:R', id: 1 }, sub)).toBeDefined()
  },
)

test('JSON is written as JSON.stringify would', () => {
  for (const text of [
    '',
    'plain',
    'a"b',
    'a\\b',
    'line\nfeed',
    '\u007f\u0080',
    'é',
    '😀',
    '\u0000',
  ]) {
    const body = encodeBody(text)
    const frame = { t: 'msg:R', id: text || 0, conv: text, msgId: text, body, prev: text } as const
    const { t, id, conv, msgId, prev } = frame
    const expected = JSON.stringify({ t, id, conv, msgId, body: text, prev })
    const written = encodeFrame(frame as MessageRequest, 'parley.v1.json')
    expect(JSON.parse(written)).toEqual(JSON.parse(expected))
    expect(written.length).toBe(expected.length)
  }
})

describe('[M-30] a seq is below 2^53', () => {
  const event = {
    kind: 'message',
    ord: 1,
    msgId: 'm',
    from: 'a',
    device: 'd',
    at: 1,
    body: encodeBody(1),
  } as const
  const beyond = [2 ** 53, 2 ** 63, Number.NaN, -1, 1.5]

  test.each(SUBPROTOCOLS)(
    '%s encodes and decodes the last one, and refuses more',
    (subprotocol) => {
      const last = Number.MAX_SAFE_INTEGER
      const frame: ServerFrame = { t: 'msg:N', conv: 'c', seq: last, ...event }
      const [decoded] = decodeFrames(encodeFrame(frame, subprotocol), subprotocol, 'toClient')
      expect(decoded).toMatchObject({ seq: last })
      for (const seq of beyond) {
        expect(() => encodeFrame({ t: 'msg:N', conv: 'c', seq, ...event }, subprotocol)).toThrow(
          'integer',
        )
        const pull = { t: 'pull:R', id: 1, conv: 'c', after: 0, limit: 1 } as const
        expect(() => encodeFrame({ ...pull, after: seq }, subprotocol)).toThrow('integer')
      }
    },
  )

  test('a greater one that comes is refused by its name', () => {
    for (const text of ['9007199254740992', '18446744073709551615', '1e400', '-1', '1.5']) {
      const json = `{"t":"pull:R","id":1,"conv":"c","after":${text},"limit":1}`
      const [refusal] = decodeFrames(json, 'parley.v1.json', 'toServer')
      expect(refusal).toMatchObject({ code: 'INVALID_MESSAGE' })
      expect((refusal as ProtocolError).message).toContain('after')
    }
    // fixmap of 5 with `after` as a u64 of 2^53 and above.
    const key = (name: string) => [0xa0 + name.length, ...Buffer.from(name)]
    for (const high of [0x20, 0xff]) {
      const number = [0xcf, 0x00, high, 0, 0, 0, 0, 0, 0]
      const bytes = Uint8Array.of(
        ...[0x85, ...key('t'), ...key('pull:R'), ...key('id'), 1, ...key('conv'), ...key('c')],
        ...[...key('after'), ...number, ...key('limit'), 1],
      )
      const [refusal] = decodeFrames(bytes, 'parley.v1.msgpack', 'toServer')
      expect(refusal).toMatchObject({ code: 'INVALID_MESSAGE' })
      expect((refusal as ProtocolError).message).toContain('after')
    }
  })
})

test('[WP1] the names of opaque fields are those that the table has', () => {
  const names = new Set<string>()
  const others = new Set<string>()
  const visit = (fields: Fields): void => {
    for (const [name, { type }] of Object.entries(fields)) {
      ;(type.type === 'value' ? names : others).add(name)
      const of = type.type === 'array' || type.type === 'nullable' ? type.of : type
      if (of.type === 'object') visit(of.fields)
    }
  }
  for (const schema of [...Object.values(REQUEST_SCHEMAS), ...Object.values(SERVER_SCHEMAS)]) {
    visit(schema.fields)
    for (const fields of Object.values(schema.variants?.fields ?? {})) visit(fields)
  }
  expect(names).toEqual(OPAQUE_FIELDS)
  expect([...names].filter((name) => others.has(name))).toEqual([])
})

test('[WP1] what a client writes plainly is read as what it is', () => {
  for (const direction of ['toServer', 'toClient'] as const) {
    fc.assert(
      fc.property(arbitraryFrame(direction), (frame) => {
        const data = encodePlainFrame(asFrame(frame))
        const decoded = decodeFrames(data, 'parley.v1.msgpack', direction as 'toServer')
        expect(plain(decoded)).toEqual([plain(frame)])
      }),
    )
  }
})
