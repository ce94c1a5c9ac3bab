import { assert } from '#cluster'
import type { EncodedFrame } from '#protocol'

/**
 * Makes one WebSocket message of frames that are already encoded, adding `mark` to the last of them
 * (rule B2). Pushed frames are shared by many sessions and marks differ from flush to flush, so the
 * field is spliced into the encoded map instead of being encoded with it.
 */
export function joinFrames(
  frames: readonly EncodedFrame[],
  from: number,
  to: number,
  mark: EncodedMark | null,
): EncodedFrame {
  assert(from < to, 'a WebSocket message holds at least one frame')
  return typeof frames[from] === 'string'
    ? joinText(frames as readonly string[], from, to, mark)
    : joinBytes(frames as readonly Uint8Array[], from, to, mark)
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

function joinText(
  frames: readonly string[],
  from: number,
  to: number,
  mark: EncodedMark | null,
): string {
  const last = frames[to - 1] as string
  const marked = mark === null ? last : `${last.slice(0, -1)}${mark.text}}`
  if (to - from === 1) return marked
  let message = '['
  for (let i = from; i < to - 1; i++) message += `${frames[i] as string},`
  return `${message}${marked}]`
}

function joinBytes(
  frames: readonly Uint8Array[],
  from: number,
  to: number,
  mark: EncodedMark | null,
): Uint8Array {
  const count = to - from
  const last = frames[to - 1] as Uint8Array
  if (count === 1 && mark === null) return last
  let length = arrayHeaderLength(count)
  for (let i = from; i < to; i++) length += (frames[i] as Uint8Array).length
  // Two more in case that the last frame's map header grows.
  if (mark !== null) length += mark.bytes.length + 2
  const message = Buffer.allocUnsafe(length)
  let at = writeArrayHeader(message, count)
  for (let i = from; i < to - 1; i++) {
    const frame = frames[i] as Uint8Array
    message.set(frame, at)
    at += frame.length
  }
  if (mark === null) {
    message.set(last, at)
    return message.subarray(0, at + last.length)
  }
  at = writeMarked(message, at, last, mark)
  return message.subarray(0, at)
}

/** msgpack: fixmap, map 16 and map 32 carry their number of pairs up front. */
function writeMarked(out: Buffer, start: number, frame: Uint8Array, mark: EncodedMark): number {
  let at = start
  let rest: number
  const first = frame[0] as number
  if ((first & 0xf0) === 0x80) {
    rest = 1
    const pairs = (first & 0x0f) + 1
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
    at = out.writeUInt16BE((((frame[1] as number) << 8) | (frame[2] as number)) + 1, at)
  }
  out.set(rest === 1 ? frame.subarray(1) : frame.subarray(3), at)
  at += frame.length - rest
  out.set(mark.bytes, at)
  return at + mark.bytes.length
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
