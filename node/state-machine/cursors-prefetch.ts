import type { ApplicationState } from './application-state.ts'
import type { PreparedEntry } from './prepared-entry.ts'
import { receiptBlockId } from './receipt-block.ts'

/**
 * Ids of the blocks that the entry's cursors may change and memory does not hold; `null` if there are
 * none. The conversations are loaded by now: what members they have is noted for apply.
 */
export function missingReceipts(state: ApplicationState, entry: PreparedEntry): string[] | null {
  const { conversations, receipts } = state
  let missing: Set<string> | null = null
  for (const { cursors } of entry.commands) {
    if (cursors === null) continue
    cursors.membersBefore.length = 0
    for (const { conv, acks } of cursors.conversations) {
      const members = conversations.get(conv)?.members
      const count = members?.list.length ?? -1
      cursors.membersBefore.push(count)
      if (members === undefined) continue
      for (const { user } of acks) {
        // Whom an earlier command of this entry brings in comes behind those who are there.
        const id = receiptBlockId(conv, members.find(user)?.position ?? count)
        if (receipts.get(id) === undefined) (missing ??= new Set()).add(id)
      }
    }
  }
  return missing === null ? null : [...missing]
}
