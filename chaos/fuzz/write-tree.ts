import type { Prng } from '../prng.ts'
import type { Tree } from './values.ts'

type Scalar = Exclude<Tree, Tree[] | { readonly pairs: unknown }>

/** A tree as JSON, with the liberties that its grammar leaves and a few that it does not. */
export function toJsonText(random: Prng, tree: Tree): string {
  const odd = random.chance(0.5) ? 0 : 0.1
  let text = ''
  // Without recursion: trees nest deeper than a stack.
  const left: (Tree | { readonly raw: string })[] = [tree]
  while (left.length > 0) {
    const next = left.pop()!
    if (typeof next === 'object' && next !== null && 'raw' in next) text += next.raw
    else if (Array.isArray(next)) {
      left.push({ raw: ']' })
      for (let i = next.length - 1; i >= 0; i--) {
        left.push(next[i]!)
        if (i > 0) left.push({ raw: ',' })
      }
      left.push({ raw: '[' })
    } else if (typeof next === 'object' && next !== null && 'pairs' in next) {
      left.push({ raw: '}' })
      for (let i = next.pairs.length - 1; i >= 0; i--) {
        const [key, value] = next.pairs[i]!
        left.push(value, { raw: `${i > 0 ? ',' : ''}${jsonString(random, key, odd)}:` })
      }
      left.push({ raw: '{' })
    } else text += jsonScalar(random, next, odd)
    if (random.chance(odd / 4)) text += random.pick([' ', '\n', '\t'])
  }
  return text
}

function jsonScalar(random: Prng, value: Scalar, odd: number): string {
  if (value instanceof Uint8Array) return `{"$bytes":"${Buffer.from(value).toString('base64')}"}`
  if (typeof value === 'string') return jsonString(random, value, odd)
  if (typeof value !== 'number') return String(value)
  if (Object.is(value, -0)) return '-0'
  if (random.chance(odd)) return random.pick([`${value}.0`, `${value}e0`, '1e999', '-1e999', '1E2'])
  return String(value)
}

function jsonString(random: Prng, text: string, odd: number): string {
  const plain = JSON.stringify(text)
  if (!random.chance(odd)) return plain
  const escaped = Array.from(text, (char) =>
    random.chance(0.3) && char.length === 1
      ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
      : JSON.stringify(char).slice(1, -1),
  )
  return `"${escaped.join('')}"`
}

/** A tree as msgpack, in any of the widths that say the same, sometimes with a count that lies. */
export function toMsgpack(random: Prng, tree: Tree): Uint8Array {
  const odd = random.chance(0.5) ? 0 : 0.1
  const parts: Uint8Array[] = []
  const left: Tree[] = [tree]
  while (left.length > 0) {
    const next = left.pop()!
    const lie = random.chance(odd / 20) ? random.below(5) - 2 : 0
    if (Array.isArray(next)) {
      parts.push(head(random, odd, Math.max(0, next.length + lie), [0x90, 16, 0xdc, 0xdd]))
      for (let i = next.length - 1; i >= 0; i--) left.push(next[i]!)
    } else if (typeof next === 'object' && next !== null && 'pairs' in next) {
      const { pairs } = next
      parts.push(head(random, odd, Math.max(0, pairs.length + lie), [0x80, 16, 0xde, 0xdf]))
      for (let i = pairs.length - 1; i >= 0; i--) left.push(pairs[i]![1], pairs[i]![0])
    } else parts.push(msgpackScalar(random, next, odd))
  }
  return Buffer.concat(parts)
}

function msgpackScalar(random: Prng, value: Scalar, odd: number): Uint8Array {
  if (value === null) return Uint8Array.of(0xc0)
  if (typeof value === 'boolean') return Uint8Array.of(value ? 0xc3 : 0xc2)
  if (typeof value === 'number') return msgpackNumber(random, value, odd)
  if (typeof value === 'bigint') return number(0xcf, 8, (view) => view.setBigUint64(1, value))
  const isText = typeof value === 'string'
  const bytes = isText ? Buffer.from(value) : value
  const foreign = random.chance(odd / 10)
  if (foreign) return Buffer.concat([Uint8Array.of(0xc7, bytes.length & 255, 5), bytes])
  const [fix, fixed, u8, u16] = isText ? [0xa0, 32, 0xd9, 0xda] : [0, 0, 0xc4, 0xc5]
  const start =
    bytes.length < 256 && (bytes.length >= fixed || random.chance(odd))
      ? Uint8Array.of(u8, bytes.length)
      : head(random, odd, bytes.length, [fix, fixed, u16, u16 + 1])
  return Buffer.concat([start, bytes])
}

function msgpackNumber(random: Prng, value: number, odd: number): Uint8Array {
  const isWhole = Number.isSafeInteger(value) && !Object.is(value, -0)
  if (!isWhole || random.chance(odd)) return number(0xcb, 8, (view) => view.setFloat64(1, value))
  const wide = random.chance(odd)
  if (value >= 0) {
    if (value < 128 && !wide) return Uint8Array.of(value)
    if (value < 256 && !wide) return Uint8Array.of(0xcc, value)
    if (value < 65536 && !wide) return number(0xcd, 2, (view) => view.setUint16(1, value))
    if (value < 2 ** 32 && !wide) return number(0xce, 4, (view) => view.setUint32(1, value))
    return number(0xcf, 8, (view) => view.setBigUint64(1, BigInt(value)))
  }
  if (value >= -32 && !wide) return Uint8Array.of(value + 256)
  if (value >= -128 && !wide) return number(0xd0, 1, (view) => view.setInt8(1, value))
  return number(0xd3, 8, (view) => view.setBigInt64(1, BigInt(value)))
}

function number(head: number, width: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(1 + width)
  bytes[0] = head
  write(new DataView(bytes.buffer))
  return bytes
}

function head(
  random: Prng,
  odd: number,
  length: number,
  [fix, fixed, u16, u32]: readonly [number, number, number, number],
): Uint8Array {
  if (length < fixed && !random.chance(odd)) return Uint8Array.of(fix | length)
  if (length < 65536 && !random.chance(odd)) return number(u16, 2, (v) => v.setUint16(1, length))
  return number(u32, 4, (view) => view.setUint32(1, length))
}
