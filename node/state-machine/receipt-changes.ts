import type { ApplicationState } from './application-state.ts'
import { conversationsFor, listHeads } from './conversation-list.ts'
import { loadConversations, type loadForRead } from './conversation-loader.ts'
import { readReceipts } from './receipt-reads.ts'
import type { ReceiptChange } from './types.ts'

const whole: typeof loadForRead = (state, ids) => loadConversations(state, ids)

/** Conversations that are looked at, those with the newest events. */
const MAX_CONVERSATIONS = 1_000
/** So many times the limit are kept before the oldest are dropped: sorting each time would cost more. */
const MOST_KEPT = 4

/**
 * What a user is told of receipts that changed after a log index: the cursors of the others in his
 * small conversations, and his own `read` ones. The newest changes first, at most `limit`.
 */
export async function receiptsChanged(
  state: ApplicationState,
  user: string,
  after: number,
  limit: number,
): Promise<ReceiptChange[]> {
  // Who comes back at once has missed nothing: no conversation needs looking at.
  if (after >= state.appliedIndex) return []
  let changes: (ReceiptChange & { readonly index: number })[] = []
  for (const { id, large } of await listHeads(state, user, MAX_CONVERSATIONS)) {
    if (large) continue
    const [conversation] = await conversationsFor(state, [id], user, whole)
    // It may have become large since it was listed.
    if (conversation!.large || !conversation!.members.isPresent(user)) continue
    for (const receipt of await readReceipts(state, conversation!)) {
      const { delivered, read, changedIndex: index } = receipt
      if (index <= after) continue
      const who = { conv: id, user: receipt.user, index }
      if (read > 0) changes.push({ ...who, kind: 'read', upTo: read })
      if (delivered > read && receipt.user !== user) {
        changes.push({ ...who, kind: 'delivered', upTo: delivered })
      }
    }
    if (changes.length > MOST_KEPT * limit) changes = newest(changes, limit)
  }
  return newest(changes, limit).map(({ conv, user: of, kind, upTo }) => ({
    conv,
    user: of,
    kind,
    upTo,
  }))
}

function newest<T extends { readonly index: number }>(changes: readonly T[], limit: number): T[] {
  return changes.toSorted((a, b) => b.index - a.index).slice(0, limit)
}
