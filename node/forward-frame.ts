import {
  array,
  integer,
  object,
  oneOf,
  PeerFrameKind,
  PeerFrameWriter,
  PeerProtocolError,
  readJson,
} from '#cluster'
import { ERROR_CODES, type ErrorCode } from '#protocol'

const MAX_BODY_BYTES = 1 << 20
/** Every version of a command begins with u8 kind, u8 version, u32 origin, u32 request. */
const ORIGIN_AT = 2
const REQUEST_AT = 6
const SHORTEST_BYTES = REQUEST_AT + 4
const MAX_REFUSALS = 1_000
const U32 = integer(0, 2 ** 32 - 1)

/** A command as a peer's gateway forwards it: nothing of it is checked but who asks for what. */
export interface ForwardedCommand {
  /** A view into the frame. */
  readonly command: Uint8Array
  readonly origin: number
  /** The number under which the sender waits for its result. */
  readonly request: number
}

/** The leader did not take the command that `origin` counts as `request`. */
export interface ForwardRefusal {
  readonly origin: number
  readonly request: number
  readonly code: ErrorCode
}

/** Whole forward frames, in the order of the commands: u32 length and bytes, repeated. */
export function encodeForward(commands: readonly Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  let from = 0
  while (from < commands.length) {
    let bytes = 0
    let to = from
    do {
      bytes += 4 + commands[to]!.length
      to += 1
    } while (to < commands.length && bytes + 4 + commands[to]!.length <= MAX_BODY_BYTES)
    const writer = new PeerFrameWriter(PeerFrameKind.forward, bytes)
    for (; from < to; from++) {
      const command = commands[from]!
      writer.u32(command.length)
      writer.bytes(command)
    }
    frames.push(writer.finish())
  }
  return frames
}

/**
 * Cuts the body of a forward frame into its commands, in order. What they are is for
 * `forwarded-command.ts`: one that is wrong costs itself its place, not the others.
 *
 * @throws PeerProtocolError if it does not end where a command does
 */
export function decodeForward(body: Uint8Array): ForwardedCommand[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const commands: ForwardedCommand[] = []
  let offset = 0
  while (offset < body.length) {
    const left = body.length - offset - 4
    const length = left < 0 ? 0 : view.getUint32(offset, true)
    if (length < SHORTEST_BYTES || length > left) {
      throw new PeerProtocolError('a forwarded command is cut short')
    }
    const start = offset + 4
    commands.push({
      command: body.subarray(start, start + length),
      origin: view.getUint32(start + ORIGIN_AT, true),
      request: view.getUint32(start + REQUEST_AT, true),
    })
    offset = start + length
  }
  return commands
}

/** Bodies of `forwardRefused` frames, of bounded size. */
export function refusalBodies(refusals: readonly ForwardRefusal[]): ForwardRefusal[][] {
  const bodies: ForwardRefusal[][] = []
  for (let at = 0; at < refusals.length; at += MAX_REFUSALS) {
    bodies.push(refusals.slice(at, at + MAX_REFUSALS))
  }
  return bodies
}

const REFUSALS = array(
  object<ForwardRefusal>({
    origin: U32,
    request: U32,
    code: oneOf(...(Object.keys(ERROR_CODES) as ErrorCode[])),
  }),
  MAX_REFUSALS,
)

/** @throws PeerProtocolError */
export function decodeRefusals(body: Uint8Array): ForwardRefusal[] {
  return readJson(
    body,
    REFUSALS,
    (why) => new PeerProtocolError(`refusals of forwarded writes are malformed: ${why}`),
  )
}
