/** How strings come out of bytes. Which way is cheapest was measured by `bench/codec.bench.ts`. */

/** Node's buffers have a native, flat copy; plain arrays in a browser do not. */
interface MaybeNative extends Uint8Array {
  latin1Slice?(from: number, to: number): string
}

/** Bytes below 0x80 as text; the caller has checked that they are. */
export function asciiText(bytes: MaybeNative, from: number, to: number): string {
  if (bytes.latin1Slice !== undefined) return bytes.latin1Slice(from, to)
  if (to - from > 64) return utf8.decode(bytes.subarray(from, to))
  const codes = CODES[to - from]!
  for (let i = 0; i < codes.length; i++) codes[i] = bytes[from + i]!
  return String.fromCharCode.apply(null, codes)
}

/** Any UTF-8; what is not well formed becomes U+FFFD. */
export function utf8Text(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= 64 && isAscii(bytes, from, to)) return asciiText(bytes, from, to)
  return utf8.decode(bytes.subarray(from, to))
}

/**
 * The same few strings come again and again: a hit costs a comparison instead of a new string, and
 * later map look-ups find its hash computed. Direct-mapped, so bounded.
 */
export class TextCache {
  readonly #slots: (string | undefined)[]
  readonly #mask: number

  /** @param slots a power of two. */
  constructor(slots: number) {
    this.#slots = Array.from({ length: slots })
    this.#mask = slots - 1
  }

  /** UTF-8, as `utf8Text` gives it. */
  get(bytes: Uint8Array, from: number, to: number): string {
    let hash = to - from
    for (let p = from; p < to; p++) hash = (Math.imul(hash, 31) + bytes[p]!) | 0
    const slot = (hash ^ (hash >>> 15)) & this.#mask
    const known = this.#slots[slot]
    if (known !== undefined && known.length === to - from) {
      let p = from
      while (p < to && known.charCodeAt(p - from) === bytes[p]) p++
      // A code unit equal to a byte is that character only if it is ASCII.
      if (p === to && isAscii(bytes, from, to)) return known
    }
    const text = utf8Text(bytes, from, to)
    this.#slots[slot] = text
    return text
  }
}

function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  for (let p = from; p < to; p++) if (bytes[p]! >= 0x80) return false
  return true
}

const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })
const CODES = Array.from({ length: 65 }, (_, length) => Array.from({ length }, () => 0))
