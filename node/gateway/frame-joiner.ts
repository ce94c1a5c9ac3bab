import { assert } from '#cluster'
import type { EncodedFrame } from '#protocol'

/**
 * Makes one WebSocket message of frames that are already encoded, adding `mark` to the last of them
 * (rule B2), and to each the inbox number that `inboxes` has for it, 0 for none. Pushed frames are
 * shared by many sessions while marks differ from flush to flush and inbox numbers from user to user,
 * so both are spliced into the encoded map instead of being encoded with it.
 */
export function joinFrames(
  frames: readonly EncodedFrame[],
  inboxes: readonly number[],
  from: number,
  to: number,
  mark: EncodedMark | null,
): EncodedFrame {
  assert(from < to, 'a WebSocket message holds at least one frame')
  return typeof frames[from] === 'string'
    ? joinText(frames as readonly string[], inboxes, from, to, mark)
    : joinBytes(frames as readonly Uint8Array[], inboxes, from, to, mark)
}

/** `mark` as it stands at the end of a map, for both subprotocols, each made when it is asked for. */
export class EncodedMark {
  readonly #mark: string
  #text: string | null = null
  #bytes: Uint8Array | null = null

  constructor(mark: string) {
    this.#mark = mark
  }

  get text(): string {
    return (this.#text ??= `,"mark":${JSON.stringify(this.#mark)}`)
  }

  /** Key and value. */
  get bytes(): Uint8Array {
    return (this.#bytes ??= encodeMark(this.#mark))
  }
}

function encodeMark(mark: string): Uint8Array {
  const length = Buffer.byteLength(mark)
  assert(length < 256, 'a mark is short')
  const head = length < 32 ? [0xa0 | length] : [0xd9, length]
  const bytes = Buffer.allocUnsafe(KEY.length + head.length + length)
  bytes.set(KEY)
  bytes.set(head, KEY.length)
  bytes.write(mark, KEY.length + head.length)
  return bytes
}

/** "mark" */
const KEY = [0xa4, 0x6d, 0x61, 0x72, 0x6b] as const
/** "inbox" */
const INBOX_KEY = [0xa5, 0x69, 0x6e, 0x62, 0x6f, 0x78] as const
const INBOX_BYTES = INBOX_KEY.length + 5

function joinText(
  frames: readonly string[],
  inboxes: readonly number[],
  from: number,
  to: number,
  mark: EncodedMark | null,
): string {
  const count = to - from
  let message = count === 1 ? '' : '['
  for (let i = from; i < to; i++) {
    const frame = frames[i] as string
    const inbox = inboxes[i] as number
    const isLast = i === to - 1
    const suffix = (inbox === 0 ? '' : `,"inbox":${inbox}`) + (isLast && mark ? mark.text : '')
    message += suffix === '' ? frame : `${frame.slice(0, -1)}${suffix}}`
    if (!isLast) message += ','
  }
  return count === 1 ? message : `${message}]`
}

function joinBytes(
  frames: readonly Uint8Array[],
  inboxes: readonly number[],
  from: number,
  to: number,
  mark: EncodedMark | null,
): Uint8Array {
  const count = to - from
  if (count === 1 && mark === null && inboxes[from] === 0) return frames[from] as Uint8Array
  // A map's header may grow by two bytes.
  let length = arrayHeaderLength(count) + (mark === null ? 0 : mark.bytes.length + 2)
  for (let i = from; i < to; i++) {
    length += (frames[i] as Uint8Array).length + (inboxes[i] === 0 ? 0 : INBOX_BYTES + 2)
  }
  const message = Buffer.allocUnsafe(length)
  let at = writeArrayHeader(message, count)
  for (let i = from; i < to; i++) {
    const frame = frames[i] as Uint8Array
    const inbox = inboxes[i] as number
    const itsMark = i === to - 1 ? mark : null
    if (inbox === 0 && itsMark === null) {
      message.set(frame, at)
      at += frame.length
      continue
    }
    at = writeGrown(message, at, frame, (inbox === 0 ? 0 : 1) + (itsMark === null ? 0 : 1))
    if (inbox !== 0) at = writeInbox(message, at, inbox)
    if (itsMark !== null) {
      message.set(itsMark.bytes, at)
      at += itsMark.bytes.length
    }
  }
  return message.subarray(0, at)
}

/**
 * The frame with room for `more` pairs at its end. msgpack: fixmap, map 16 and map 32 carry their
 * number of pairs up front.
 */
function writeGrown(out: Buffer, start: number, frame: Uint8Array, more: number): number {
  let at = start
  let rest: number
  const first = frame[0] as number
  if ((first & 0xf0) === 0x80) {
    rest = 1
    const pairs = (first & 0x0f) + more
    if (pairs < 16) {
      out[at++] = 0x80 | pairs
    } else {
      out[at++] = 0xde
      at = out.writeUInt16BE(pairs, at)
    }
  } else {
    assert(first === 0xde, `a frame is a map, not msgpack type 0x${first.toString(16)}`)
    rest = 3
    out[at++] = 0xde
    at = out.writeUInt16BE((((frame[1] as number) << 8) | (frame[2] as number)) + more, at)
  }
  out.set(rest === 1 ? frame.subarray(1) : frame.subarray(3), at)
  return at + frame.length - rest
}

function writeInbox(out: Buffer, start: number, inbox: number): number {
  out.set(INBOX_KEY, start)
  const at = start + INBOX_KEY.length
  if (inbox < 128) return out.writeUInt8(inbox, at)
  if (inbox < 65_536) return out.writeUInt16BE(inbox, out.writeUInt8(0xcd, at))
  assert(inbox < 2 ** 32, `an inbox number of ${inbox}`)
  return out.writeUInt32BE(inbox, out.writeUInt8(0xce, at))
}

function arrayHeaderLength(count: number): number {
  if (count === 1) return 0
  return count < 16 ? 1 : 3
}

function writeArrayHeader(out: Buffer, count: number): number {
  if (count === 1) return 0
  if (count < 16) {
    out[0] = 0x90 | count
    return 1
  }
  assert(count < 65_536, 'a WebSocket message holds fewer than 65,536 frames')
  out[0] = 0xdc
  out.writeUInt16BE(count, 1)
  return 3
}
