import { PeerProtocolError } from '#cluster'
import { describe, expect, test } from 'vitest'
import { decodeForward, encodeForward } from './forward-frame.ts'
import { encodeCommand } from './state-machine/command-codec.ts'
import { CommandKind } from './state-machine/commands.ts'

function command(request: number, bodyBytes = 10): Uint8Array {
  return encodeCommand({
    kind: CommandKind.message,
    origin: 0xfedc_ba98,
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

describe('forward frames', () => {
  test('bring every command in order, under its number, in bodies of bounded size', () => {
    const commands = Array.from({ length: 50 }, (_, at) => command(2 ** 32 - 1 - at, 60_000))
    const bodies = encodeForward(commands)
    expect(bodies.length).toBe(3)
    for (const body of bodies) expect(body.length).toBeLessThan((1 << 20) + 5)
    const received = bodies.flatMap((body) => [...decodeForward(body)])
    expect(received.map(({ request }) => request)).toEqual(
      commands.map((_, at) => 2 ** 32 - 1 - at),
    )
    for (const [at, one] of received.entries()) {
      expect(Buffer.compare(one.command, commands[at]!)).toBe(0)
    }
  })

  test('of nothing there is none', () => {
    expect(encodeForward([])).toEqual([])
  })

  test('cut anywhere, or of an unknown kind or version, are refused as what they are', () => {
    const [body] = encodeForward([command(1), command(2)]) as [Uint8Array]
    const second = body.length / 2
    for (let length = 1; length < body.length; length++) {
      if (length === second) continue
      expect(() => [...decodeForward(body.subarray(0, length))]).toThrow(PeerProtocolError)
    }
    for (const at of [4, 5]) {
      const changed = Uint8Array.from(body)
      changed[at] = 77
      expect(() => [...decodeForward(changed)]).toThrow('does not know')
    }
  })
})
