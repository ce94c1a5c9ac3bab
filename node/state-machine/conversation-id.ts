import { hash } from 'node:crypto'

/** Two generations of so many pairs: the hash costs a microsecond, and most pairs talk again. */
const CACHED_PAIRS = 65_536
let young = new Map<string, string>()
let old = new Map<string, string>()

/** The one direct conversation of two users, or of a user with himself: order does not matter (A1). */
export function directConversationId(one: string, other: string): string {
  const [first, second] = one < other ? [one, other] : [other, one]
  const pair = `${first.length}:${first}${second}`
  let id = young.get(pair)
  if (id !== undefined) return id
  id = old.get(pair) ?? `d_${digest(['direct', first, second])}`
  if (young.size >= CACHED_PAIRS) {
    old = young
    young = new Map()
  }
  young.set(pair, id)
  return id
}

/** The group that `user` created with this msgId (A1): a retry names the same one on every node. */
export function groupConversationId(user: string, msgId: string): string {
  return `g_${digest(['group', user, msgId])}`
}

/** 132 bits of SHA-256: nobody can make two keys meet. Lengths keep the parts apart. */
function digest(parts: readonly string[]): string {
  const text = parts.map((part) => `${part.length}:${part}`).join('')
  return hash('sha256', text, 'base64url').slice(0, 22)
}
