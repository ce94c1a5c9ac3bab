import { hash } from 'node:crypto'

/** The one direct conversation of two users, or of a user with himself: order does not matter (A1). */
export function directConversationId(one: string, other: string): string {
  const [first, second] = one < other ? [one, other] : [other, one]
  return named('d_', ['direct', first, second])
}

/** The group that `user` created with this msgId (A1): a retry names the same one on every node. */
export function groupConversationId(user: string, msgId: string): string {
  return named('g_', ['group', user, msgId])
}

/** 132 bits of SHA-256: nobody can make two keys meet. Lengths keep the parts apart. */
function named(prefix: string, parts: readonly string[]): string {
  const text = parts.map((part) => `${part.length}:${part}`).join('')
  scratch.write(prefix, 0, 'latin1')
  scratch.write(hash('sha256', text, 'base64url'), prefix.length, 'latin1')
  // Put together in bytes: a string made of strings keeps its parts, and these live long.
  return scratch.toString('latin1', 0, prefix.length + 22)
}

const scratch = Buffer.alloc(64)
