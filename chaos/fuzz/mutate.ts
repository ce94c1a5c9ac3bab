import type { Prng } from '../prng.ts'

/** Numbers at which widths, signs and counts turn over. */
const EDGES = [
  ...[0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000],
  ...[2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1, 2 ** 52],
  ...[Number.MAX_SAFE_INTEGER, 2 ** 53, 2 ** 63],
]
const LONGEST_BYTES = 1 << 16

/**
 * Bytes that were right once, changed at one place or many: what a bad wire, a bad disk or a bad peer
 * makes of them. `others` are inputs of the same kind, to take pieces from.
 */
export function mutate(random: Prng, from: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(from)
  do bytes = mutateOnce(random, bytes, others)
  while (random.chance(0.6))
  return bytes.length <= LONGEST_BYTES ? bytes : bytes.subarray(0, LONGEST_BYTES)
}

function mutateOnce(random: Prng, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  if (bytes.length === 0) return random.bytes(1 + random.below(8))
  const at = random.below(bytes.length)
  const end = Math.min(bytes.length, at + 1 + random.below(random.chance(0.5) ? 8 : bytes.length))
  const piece = bytes.subarray(at, end)
  switch (random.below(12)) {
    case 0:
    case 1:
      bytes[at]! ^= 1 << random.below(8)
      return bytes
    case 2:
      bytes[at] = random.chance(0.5) ? random.below(256) : EDGES[random.below(6)]!
      return bytes
    case 3:
    case 4:
      return withNumber(random, bytes, at)
    case 5:
      return bytes.subarray(0, at)
    case 6:
      return joined(bytes.subarray(0, at), bytes.subarray(end))
    case 7:
      return joined(bytes.subarray(0, at), random.bytes(1 + random.below(16)), bytes.subarray(at))
    case 8: {
      const times = random.chance(0.05) ? random.below(1 << 10) : 1 + random.below(3)
      const copies = Array.from({ length: times }, () => piece)
      return joined(bytes.subarray(0, end), ...copies, bytes.subarray(end))
    }
    case 9: {
      const other = random.pick(others)
      const from = random.below(other.length + 1)
      const to = random.chance(0.5) ? other.length : from + random.below(other.length - from + 1)
      const rest = random.chance(0.5) ? bytes.subarray(end) : new Uint8Array(0)
      return joined(bytes.subarray(0, at), other.subarray(from, to), rest)
    }
    case 10: {
      const to = random.below(bytes.length)
      bytes.copyWithin(to, at, end)
      return bytes
    }
    default: {
      const middle = at + random.below(end - at + 1)
      return joined(
        bytes.subarray(0, at),
        bytes.subarray(middle, end),
        bytes.subarray(at, middle),
        bytes.subarray(end),
      )
    }
  }
}

/** A number of any width and order over what stood there; sometimes one near the length. */
function withNumber(random: Prng, bytes: Uint8Array, at: number): Uint8Array {
  const width = Math.min(random.pick([1, 2, 4, 4, 6, 8, 8]), bytes.length - at)
  const near = random.chance(0.3) ? bytes.length - at + random.below(9) - 4 : random.pick(EDGES)
  let rest = Math.max(0, near)
  const little = random.chance(0.6)
  for (let i = 0; i < width; i++) {
    bytes[little ? at + i : at + width - 1 - i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return bytes
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}
