import type { Prng } from '../prng.ts'

/** A value as a text or as bytes say it: keys may come twice, and any key is only a key. */
export type Tree =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tree[]
  | { readonly pairs: [string, Tree][] }

const KEYS = ['__proto__', 'constructor', 'toJSON', 'hasOwnProperty', 'length', '0', '', 't', 'id']
const TEXTS = [
  ...['', 'a', '\0', '\\', '"', '\ud800', '\udfff', '\ud83d\ude00', '\u2028', '\ufeff', 'ä'],
  ...['key0', 'key_', 'null', '\u{10ffff}', '__proto__', '$bytes', 'msg:R', 'AAAA'],
]
const NUMBERS = [
  ...[0, -0, 1, -1, 0.5, -0.5, 31, 32, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32],
  ...[-32, -33, -128, -129, -32768, -32769, -(2 ** 31), 2 ** 48, Number.MAX_SAFE_INTEGER, 2 ** 53],
  ...[-(2 ** 53), 1e21, 1e300, 5e-324, Infinity, NaN],
]

export function randomTree(random: Prng, depth = 0): Tree {
  switch (random.below(depth > 3 ? 7 : 10)) {
    case 0:
      return null
    case 1:
      return random.chance(0.5)
    case 2:
      return random.pick(NUMBERS)
    case 3:
      return random.below(2 ** 32)
    case 4:
    case 5:
      return randomText(random)
    case 6:
      return random.chance(0.1) ? random.bytes(random.below(20)) : randomText(random)
    case 7:
      return Array.from({ length: random.below(4) }, () => randomTree(random, depth + 1))
    default:
      return { pairs: randomEntries(random, depth) }
  }
}

export function randomText(random: Prng): string {
  const text = random.pick(TEXTS)
  if (random.chance(0.02)) return text.repeat(random.below(1 << 10))
  if (random.chance(0.5)) return text
  const length = random.below(random.chance(0.1) ? 300 : 12)
  return Array.from({ length }, () => String.fromCharCode(33 + random.below(94))).join('')
}

/** Another tree, changed at one place; `tree` itself stays as it is. */
export function editTree(random: Prng, tree: Tree): Tree {
  if (random.chance(0.25)) return replacement(random, tree)
  if (Array.isArray(tree) && tree.length > 0) {
    const at = random.below(tree.length)
    if (random.chance(0.15)) return tree.filter((_, i) => i !== at)
    if (random.chance(0.15)) return [...tree, tree[at]!]
    return tree.map((item, i) => (i === at ? editTree(random, item) : item))
  }
  if (typeof tree === 'object' && tree !== null && 'pairs' in tree && tree.pairs.length > 0) {
    return { pairs: editEntries(random, tree.pairs) }
  }
  return replacement(random, tree)
}

export function toTree(value: unknown): Tree {
  if (typeof value !== 'object' || value === null) return value as Tree
  if (value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(toTree)
  return { pairs: Object.entries(value).map(([key, item]) => [key, toTree(item)]) }
}

function randomEntries(random: Prng, depth: number): [string, Tree][] {
  return Array.from({ length: random.below(4) }, () => [
    random.chance(0.4) ? random.pick(KEYS) : randomText(random),
    randomTree(random, depth + 1),
  ])
}

function editEntries(random: Prng, entries: readonly [string, Tree][]): [string, Tree][] {
  const at = random.below(entries.length)
  const [key, value] = entries[at]!
  const rest = entries.filter((_, i) => i !== at)
  switch (random.below(8)) {
    case 0:
      return rest
    case 1:
      return [...entries, [key, editTree(random, value)]]
    case 2:
      return [[key, editTree(random, value)], ...entries]
    case 3:
      return [...rest, [random.chance(0.5) ? random.pick(KEYS) : randomText(random), value]]
    case 4:
      return [...entries, [random.pick(KEYS), randomTree(random)]]
    default:
      return entries.map((entry, i) => (i === at ? [key, editTree(random, value)] : entry))
  }
}

function replacement(random: Prng, tree: Tree): Tree {
  if (!random.chance(0.08)) return randomTree(random)
  const depth = random.pick([3, 30, 62, 63, 64, 65, 66, 2_000])
  let nested = tree
  for (let i = 0; i < depth; i++) nested = i % 2 === 0 ? [nested] : { pairs: [['a', nested]] }
  return nested
}
