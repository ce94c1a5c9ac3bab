import { PeerProtocolError } from '#cluster'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ERROR_CODES, type ErrorCode } from '#protocol'
import {
  decodeForward,
  decodeRefusals,
  encodeForward,
  type ForwardRefusal,
  refusalBodies,
} from './forward-frame.ts'
import { encodeCommand } from './state-machine/command-codec.ts'
import { CommandKind } from './state-machine/commands.ts'

/** Before the body of a frame. */
const HEADER_BYTES = 9
const ORIGIN = 0xfedc_ba98

function command(request: number, bodyBytes = 10): Uint8Array {
  return encodeCommand({
    kind: CommandKind.message,
    origin: ORIGIN,
    request,
    user: 'alice',
    device: 'd1',
    msgId: `m${request}`,
    prev: null,
    since: null,
    conv: 'c1',
    to: null,
    replyTo: null,
    large: false,
    body: new Uint8Array(bodyBytes),
  })
}

const bodies = (commands: readonly Uint8Array[]): Uint8Array[] =>
  encodeForward(commands).map((frame) => frame.subarray(HEADER_BYTES))

/** `null`: refused as what it is. */
function attempt<T>(decode: () => T): T | null {
  try {
    return decode()
  } catch (error) {
    if (error instanceof PeerProtocolError) return null
    throw error
  }
}

describe('forward frames', () => {
  test('bring every command in order, under its number, in bodies of bounded size', () => {
    const commands = Array.from({ length: 50 }, (_, at) => command(2 ** 32 - 1 - at, 60_000))
    const all = bodies(commands)
    expect(all.length).toBe(3)
    for (const body of all) expect(body.length).toBeLessThanOrEqual(1 << 20)
    const received = all.flatMap(decodeForward)
    expect(received.map(({ request }) => request)).toEqual(
      commands.map((_, at) => 2 ** 32 - 1 - at),
    )
    for (const [at, one] of received.entries()) {
      expect(one.origin).toBe(ORIGIN)
      expect(Buffer.compare(one.command, commands[at]!)).toBe(0)
    }
  })

  test('of nothing there is none', () => {
    expect(encodeForward([])).toEqual([])
    expect(refusalBodies([])).toEqual([])
  })

  test('cut anywhere are refused as what they are', () => {
    const [body] = bodies([command(1), command(2)]) as [Uint8Array]
    const second = body.length / 2
    for (let length = 1; length < body.length; length++) {
      if (length === second) continue
      expect(() => decodeForward(body.subarray(0, length))).toThrow(PeerProtocolError)
    }
  })

  test('[PF3] of any bytes are refused, or the same bytes again', () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 })
    const valid = fc
      .tuple(fc.array(fc.nat(40), { minLength: 1, maxLength: 4 }), edits)
      .map(([sizes, changes]) => {
        const [body] = bodies(sizes.map((size, at) => command(at, size))) as [Uint8Array]
        for (const [at, value] of changes) body[at % body.length] = value
        return body
      })
    fc.assert(
      fc.property(fc.oneof(valid, fc.uint8Array({ maxLength: 100 })), (body) => {
        const commands = attempt(() => decodeForward(body))
        if (commands === null) return
        expect(commands.length * 14).toBeLessThanOrEqual(body.length)
        const again = bodies(commands.map((one) => one.command))
        expect(Buffer.compare(Buffer.concat(again), body)).toBe(0)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('refusals of forwarded writes', () => {
  const u32 = fc.nat(2 ** 32 - 1)
  const code = fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[]))
  const refusal = fc.record({ origin: u32, request: u32, code })
  const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

  test('come back as they were, in bodies of bounded size', () => {
    fc.assert(
      fc.property(fc.array(refusal, { maxLength: 2_500 }), (refusals) => {
        const parts = refusalBodies(refusals)
        expect(parts.flatMap((part) => decodeRefusals(encode(part)))).toEqual(refusals)
        expect(parts.length).toBe(Math.ceil(refusals.length / 1_000))
      }),
      { numRuns: 50 },
    )
  })

  test('[PF3] of any other shape are refused', () => {
    const good: ForwardRefusal = { origin: 1, request: 2, code: 'OVERLOADED' }
    const wrong: unknown[] = [
      good,
      [null],
      [{ ...good, origin: undefined }],
      [{ ...good, request: -1 }],
      [{ ...good, request: 2 ** 32 }],
      [{ ...good, code: 'WHATEVER' }],
      [{ ...good, code: 'toString' }],
      Array.from({ length: 1_001 }, () => good),
    ]
    for (const value of wrong)
      expect(() => decodeRefusals(encode(value))).toThrow(PeerProtocolError)
    fc.assert(
      fc.property(
        fc.array(refusal, { maxLength: 3 }),
        fc.nat(),
        fc.nat(255),
        (refusals, at, value) => {
          const bytes = encode(refusals)
          bytes[at % bytes.length] = value
          const read = attempt(() => decodeRefusals(bytes))
          if (read !== null) expect(decodeRefusals(encode(read))).toEqual(read)
        },
      ),
      { numRuns: 500 },
    )
  })
})
