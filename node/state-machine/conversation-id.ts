import { hash } from 'node:crypto'

const CACHED_PAIRS = 65_536
const young = new Map<string, Map<string, string>>()
let pairs = 0

/** The one direct conversation of two users, or of a user with himself: order does not matter (A1). */
export function directConversationId(one: string, other: string): string {
  const [first, second] = one < other ? [one, other] : [other, one]
  let known = young.get(first)
  const cached = known?.get(second)
  if (cached !== undefined) return cached
  const id = `d_${digest(['direct', first, second])}`
  if (pairs >= CACHED_PAIRS) {
    young.clear()
    known = undefined
    pairs = 0
  }
  if (known === undefined) young.set(first, (known = new Map()))
  known.set(second, id)
  pairs += 1
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
