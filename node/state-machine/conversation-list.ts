import { assert } from '#cluster'
import { StoreDamagedError } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { loadForList, loadForRead } from './conversation-loader.ts'
import type { Conversation } from './conversation-state.ts'
import { conversationOfUserKey, userRange } from './keys.ts'
import { isPresent, type Member } from './members.ts'
import type { ConversationHead, ConversationList, ConversationView, ListPosition } from './types.ts'

/** Heads loaded together. */
const LOADED_TOGETHER = 256

type Load = typeof loadForRead

/** Whole conversations loaded together for a page of views, which is cut by bytes. */
const SHOWN_TOGETHER = 16
/** What a view and each of its members weigh in a page beside their texts. */
const VIEW_BYTES = 256
const MEMBER_BYTES = 40

interface Listed {
  readonly conversation: Conversation
  readonly member: Member
  readonly changedAt: number
}

/**
 * A page of the conversations that the user is or was a member of, newest change first: at most
 * `limit`, cut at the bound of bytes, one at least.
 */
export async function listConversations(
  state: ApplicationState,
  user: string,
  limit: number,
  after: ListPosition | null,
): Promise<ConversationList> {
  const places = await newestOf(state, user, limit + 1, after, ({ conversation, changedAt }) => ({
    id: conversation.id,
    changedAt,
  }))
  const conversations: ConversationView[] = []
  let bytes = 0
  const most = Math.min(limit, places.length)
  for (let first = 0; first < most && bytes < state.limits.pageBytes; first += SHOWN_TOGETHER) {
    const ids = places.slice(first, Math.min(most, first + SHOWN_TOGETHER)).map(({ id }) => id)
    const whole = await conversationsFor(state, ids, user, (_, cold) =>
      loadForList(state, cold, user),
    )
    for (const conversation of whole) {
      const member = conversation.members.find(user)
      assert(member !== undefined, `${user} is no member of ${conversation.id}, which lists him`)
      const view = conversationViewFor(conversation, member)
      bytes += bytesOf(view)
      if (bytes > state.limits.pageBytes && conversations.length > 0) break
      conversations.push(view)
    }
  }
  const isWhole = conversations.length === places.length
  return { conversations, next: isWhole ? null : places[conversations.length - 1]! }
}

/** The newest of them, without what only a view needs: cheap enough for every device that comes. */
export function listHeads(
  state: ApplicationState,
  user: string,
  limit: number,
): Promise<ConversationHead[]> {
  return newestOf(state, user, limit, null, ({ conversation, member }) => {
    const { id, large, head, ord } = conversation
    if (isPresent(member)) return { id, large, head, ord }
    return { id, large, head: member.visible.at(-1)!, ord: member.left!.ord }
  })
}

/**
 * Looks at all of them, a part at a time, as no order by change is kept for each member; of those
 * that come after `after` it keeps what `show` makes of the newest.
 */
async function newestOf<T>(
  state: ApplicationState,
  user: string,
  limit: number,
  after: ListPosition | null,
  show: (listed: Listed) => T,
): Promise<T[]> {
  let newest: (ListPosition & { readonly shown: T })[] = []
  const all = await conversationIdsOf(state, user)
  for (let first = 0; first < all.length; first += LOADED_TOGETHER) {
    const part = all.slice(first, first + LOADED_TOGETHER)
    for (const conversation of await conversationsFor(state, part, user)) {
      const { id } = conversation
      const member = conversation.members.find(user)
      if (member === undefined) continue
      const changedAt = isPresent(member) ? conversation.lastLogTime : member.left!.logTime
      if (after !== null && compare({ id, changedAt }, after) <= 0) continue
      newest.push({ id, changedAt, shown: show({ conversation, member, changedAt }) })
    }
    newest.sort(compare)
    newest = newest.slice(0, limit)
  }
  return newest.map(({ shown }) => shown)
}

function compare(a: ListPosition, b: ListPosition): number {
  if (a.changedAt !== b.changedAt) return b.changedAt - a.changedAt
  if (a.id === b.id) return 0
  return a.id < b.id ? -1 : 1
}

function bytesOf({ name, meta, members }: ConversationView): number {
  const texts = (name?.length ?? 0) + (meta?.length ?? 0)
  return members.reduce((sum, { user }) => sum + MEMBER_BYTES + user.length, VIEW_BYTES + texts)
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
