import { StoreDamagedError, type Store } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { decodeConversation, hasMembersApart } from './conversation-codec.ts'
import type { Conversation } from './conversation-state.ts'
import { KeyHash } from './key-hash.ts'
import { conversationKey, membersKey, userKey } from './keys.ts'
import { Members } from './members.ts'

/**
 * Reads conversations as of the newest cut, in the order of `ids`; `null` where the store has none.
 * The objects are the caller's own: only prefetch may put them into the cache, because there alone
 * nothing is applied meanwhile.
 */
export async function loadConversations(
  state: ApplicationState,
  ids: readonly string[],
): Promise<(Conversation | null)[]> {
  const { store } = state
  const heads = await store.getMany(ids.map(conversationKey))
  const apart = ids.filter((_, i) => {
    const bytes = heads[i] ?? null
    return bytes !== null && hasMembersApart(bytes)
  })
  const members = await loadMembers(store, apart)
  const hash = new KeyHash()
  const prefix = (with_: KeyHash, id: string): KeyHash => state.conversationPrefix(with_, id)
  return ids.map((id, i) => {
    const bytes = heads[i] ?? null
    return bytes === null
      ? null
      : decodeConversation(id, bytes, prefix, hash, members.get(id) ?? null)
  })
}

/**
 * The store may lose a key without an error (rule K5). Whoever is or was a member of a conversation
 * has a key of his own for it, written with it: if that is there, so must be the conversation.
 */
export async function proveAbsent(
  state: ApplicationState,
  user: string,
  id: string,
): Promise<void> {
  if ((await state.store.get(userKey(user, id))) === null) return
  if (state.conversations.get(id) !== undefined) return
  // It may have come since it was looked for; from its first cut on it is there for good.
  const [conversation] = await loadConversations(state, [id])
  if (conversation === null) {
    throw new StoreDamagedError(`${user} is in ${id}, which is missing from the store`)
  }
}

async function loadMembers(store: Store, ids: readonly string[]): Promise<Map<string, Members>> {
  const members = new Map<string, Members>()
  if (ids.length === 0) return members
  const found = await store.getMany(ids.map(membersKey))
  ids.forEach((id, i) => {
    const bytes = found[i] ?? null
    if (bytes === null) throw new StoreDamagedError(`the members of ${id} are missing`)
    members.set(id, Members.decode(bytes))
  })
  return members
}
