import type { ApplicationState } from './application-state.ts'
import { type Conversation, VIEW_POSITIONS } from './conversation-state.ts'
import { isPresent, type Member } from './members.ts'
import { MEMBERS_PER_BLOCK, type ReceiptBlock, receiptBlockId } from './receipt-block.ts'
import type { ConversationProgress, MemberProgress } from './types.ts'

/**
 * How a conversation stands, and how far some of its members have got: whoever is or was one, at the
 * positions of their list from `from` on. The head is taken first; of a cursor that rose past it
 * since, only what it covers is told.
 */
export async function readProgress(
  state: ApplicationState,
  conversation: Conversation,
  from: number,
): Promise<ConversationProgress> {
  const { id, kind, createdAt, head, ord, lastAt, firstSeq, large, retention, history } =
    conversation
  const { memberCount, listed } = conversation
  const end = Math.min(from + VIEW_POSITIONS, listed)
  // Copies: what apply changes while blocks are read is not half of what is told.
  const some = membersAt(conversation, from, end).map((member) => ({ ...member }))
  const blocks = new Map<string, ReceiptBlock>()
  for (const { position } of some) {
    const block = receiptBlockId(id, position)
    if (!blocks.has(block)) blocks.set(block, await state.receipts.read(block))
  }
  const members = some.map((member): MemberProgress => {
    const { user, position, role, visible } = member
    const block = blocks.get(receiptBlockId(id, position))!
    const slot = position % MEMBERS_PER_BLOCK
    const delivered = Math.min(block.delivered(slot), head)
    const read = Math.min(block.read(slot), head)
    const undelivered = beyond(delivered, visible, { firstSeq, head })
    return {
      ...{ user, role, isPresent: isPresent(member), visible, delivered, read },
      undelivered: undelivered.count,
      unread: beyond(read, visible, { firstSeq, head }).count,
      firstUndelivered: undelivered.first,
    }
  })
  return {
    ...{ id, kind, createdAt, head, ord, lastAt, firstSeq, large, retention, history },
    ...{ memberCount, listed, members, next: end < listed ? end : null },
  }
}

/** Of a large conversation memory may hold only those that were asked for. */
function membersAt({ members }: Conversation, from: number, end: number): readonly Member[] {
  if (members.isWhole) return members.list.slice(from, end)
  return members.list.filter(({ position }) => position >= from && position < end)
}

/** Events above a cursor that are kept and that the member may see, and the oldest of them. */
export function beyond(
  cursor: number,
  visible: readonly number[],
  { firstSeq, head }: { readonly firstSeq: number; readonly head: number },
): { readonly count: number; readonly first: number | null } {
  const least = Math.max(cursor + 1, firstSeq)
  let count = 0
  let first: number | null = null
  // From the newest interval back: before one that ends too early all do.
  for (let i = visible.length - 2; i >= 0 && visible[i + 1]! >= least; i -= 2) {
    const from = Math.max(visible[i]!, least)
    const to = Math.min(visible[i + 1]!, head)
    if (to < from) continue
    count += to - from + 1
    first = from
  }
  return { count, first }
}
