import type { SyncAnswer, SyncRequest } from '#protocol'
import type { ConversationHead, InboxPage } from '../../state-machine/types.ts'
import { LAST_INBOX } from '../../state-machine/user-inbox.ts'
import type { GatewayContext } from '../gateway-context.ts'
import { UnreadCounter } from './unread-counter.ts'

/** Conversations whose unread messages are counted in one turn of the event loop. */
const SLICE = 100

/**
 * The conversations that a client which starts to catch up wants to hear of first, newest change
 * first (rule B3): with `positions` those whose head is past the client's; without, those with an
 * event in the page if that is all there is, else every one, as where the numbers ran out. Large
 * conversations have no events in the inbox: they go by their heads alone.
 */
export async function changedConversations(
  user: string,
  frame: SyncRequest,
  page: InboxPage,
  context: GatewayContext,
): Promise<SyncAnswer['conversations']> {
  const { backend, clock, options } = context
  const all = await backend.state.headsOf(user, options.maxSyncedConversations)
  const changed = all.filter(isChanged(frame, page))
  const counter = new UnreadCounter(user, context)
  const rows = []
  for (const [at, view] of changed.entries()) {
    // What is in memory is read without a wait: others get their turn.
    if (at % SLICE === SLICE - 1) await new Promise<void>((resolve) => clock.defer(resolve))
    rows.push({ conv: view.id, head: view.head, unread: await counter.unread(view) })
  }
  return rows
}

function isChanged(
  frame: SyncRequest,
  page: InboxPage,
): (conversation: ConversationHead) => boolean {
  if (frame.positions !== undefined) {
    const positions = new Map(frame.positions.map(({ conv, seq }) => [conv, seq]))
    return ({ id, head }) => head > (positions.get(id) ?? 0)
  }
  const isPart = page.hasMore || page.gap !== null || page.upTo === LAST_INBOX
  if (frame.after === 0 || isPart) return () => true
  const inPage = new Set(page.entries.map(({ conv }) => conv))
  return ({ id, large }) => large || inPage.has(id)
}
