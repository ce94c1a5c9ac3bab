import { type Fields, type FieldType, REQUEST_SCHEMAS, SERVER_SCHEMAS } from '#protocol'
import type { Prng } from '../prng.ts'
import { randomTree, type Tree } from './values.ts'

type Direction = 'toServer' | 'toClient'
type Pairs = [string, Tree][]

const NAME = 'ABCXYZabcxyz0189._:@-'
const PRINTABLE = `${NAME}!#$%&()*+,/;<=>?[]^{|}~"'\\`

/** A frame of any type and shape that the schema table allows. */
export function randomFrame(random: Prng, direction: Direction): { pairs: Pairs } {
  const table = direction === 'toServer' ? REQUEST_SCHEMAS : SERVER_SCHEMAS
  const [t, { fields, oneOf, variants }] = random.pick(Object.entries(table))
  const pairs: Pairs = [['t', t]]
  let all = fields
  if (variants !== undefined) {
    const [value, variant] = random.pick(Object.entries(variants.fields))
    pairs.push([variants.on, value])
    all = { ...fields, ...variant }
  }
  const kept = oneOf === undefined ? null : random.pick(oneOf)
  pairs.push(...randomFields(random, all, (name) => kept !== null && oneOf!.includes(name)))
  if (kept !== null) pairs.push([kept, randomField(random, all[kept]!.type)])
  return { pairs: random.chance(0.3) ? random.shuffled(pairs) : pairs }
}

function randomFields(random: Prng, fields: Fields, skip: (name: string) => boolean): Pairs {
  return Object.entries(fields).flatMap(([name, field]): Pairs => {
    if (skip(name) || (!field.required && random.chance(0.5))) return []
    return [[name, randomField(random, field.type)]]
  })
}

function randomField(random: Prng, type: FieldType): Tree {
  switch (type.type) {
    case 'id':
      return random.chance(0.7) ? random.below(1000) : text(random, PRINTABLE, 64)
    case 'integer': {
      const most = random.chance(0.2) ? type.max : Math.min(type.max, type.min + 300)
      return type.min + Math.floor(random.float() * (most - type.min + 1))
    }
    case 'string': {
      if (type.alphabet === undefined) return text(random, PRINTABLE, Math.min(40, type.maxBytes))
      const most = random.chance(0.1) ? type.maxBytes : Math.min(12, type.maxBytes)
      return text(random, type.alphabet === 'name' ? NAME : PRINTABLE, most)
    }
    case 'enum':
      return random.pick(type.values)
    case 'boolean':
      return random.chance(0.5)
    case 'value':
      return randomTree(random)
    case 'array':
      return Array.from({ length: random.below(4) }, () => randomField(random, type.of))
    case 'range':
      return [1, 1 + random.below(4)]
    case 'object':
      return { pairs: randomFields(random, type.fields, () => false) }
    case 'nullable':
      return random.chance(0.3) ? null : randomField(random, type.of)
  }
}

function text(random: Prng, alphabet: string, most: number): string {
  const length = 1 + random.below(most)
  return Array.from({ length }, () => alphabet[random.below(alphabet.length)]!).join('')
}
