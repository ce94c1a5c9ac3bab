import { StoreDamagedError, type Store } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { decodeConversation, hasMembersApart } from './conversation-codec.ts'
import type { Conversation } from './conversation-state.ts'
import { KeyHash } from './key-hash.ts'
import { conversationKey, membersKey } from './keys.ts'
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
    return bytes === null ? null : decodeConversation(bytes, prefix, hash, members.get(id) ?? null)
  })
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
