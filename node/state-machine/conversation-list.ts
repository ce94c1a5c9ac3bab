import { StoreDamagedError } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { loadForList, loadForRead } from './conversation-loader.ts'
import type { Conversation } from './conversation-state.ts'
import { conversationOfUserKey, userRange } from './keys.ts'
import { isPresent, type Member } from './members.ts'
import type { ConversationHead, ConversationView } from './types.ts'

/** Heads loaded together. */
const LOADED_TOGETHER = 256

type Load = typeof loadForRead

interface Listed {
  readonly conversation: Conversation
  readonly member: Member
  readonly changedAt: number
}

/** The conversations that the user is or was a member of, newest change first, at most `limit`. */
export async function listConversations(
  state: ApplicationState,
  user: string,
  limit: number,
): Promise<ConversationView[]> {
  const newest = await newestOf(state, user, limit, (_, ids) => loadForList(state, ids, user))
  return newest.map(({ conversation, member }) => conversationViewFor(conversation, member))
}

/** The same, without what only a view needs: cheap enough for every device that comes. */
export async function listHeads(
  state: ApplicationState,
  user: string,
  limit: number,
): Promise<ConversationHead[]> {
  const newest = await newestOf(state, user, limit, loadForRead)
  return newest.map(({ conversation, member }) => {
    const { id, large, head, ord } = conversation
    if (isPresent(member)) return { id, large, head, ord }
    return { id, large, head: member.visible.at(-1)!, ord: member.left!.ord }
  })
}

/** Looks at all of them, a part at a time, as no order by change is kept for each member. */
async function newestOf(
  state: ApplicationState,
  user: string,
  limit: number,
  load: Load,
): Promise<Listed[]> {
  let newest: Listed[] = []
  const all = await conversationIdsOf(state, user)
  for (let first = 0; first < all.length; first += LOADED_TOGETHER) {
    const part = all.slice(first, first + LOADED_TOGETHER)
    for (const conversation of await conversationsFor(state, part, user, load)) {
      const member = conversation.members.find(user)
      if (member === undefined) continue
      const changedAt = isPresent(member) ? conversation.lastLogTime : member.left!.logTime
      newest.push({ conversation, member, changedAt })
    }
    newest.sort(
      (a, b) => b.changedAt - a.changedAt || (a.conversation.id < b.conversation.id ? -1 : 1),
    )
    newest = newest.slice(0, limit)
  }
  return newest
}

/** Every conversation that the user is or was a member of, in no order. */
export async function conversationIdsOf(state: ApplicationState, user: string): Promise<string[]> {
  // Memory first: what a cut writes meanwhile is then seen once or twice, never missed.
  const ids = new Set(state.users.unwritten(user).keys())
  const { from, to } = userRange(user)
  for await (const { key } of state.store.range(from, to)) ids.add(conversationOfUserKey(user, key))
  return [...ids]
}

/**
 * What a list shows the member: of a large conversation no members, of one that he left how it was
 * then, and no members either.
 */
function conversationViewFor(conversation: Conversation, member: Member): ConversationView {
  const view = conversation.view()
  if (isPresent(member)) return view.large ? { ...view, members: [] } : view
  const { ord, name } = member.left!
  return { ...view, name, ord, meta: null, members: [], head: member.visible.at(-1)! }
}

/**
 * From memory or the store, in the order of the ids, for a read on behalf of the user; each must
 * exist (rule K5).
 */
export async function conversationsFor(
  state: ApplicationState,
  ids: readonly string[],
  user: string | null,
  load: Load = loadForRead,
): Promise<Conversation[]> {
  // Taken before the wait, in which memory may let go of them.
  const found = new Map<string, Conversation | null>()
  for (const id of ids) found.set(id, state.conversations.get(id) ?? null)
  const cold = ids.filter((id) => found.get(id) === null)
  const loaded = cold.length === 0 ? [] : await load(state, cold, user)
  cold.forEach((id, i) => found.set(id, loaded[i] ?? null))
  return ids.map((id) => {
    const conversation = state.conversations.get(id) ?? found.get(id) ?? null
    // Listed is only what a member's own key names, which is written with it (rule K5).
    if (conversation === null) throw new StoreDamagedError(`${id} is missing from the store`)
    return conversation
  })
}
