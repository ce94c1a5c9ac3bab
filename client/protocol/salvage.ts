import type { FrameId } from './frames.ts'
import { Reader, isMap } from './reader.ts'
import { isFrameId } from './validate.ts'

/** What can still be said of a frame that cannot be read. */
export interface Salvaged {
  /** Where the next frame begins. */
  readonly end: number
  readonly id: FrameId | null
  readonly frameType: string | null
}

/**
 * A value that is nested too deep, or of a type that the wire does not have, still tells its length:
 * the frame around it can be refused under its own id, and the frames behind it can be read. `null`
 * if the bytes end before the frame does, or hold what is no msgpack at all.
 */
export function salvageFrame(bytes: Uint8Array, from: number): Salvaged | null {
  const end = endOfValue(bytes, from)
  if (end === null) return null
  let id: FrameId | null = null
  let frameType: string | null = null
  if (isMap(bytes[from]!)) {
    const entries = new Reader(bytes.subarray(from, end))
    let left = entries.mapLength(0)
    let at = from + entries.position
    for (; left > 0; left--) {
      const value = endOfValue(bytes, at)!
      const next = endOfValue(bytes, value)!
      const key = scalarAt(bytes, at, value)
      if (key === 'id' || key === 't') {
        const found = scalarAt(bytes, value, next)
        if (key === 'id') id = isFrameId(found) ? found : null
        else frameType = typeof found === 'string' ? found : null
      }
      at = next
    }
  }
  return { end, id, frameType }
}

/** `undefined` for what is no scalar of the wire. */
function scalarAt(bytes: Uint8Array, from: number, end: number): unknown {
  const first = bytes[from]!
  const isScalar = first <= 0x7f || (first >= 0xa0 && !CONTAINER_OR_FOREIGN.has(first))
  return isScalar ? new Reader(bytes.subarray(from, end)).scalar() : undefined
}

/** Without recursion, so that no depth is too deep; every step takes a byte, so none is too wide. */
function endOfValue(bytes: Uint8Array, from: number): number | null {
  let at = from
  for (let left = 1; left > 0; left--) {
    if (at >= bytes.length) return null
    const byte = bytes[at++]!
    if (byte <= 0x7f || byte >= 0xe0) continue
    if (byte <= 0x8f) left += 2 * (byte & 0x0f)
    else if (byte <= 0x9f) left += byte & 0x0f
    else if (byte <= 0xbf) at += byte & 0x1f
    else {
      const shape = SHAPES[byte - 0xc0]
      if (shape === null || shape === undefined) return null
      const [lengthBytes, fixed, elements] = shape
      if (at + lengthBytes > bytes.length) return null
      let length = 0
      for (let i = 0; i < lengthBytes; i++) length = length * 256 + bytes[at++]!
      at += fixed
      if (elements === 0) at += length
      else left += elements * length
    }
  }
  return at <= bytes.length ? at : null
}

/**
 * From 0xc0 to 0xdf: bytes of the length, bytes that are always there, and how many values each unit
 * of the length stands for (0: the length is in bytes).
 */
const SHAPES: readonly (readonly [number, number, number] | null)[] = [
  [0, 0, 0], // nil
  null, // never used
  [0, 0, 0], // false
  [0, 0, 0], // true
  ...([1, 2, 4] as const).map((size) => [size, 0, 0] as const), // bin
  ...([1, 2, 4] as const).map((size) => [size, 1, 0] as const), // ext
  ...([4, 8] as const).map((size) => [0, size, 0] as const), // float
  ...([1, 2, 4, 8, 1, 2, 4, 8] as const).map((size) => [0, size, 0] as const), // integers
  ...([1, 2, 4, 8, 16] as const).map((size) => [0, size + 1, 0] as const), // fixext
  ...([1, 2, 4] as const).map((size) => [size, 0, 0] as const), // str
  ...([2, 4] as const).map((size) => [size, 0, 1] as const), // array
  ...([2, 4] as const).map((size) => [size, 0, 2] as const), // map
]

const CONTAINER_OR_FOREIGN: ReadonlySet<number> = new Set([
  ...[0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8],
  ...[0xdc, 0xdd, 0xde, 0xdf],
])
