import { PeerProtocolError } from '#cluster'
import { COMMAND_VERSION } from './state-machine/command-view.ts'
import { CommandKind } from './state-machine/commands.ts'

const MAX_BODY_BYTES = 1 << 20
const KINDS: ReadonlySet<number> = new Set(Object.values(CommandKind))
/** Every version of a command begins with u8 kind, u8 version, u32 origin, u32 request. */
const REQUEST_AT = 6
const SHORTEST_BYTES = REQUEST_AT + 4

export interface ForwardedCommand {
  /** A view into the frame. */
  readonly command: Uint8Array
  /** The number under which the sender waits for its result. */
  readonly request: number
}

/** Bodies of forward frames, in the order of the commands: u32 length and bytes, repeated. */
export function encodeForward(commands: readonly Uint8Array[]): Uint8Array[] {
  const bodies: Uint8Array[] = []
  let from = 0
  while (from < commands.length) {
    let bytes = 0
    let to = from
    do {
      bytes += 4 + commands[to]!.length
      to += 1
    } while (to < commands.length && bytes + commands[to]!.length <= MAX_BODY_BYTES)
    const body = Buffer.allocUnsafe(bytes)
    let offset = 0
    for (const command of commands.slice(from, to)) {
      body.writeUInt32LE(command.length, offset)
      body.set(command, offset + 4)
      offset += 4 + command.length
    }
    bodies.push(body)
    from = to
  }
  return bodies
}

/**
 * Apply of an unknown command stops every replica (rule A9): none may enter the log.
 *
 * @throws PeerProtocolError at the first command that is cut short or of an unknown kind or version
 */
export function* decodeForward(body: Uint8Array): Generator<ForwardedCommand, void, undefined> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  let offset = 0
  while (offset < body.length) {
    const left = body.length - offset - 4
    const length = left < 0 ? 0 : view.getUint32(offset, true)
    if (length < SHORTEST_BYTES || length > left) {
      throw new PeerProtocolError('a forwarded command is cut short')
    }
    const command = body.subarray(offset + 4, offset + 4 + length)
    if (!KINDS.has(command[0]!) || command[1] !== COMMAND_VERSION) {
      throw new PeerProtocolError('a peer forwards a command that this version does not know')
    }
    yield { command, request: view.getUint32(offset + 4 + REQUEST_AT, true) }
    offset += 4 + length
  }
}
